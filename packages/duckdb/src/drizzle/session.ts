import {
  attachSuppressed,
  bulkIngest,
  type BulkIngestRequest,
  type BulkIngestResult,
  captureCallSite,
  databaseOf,
  type EngineSession,
  invalidOption,
  onEngineSession,
} from '@keelson/core'
import { exactNumber, preparedFrom, setEntityKind, type QueryMetadata } from '@keelson/core/drizzle'
import type { Query, SQL } from 'drizzle-orm'
import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'
import type { PgTransactionConfig, PreparedQueryConfig } from 'drizzle-orm/pg-core'
import type { RelationalSchemaConfig, TablesRelationalConfig } from 'drizzle-orm/relations'
import type { DuckDBSession } from '../contract.ts'
import type { DuckDBDrizzleDialect } from './dialect.ts'
import { PgSession, rawQueryOf } from './internals.ts'
import type { Outlet } from './outlet.ts'
import { DuckDBPreparedQuery, type QueryRecipe, type SharedParts } from './prepared-query.ts'
import type { DuckDBQueryResultHKT } from './query-result.ts'
import { relationalRows } from './relational-rows.ts'
import { TransactionScope } from './scope.ts'
import { KeelsonDuckDBTransaction } from './transaction.ts'
import { beginOptions } from './transaction-config.ts'

/** A transaction that a session belongs to. */
interface TransactionPart {
  /** Where its statements go. */
  readonly outlet: Outlet
  /** Undefined where something else decides what may be sent. */
  readonly scope: TransactionScope | undefined
  /** The tables written in it, to be dropped from the cache once it is committed. */
  readonly writes: Set<string>
}

type Schema<TSchema extends TablesRelationalConfig> = RelationalSchemaConfig<TSchema> | undefined

/** How Drizzle speaks through a session of the engine's that something else has begun a transaction on. */
interface OnEngineSession {
  readonly session: DuckDBDrizzleSession<any, any>
  /** A handle over a session of its own. */
  readonly transaction: (depth: number) => KeelsonDuckDBTransaction<any, any>
  /** Tells the cache which tables were written, once they are committed. */
  readonly committed: () => Promise<void>
}

