/** Over 300 lines, being one subject: what Drizzle asks of a session, outside a transaction and inside one. */
import {
  attachSuppressed,
  captureCallSite,
  checkOptionNames,
  bulkStatements,
  type BulkStatementsRequest,
  type BulkStatementsResult,
  databaseOf,
  type EngineSession,
  invalidOption,
  onEngineSession,
  OptionError,
  worksBeside,
} from '@keelson/core'
import {
  exactNumber,
  mockError,
  preparedFrom,
  setEntityKind,
  type QueryMetadata,
} from '@keelson/core/drizzle'
import type { Query, SQL } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'
import type { RelationalSchemaConfig, TablesRelationalConfig } from 'drizzle-orm/relations'
import type {
  PreparedQueryConfig,
  SelectedFieldsOrdered,
  SQLiteExecuteMethod,
} from 'drizzle-orm/sqlite-core'
import type { BeginOptions, BulkExecuteOptions, SqliteSession } from '../contract.ts'
import type { SqliteDatabase } from '../database.ts'
import type { SqliteDrizzleDialect } from './dialect.ts'
import { rawQueryOf, SQLiteSession } from './internals.ts'
import { SqlitePreparedQuery, type SharedParts } from './prepared-query.ts'
import { relationalRows } from './relational-rows.ts'
import type { RunResult } from './run-result.ts'
import type { Outlet } from './outlet.ts'
import type { TransactionScope } from './scope.ts'
import { KeelsonSqliteTransaction, type SqliteTransactionConfig } from './transaction.ts'
import { runTransaction } from './transaction-run.ts'

/** A transaction that a session belongs to. */
interface TransactionPart {
  /** Where its statements go. */
  readonly outlet: Outlet
  /** Undefined where something else decides what may be sent. */
  readonly scope: TransactionScope | undefined
  /** 0 for the transaction, 1 for a savepoint in it, and so on. */
  readonly depth: number
  /** The tables written in the whole transaction, to be dropped from the cache once it is committed. */
  readonly writes: Set<string>
}

/** How Drizzle speaks through a session of the engine's that something else has begun a transaction on. */
interface OnEngineSession {
  readonly session: SqliteDrizzleSession<any, any>
  /** A handle over a session of its own, which nests nothing by itself. */
  readonly transaction: (depth: number) => KeelsonSqliteTransaction<any, any>
  /** Tells the cache which tables were written, once they are committed. */
  readonly committed: () => Promise<void>
}

