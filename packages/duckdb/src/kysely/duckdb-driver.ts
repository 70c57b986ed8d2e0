import { databaseOf, type EngineSession, invalidOption, onEngineSession } from '@keelson/core'
import { guardSingleConnections, markAbortedTransaction } from '@keelson/core/kysely'
import type {
  AbortableOperationOptions,
  DatabaseConnection,
  Driver,
  TransactionSettings,
} from 'kysely'
import { savepointsError } from '../connection/statement-rules.ts'
import type { DuckDBSession } from '../contract.ts'
import type { DuckDBDatabase } from '../database.ts'
import { isDuckDBDatabase, openDuckDB } from '../open-duckdb.ts'
import { DuckDBConnection } from './duckdb-connection.ts'
import { checkConfig, checkDatabase, type DuckDBDialectConfig } from './duckdb-dialect-config.ts'

/** The state of one `Kysely` instance: its database, and whether it is ours to close. */
export class DuckDBDriver implements Driver {
  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, databaseOf, {
      value(this: DuckDBDriver): DuckDBDatabase | undefined {
        return this.sharedDatabase
      },
    })
    Object.defineProperty(this.prototype, onEngineSession, {
      value(this: DuckDBDriver, session: EngineSession): DatabaseConnection {
        return this.connectionOn(session as DuckDBSession)
      },
    })
  }

  readonly engine = 'duckdb' as const
  readonly #config: DuckDBDialectConfig
  #database: DuckDBDatabase | undefined
  #isOwner = false

  constructor(config: DuckDBDialectConfig) {
    this.#config = checkConfig(config)
  }

  /** The database that others can stand on, too: one of `openDuckDB()`. */
  get sharedDatabase(): DuckDBDatabase | undefined {
    const { database } = this.#config
    return isDuckDBDatabase(database) ? database : undefined
  }

  /** A connection that speaks through a session which somebody else has begun. */
  connectionOn(session: DuckDBSession): DuckDBConnection {
    return new DuckDBConnection(this.sharedDatabase!, this.#lockTimeoutMs, session)
  }

  async init(options?: AbortableOperationOptions): Promise<void> {
    guardSingleConnections('@keelson/duckdb')
    const { database: given, migrationLockTimeoutMs: _, ...duckDBOptions } = this.#config
    const found = typeof given === 'function' ? await given(options) : given
    if (given !== undefined) checkDatabase(found, this.#config)
    // What is made around an instance is ours to close, and leaves the instance open.
    this.#isOwner = !isDuckDBDatabase(found)
    this.#database = isDuckDBDatabase(found)
      ? found
      : await openDuckDB({ ...duckDBOptions, ...(found && { instance: found }) })
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new DuckDBConnection(this.#database!, this.#lockTimeoutMs)
  }

  get #lockTimeoutMs(): number {
    return this.#config.migrationLockTimeoutMs ?? 600_000
  }

  /** @throws {OptionError} for every isolation level but `snapshot`, the only one DuckDB has */
  async beginTransaction(
    connection: DatabaseConnection,
    { accessMode, isolationLevel }: TransactionSettings,
  ): Promise<void> {
    if (isolationLevel !== undefined && isolationLevel !== 'snapshot') {
      invalidOption(
        'DuckDB',
        'isolationLevel',
        isolationLevel,
        "'snapshot', which all its transactions are",
      )
    }
    await ours(connection).begin(accessMode)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await ours(connection).commit()
    } catch (error) {
      markAbortedTransaction(error)
      throw error
    }
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // Kysely awaits this before it throws the error for which it rolls back, and an error from here would take that
    // one's place. Nothing is kept of a transaction that failed to roll back: its connection is replaced.
    await ours(connection)
      .rollback()
      .catch((error: Error) => process.emitWarning(error))
  }

  /** @throws {SavepointsNotSupportedError} always, before anything is sent; the transaction goes on */
  async savepoint(_connection: DatabaseConnection, name: string): Promise<void> {
    throw savepointsError(`The savepoint ${JSON.stringify(name)}`)
  }

  /** @throws {SavepointsNotSupportedError} always, before anything is sent; the transaction goes on */
  async rollbackToSavepoint(_connection: DatabaseConnection, name: string): Promise<void> {
    throw savepointsError(`Rolling back to the savepoint ${JSON.stringify(name)}`)
  }

  /** @throws {SavepointsNotSupportedError} always, before anything is sent; the transaction goes on */
  async releaseSavepoint(_connection: DatabaseConnection, name: string): Promise<void> {
    throw savepointsError(`Releasing the savepoint ${JSON.stringify(name)}`)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    // As with a rollback: an error from here would take the place of the one that the query failed with.
    await ours(connection)
      .release()
      .catch((error: Error) => process.emitWarning(error))
  }

  async destroy(): Promise<void> {
    const database = this.#database
    if (database === undefined || !this.#isOwner) return
    const { forced } = await database.close()
    for (const each of forced) {
      process.emitWarning(
        `destroy() ended by force what was still open: ${each}.`,
        'KeelsonForcedCloseWarning',
      )
    }
  }
}

// Kysely gives a driver its own connections back, and no others.
function ours(connection: DatabaseConnection): DuckDBConnection {
  return connection as DuckDBConnection
}