/** What a Drizzle database or transaction of this driver sends its queries through. */
export class DuckDBDrizzleSession<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig,
> extends PgSession<DuckDBQueryResultHKT, TFullSchema, TSchema> {
  static {
    setEntityKind(this, 'KeelsonDuckDBSession')
    // --isolatedDeclarations lets no member of a class be named by a symbol.
    Object.defineProperty(this.prototype, bulkIngest, {
      value(this: DuckDBDrizzleSession<any, any>, request: BulkIngestRequest) {
        return this.ingest(request)
      },
    })
    Object.defineProperty(this.prototype, databaseOf, {
      value(this: DuckDBDrizzleSession<any, any>) {
        return this.#shared.database.client
      },
    })
    Object.defineProperty(this.prototype, onEngineSession, {
      value(this: DuckDBDrizzleSession<any, any>, session: EngineSession) {
        return this.#on(session as DuckDBSession)
      },
    })
  }

  declare protected readonly dialect: DuckDBDrizzleDialect
  readonly #schema: Schema<TSchema>
  readonly #shared: SharedParts
  readonly #part: TransactionPart | undefined

  constructor(
    dialect: DuckDBDrizzleDialect,
    schema: Schema<TSchema>,
    shared: SharedParts,
    part?: TransactionPart,
  ) {
    super(dialect)
    this.#schema = schema
    this.#shared = shared
    this.#part = part
  }

  get isTransaction(): boolean {
    return this.#part !== undefined
  }

  override prepareQuery<T extends PreparedQueryConfig = PreparedQueryConfig>(
    query: Query,
    fields: QueryRecipe['fields'],
    name: string | undefined,
    isResponseInArrayMode: boolean,
    customResultMapper?: QueryRecipe['customResultMapper'],
    queryMetadata?: QueryMetadata,
    cacheConfig?: WithCacheConfig,
  ): DuckDBPreparedQuery<T> {
    const selection = customResultMapper && this.dialect.selectionOf(query)
    return new DuckDBPreparedQuery<T>(
      {
        query,
        fields,
        name,
        isResponseInArrayMode,
        customResultMapper,
        queryMetadata,
        cacheConfig,
      },
      this.#part?.outlet ?? this.#shared.database,
      this.#shared,
      this.#part?.writes,
      selection && relationalRows(selection, this.dialect, this.#shared.readings),
    )
  }

  /** Prepares anew, for this session, what another one has prepared. */
  #prepareAgain({ recipe, joinsNotNullableMap }: DuckDBPreparedQuery): DuckDBPreparedQuery {
    const prepared = this.prepareQuery(
      recipe.query,
      recipe.fields,
      recipe.name,
      recipe.isResponseInArrayMode,
      recipe.customResultMapper,
      recipe.queryMetadata,
      recipe.cacheConfig,
    )
    if (joinsNotNullableMap !== undefined) prepared.joinsNotNullableMap = joinsNotNullableMap
    return prepared
  }

  /** Prepares for a stream what can be streamed; undefined for anything else. */
  prepareStream(query: unknown): DuckDBPreparedQuery | undefined {
    const prepared = preparedFrom(query)
    if (prepared instanceof DuckDBPreparedQuery) {
      if (!prepared.isList) return undefined
      const { customResultMapper, query: built } = prepared.recipe
      if (customResultMapper !== undefined && this.dialect.selectionOf(built) === undefined)
        invalidOption('stream()', 'query', query, 'a relational query of the same database as `db`')
      return this.#prepareAgain(prepared)
    }
    const raw = prepared && rawQueryOf(prepared)
    return raw && this.prepareQuery(raw, undefined, undefined, false)
  }

  /** The capability under `bulkIngest`. */
  ingest(request: BulkIngestRequest): Promise<BulkIngestResult> {
    return (this.#part?.outlet ?? this.#shared.database).ingest(request)
  }

  override async count(query: SQL): Promise<number> {
    const [row] = await this.all<{ count: unknown }>(query)
    return exactNumber(row?.count, 'count(*)') as number
  }

  /** Runs `transaction` in a transaction; where the session belongs to one, refuses to. */
  override async transaction<T>(
    transaction: (tx: KeelsonDuckDBTransaction<TFullSchema, TSchema>) => Promise<T>,
    config?: PgTransactionConfig,
  ): Promise<T> {
    if (this.#part !== undefined) throw this.#part.scope!.nestingError()
    if (typeof transaction !== 'function') {
      invalidOption('transaction()', 'transaction', transaction, 'an async function')
    }
    const options = beginOptions(config)
    const begun = captureCallSite()
    const line = await this.#shared.database.connect()
    const writes = new Set<string>()
    let result: T
    try {
      await line.begin(options)
      const scope = new TransactionScope(line, begun)
      try {
        result = await transaction(this.#handle({ outlet: scope, scope, writes }))
        await scope.end()
      } finally {
        scope.close()
      }
      await line.commit()
    } catch (error) {
      // Rolls back what is still open.
      await line.release().catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    await line.release()
    if (writes.size > 0) await this.#shared.cache!.written([...writes])
    return result
  }

  /** The capability under `onEngineSession`. */
  #on(outlet: DuckDBSession): OnEngineSession {
    const writes = new Set<string>()
    const part: TransactionPart = { outlet, scope: undefined, writes }
    return {
      session: this.#sessionOf(part),
      transaction: () => this.#handle(part),
      committed: async () => {
        if (writes.size > 0) await this.#shared.cache!.written([...writes])
      },
    }
  }

  #sessionOf(part: TransactionPart): DuckDBDrizzleSession<TFullSchema, TSchema> {
    return new DuckDBDrizzleSession<TFullSchema, TSchema>(
      this.dialect,
      this.#schema,
      this.#shared,
      part,
    )
  }

  #handle(part: TransactionPart): KeelsonDuckDBTransaction<TFullSchema, TSchema> {
    const session = this.#sessionOf(part)
    const tx = new KeelsonDuckDBTransaction<TFullSchema, TSchema>(
      this.dialect,
      session,
      this.#schema,
    )
    if (this.#shared.cache !== undefined) tx.$cache = this.#shared.cache.handle
    return tx
  }
}