/** What a Drizzle database or transaction of this driver sends its queries through. */
export class SqliteDrizzleSession<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig,
> extends SQLiteSession<'async', RunResult, TFullSchema, TSchema> {
  static {
    setEntityKind(this, 'KeelsonSqliteSession')
    // --isolatedDeclarations lets no member of a class be named by a symbol.
    Object.defineProperty(this.prototype, bulkStatements, {
      value(this: SqliteDrizzleSession<any, any>, request: BulkStatementsRequest) {
        return this.#runBulk(request)
      },
    })
    Object.defineProperty(this.prototype, worksBeside, {
      get(this: SqliteDrizzleSession<any, any>): boolean {
        return this.#client?.mode === 'threads'
      },
    })
    Object.defineProperty(this.prototype, databaseOf, {
      value(this: SqliteDrizzleSession<any, any>) {
        return this.#client
      },
    })
    Object.defineProperty(this.prototype, onEngineSession, {
      value(this: SqliteDrizzleSession<any, any>, session: EngineSession) {
        return this.#on(session as SqliteSession)
      },
    })
  }

  declare readonly dialect: SqliteDrizzleDialect
  readonly #client: SqliteDatabase | undefined
  readonly #schema: RelationalSchemaConfig<TSchema> | undefined
  readonly #shared: SharedParts
  readonly #part: TransactionPart | undefined

  /** @param client undefined for `drizzle.mock()` */
  constructor(
    client: SqliteDatabase | undefined,
    dialect: SqliteDrizzleDialect,
    schema: RelationalSchemaConfig<TSchema> | undefined,
    shared: SharedParts,
    part?: TransactionPart,
  ) {
    super(dialect)
    this.#client = client
    this.#schema = schema
    this.#shared = shared
    this.#part = part
  }

  get isTransaction(): boolean {
    return this.#part !== undefined
  }

  override prepareQuery<T extends PreparedQueryConfig>(
    query: Query,
    fields: SelectedFieldsOrdered | undefined,
    executeMethod: SQLiteExecuteMethod,
    isResponseInArrayMode: boolean,
    customResultMapper?: (
      rows: unknown[][],
      mapColumnValue?: (value: unknown) => unknown,
    ) => unknown,
    queryMetadata?: QueryMetadata,
    cacheConfig?: WithCacheConfig,
  ): SqlitePreparedQuery<T> {
    const { int64 } = this.#shared
    const selection = customResultMapper && this.dialect.selectionOf(query)
    return new SqlitePreparedQuery<T>(
      {
        query,
        fields,
        executeMethod,
        isResponseInArrayMode,
        customResultMapper,
        queryMetadata,
        cacheConfig,
      },
      this.#part?.outlet ?? this.#shared.outlet,
      this.#shared,
      this.#part?.writes,
      selection && relationalRows(selection, this.dialect, int64),
    )
  }

  /** Prepares anew, for this session, what another one has prepared. */
  prepareAgain({ recipe, joinsNotNullableMap }: SqlitePreparedQuery): SqlitePreparedQuery {
    const prepared = this.prepareQuery(
      recipe.query,
      recipe.fields,
      recipe.executeMethod,
      recipe.isResponseInArrayMode,
      recipe.customResultMapper,
      recipe.queryMetadata,
      recipe.cacheConfig,
    )
    if (joinsNotNullableMap !== undefined) prepared.joinsNotNullableMap = joinsNotNullableMap
    return prepared
  }

  override async count(query: SQL): Promise<number> {
    const [[count] = []] = await this.values<[unknown]>(query)
    return exactNumber(count, 'count(*)') as number
  }

  /** Runs `transaction` in a transaction, or in a savepoint where the session belongs to a transaction. */
  override async transaction<T>(
    transaction: (tx: KeelsonSqliteTransaction<TFullSchema, TSchema>) => Promise<T>,
    config?: SqliteTransactionConfig,
  ): Promise<T> {
    if (typeof transaction !== 'function') {
      invalidOption(where, 'transaction', transaction, 'an async function')
    }
    if (this.#part !== undefined) {
      refuseOptionsOfSavepoint(config)
      const { scope, depth, writes } = this.#part
      return scope!.nest((nested) =>
        transaction(this.#handle({ outlet: nested, scope: nested, depth: depth + 1, writes })),
      )
    }
    const options = beginOptions(config)
    const begun = captureCallSite()
    return this.#onLine((line) => this.#runOn(line, options, begun, transaction))
  }

  /** Runs `migration` in one transaction as the schema's migrator: see `SqliteSession.beginMigration()`. */
  async migration(
    migration: (tx: KeelsonSqliteTransaction<TFullSchema, TSchema>) => Promise<void>,
  ): Promise<void> {
    const begun = captureCallSite()
    await this.#onLine(async (line) => {
      await line.beginMigration()
      await this.#runOn(line, { behavior: 'immediate' }, begun, migration)
      await line.endMigration()
    })
  }

  /** Runs the queries in one transaction, in order. */
  async batch(queries: readonly BatchItem<'sqlite'>[]): Promise<unknown[]> {
    if (queries.length === 0) return []
    return this.transaction(async (tx) => {
      const session = (
        tx as unknown as { readonly session: SqliteDrizzleSession<TFullSchema, TSchema> }
      ).session
      const results: unknown[] = []
      for (const query of queries) results.push(await session.#runBatchItem(query))
      return results
    })
  }

  /** The capability under `bulkStatements`. */
  async #runBulk(bulk: BulkStatementsRequest): Promise<BulkStatementsResult> {
    const options: BulkExecuteOptions = { bulk }
    const outlet = this.#part?.outlet ?? this.#shared.outlet
    const sql = bulk.statement(bulk.rowsPerStatement)
    return (await outlet.execute(sql, [], options)) as unknown as BulkStatementsResult
  }

  #runBatchItem(item: BatchItem<'sqlite'>): Promise<unknown> {
    const prepared = preparedFrom(item)
    if (prepared instanceof SqlitePreparedQuery) return this.prepareAgain(prepared).execute()
    const raw = prepared && rawQueryOf(prepared)
    if (raw === undefined) {
      return invalidOption(
        'batch()',
        'queries',
        item,
        'queries of this database: builders, relational queries, db.run(sql) and its kin',
      )
    }
    return this.prepareQuery(raw, undefined, 'run', false)[raw.method]()
  }

  /** Prepares for a stream what can be streamed; undefined for anything else. */
  prepareStream(
    query: unknown,
  ): { readonly prepared: SqlitePreparedQuery; readonly rows: 'objects' | 'arrays' } | undefined {
    const prepared = preparedFrom(query)
    if (prepared instanceof SqlitePreparedQuery) {
      const isList = prepared.recipe.executeMethod === 'all'
      return isList ? { prepared: this.prepareAgain(prepared), rows: 'arrays' } : undefined
    }
    const raw = prepared && rawQueryOf(prepared)
    if (raw?.method !== 'all' && raw?.method !== 'values') return undefined
    return {
      prepared: this.prepareQuery(raw, undefined, 'all', false),
      rows: raw.method === 'all' ? 'objects' : 'arrays',
    }
  }

  /** Rolls back what `use` leaves open when it throws, and rethrows with whatever else failed attached. */
  async #onLine<T>(use: (line: SqliteSession) => Promise<T>): Promise<T> {
    if (this.#client === undefined) throw mockError()
    const line = this.#client.connect({ source: 'drizzle' })
    let result: T
    try {
      result = await use(line)
    } catch (error) {
      await line.release().catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    await line.release()
    return result
  }

  async #runOn<T>(
    line: SqliteSession,
    options: BeginOptions,
    begun: Error,
    transaction: (tx: KeelsonSqliteTransaction<TFullSchema, TSchema>) => Promise<T>,
  ): Promise<T> {
    const writes = new Set<string>()
    const { busyTimeoutMs } = this.#client!.options
    const result = await runTransaction(line, options, busyTimeoutMs, begun, (scope) =>
      transaction(this.#handle({ outlet: scope, scope, depth: 0, writes })),
    )
    if (writes.size > 0) await this.#shared.cache!.written([...writes])
    return result
  }

  /** The capability under `onEngineSession`. */
  #on(outlet: SqliteSession): OnEngineSession {
    const writes = new Set<string>()
    const part: TransactionPart = { outlet, scope: undefined, depth: 0, writes }
    return {
      session: this.#sessionOf(part),
      transaction: (depth) => this.#handle({ ...part, depth }),
      committed: async () => {
        if (writes.size > 0) await this.#shared.cache!.written([...writes])
      },
    }
  }

  #sessionOf(part: TransactionPart): SqliteDrizzleSession<TFullSchema, TSchema> {
    return new SqliteDrizzleSession<TFullSchema, TSchema>(
      this.#client,
      this.dialect,
      this.#schema,
      this.#shared,
      part,
    )
  }

  #handle(part: TransactionPart): KeelsonSqliteTransaction<TFullSchema, TSchema> {
    const session = this.#sessionOf(part)
    const tx = new KeelsonSqliteTransaction<TFullSchema, TSchema>(
      'async',
      this.dialect,
      session,
      this.#schema,
      part.depth,
    )
    if (this.#shared.cache !== undefined) tx.$cache = this.#shared.cache.handle
    return tx
  }
}

