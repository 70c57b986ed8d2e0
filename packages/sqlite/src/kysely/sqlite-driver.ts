import {
  attachSuppressed,
  databaseOf,
  type EngineSession,
  invalidOption,
  onEngineSession,
} from '@keelson/core'
import { guardSingleConnections, markAbortedTransaction } from '@keelson/core/kysely'
import {
  createQueryId,
  IdentifierNode,
  RawNode,
  type AbortableOperationOptions,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryCompiler,
  type TransactionSettings,
} from 'kysely'
import type { BeginOptions, SqliteSession } from '../contract.ts'
import type { SqliteDatabase } from '../database.ts'
import { isSqliteDatabase, openSqlite } from '../open-sqlite.ts'
import type { SqliteOptions } from '../options.ts'
import { SqliteConnection } from './sqlite-connection.ts'
import { checkConfig, checkDatabase, type SqliteDialectConfig } from './sqlite-dialect-config.ts'

/** Kept at most, so that a burst of queries does not occupy memory for ever. */
const idleConnections = 64

/** The state of one `Kysely` instance: its database, and whether it is ours to close. */
export class SqliteDriver implements Driver {
  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, databaseOf, {
      value(this: SqliteDriver): SqliteDatabase | undefined {
        return this.sharedDatabase
      },
    })
    Object.defineProperty(this.prototype, onEngineSession, {
      value(this: SqliteDriver, session: EngineSession): DatabaseConnection {
        return new SqliteConnection(this.sharedDatabase!, session as SqliteSession)
      },
    })
  }

  readonly engine = 'sqlite' as const
  readonly #config: SqliteDialectConfig
  #database: SqliteDatabase | undefined
  #isOwner = false
  readonly #idle: SqliteConnection[] = []

  constructor(config: SqliteDialectConfig) {
    this.#config = checkConfig(config)
  }

  /** The database that others can stand on, too: one of `openSqlite()`. */
  get sharedDatabase(): SqliteDatabase | undefined {
    const { database } = this.#config
    return isSqliteDatabase(database) ? database : undefined
  }

  async init(options?: AbortableOperationOptions): Promise<void> {
    guardSingleConnections('@keelson/sqlite')
    const { database: given, onCreateConnection, ...sqliteOptions } = this.#config
    this.#isOwner = given === undefined
    const database =
      given === undefined ? openSqlite(sqliteOptions) : await adopt(given, sqliteOptions, options)
    this.#database = database
    if (onCreateConnection === undefined) return
    const connection = new SqliteConnection(database)
    try {
      await onCreateConnection(connection, options)
    } catch (error) {
      // Kysely initialises again with the next query, and does not destroy what was never initialised.
      await connection.release().catch((later: unknown) => attachSuppressed(error, later))
      await this.destroy()
      throw error
    }
    await connection.release()
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const connection = this.#idle.pop()
    if (connection === undefined) return new SqliteConnection(this.#database!)
    connection.reuse()
    return connection
  }

  /**
   * @param settings also `behavior`, which Kysely's own settings do not have
   * @throws {OptionError} for every isolation level but `serializable`, the only one SQLite has
   */
  async beginTransaction(
    connection: DatabaseConnection,
    {
      accessMode,
      isolationLevel,
      behavior,
    }: TransactionSettings & { readonly behavior?: BeginOptions['behavior'] },
  ): Promise<void> {
    if (isolationLevel !== undefined && isolationLevel !== 'serializable') {
      invalidOption(
        'SQLite',
        'isolationLevel',
        isolationLevel,
        "'serializable', which all its transactions are",
      )
    }
    await ours(connection).begin(accessMode, behavior)
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
    // one's place. Nothing is kept of a transaction that failed to roll back: the database takes its connection out of
    // service, and the warning tells why.
    await ours(connection)
      .rollback()
      .catch((error: Error) => process.emitWarning(error))
  }

  async savepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await ours(connection).savepoint(compile('savepoint', name, compileQuery), name)
  }

  async rollbackToSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await ours(connection).rollbackToSavepoint(compile('rollback to', name, compileQuery), name)
  }

  async releaseSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await ours(connection).releaseSavepoint(compile('release', name, compileQuery), name)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    const own = ours(connection)
    if (own.isReusable && this.#idle.length < idleConnections) this.#idle.push(own)
    else await own.release()
  }

  async destroy(): Promise<void> {
    const database = this.#database
    if (database !== undefined && this.#isOwner) {
      const { forced } = await database.close()
      for (const each of forced) {
        process.emitWarning(
          `destroy() ended by force what was still open: ${each}.`,
          'KeelsonForcedCloseWarning',
        )
      }
    }
    this.#database = undefined
    this.#idle.length = 0
  }
}

async function adopt(
  given: NonNullable<SqliteDialectConfig['database']>,
  sqliteOptions: Omit<SqliteOptions, 'database'>,
  options: AbortableOperationOptions | undefined,
): Promise<SqliteDatabase> {
  const database = typeof given === 'function' ? await given(options) : given
  checkDatabase(database, sqliteOptions)
  return isSqliteDatabase(database) ? database : openSqlite({ ...sqliteOptions, database })
}

// Kysely gives a driver its own connections back, and no others.
function ours(connection: DatabaseConnection): SqliteConnection {
  return connection as SqliteConnection
}

function compile(
  command: string,
  name: string,
  compileQuery: QueryCompiler['compileQuery'],
): CompiledQuery {
  const node = RawNode.createWithChildren([
    RawNode.createWithSql(`${command} `),
    IdentifierNode.create(name),
  ])
  return compileQuery(node, createQueryId())
}