const where = 'transaction()'

function beginOptions(config: SqliteTransactionConfig = {}): BeginOptions {
  checkOptionNames(where, config, ['behavior', 'accessMode'])
  const { behavior, accessMode } = config
  if (behavior !== undefined && !['deferred', 'immediate', 'exclusive'].includes(behavior)) {
    invalidOption(where, 'behavior', behavior, "'deferred', 'immediate', 'exclusive'")
  }
  if (accessMode !== undefined && !['read only', 'read write'].includes(accessMode)) {
    invalidOption(where, 'accessMode', accessMode, "'read only', 'read write'")
  }
  if (accessMode === 'read only' && (behavior === 'immediate' || behavior === 'exclusive')) {
    throw new OptionError(
      'INVALID_OPTION',
      'behavior',
      `${where} cannot begin '${behavior}' and be 'read only': that takes the right to write. Leave \`behavior\` out.`,
    )
  }
  return { ...(behavior && { behavior }), ...(accessMode && { accessMode }) }
}

function refuseOptionsOfSavepoint(config: SqliteTransactionConfig | undefined): void {
  for (const [name, value] of Object.entries(config ?? {})) {
    if (value === undefined) continue
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `A nested transaction has no option \`${name}\`: it is a savepoint, and takes part in the transaction around it ` +
        'as that one began. Give the option to the outermost transaction().',
    )
  }
}
