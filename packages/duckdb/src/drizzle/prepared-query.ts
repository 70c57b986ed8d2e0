import {
  queryError,
  setEntityKind,
  type JoinNullability,
  type QueryCache,
  type QueryMetadata,
  type RowMapper,
  type Selected,
  type StatementLog,
} from '@keelson/core/drizzle'
import type { Query } from 'drizzle-orm'
import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'
import type { PreparedQueryConfig } from 'drizzle-orm/pg-core'
import type { DuckDBResult, ExecuteOptions, StreamOptions } from '../contract.ts'
import type { FieldReadings, SelectionReading } from './field-reading.ts'
import { PgPreparedQuery } from './internals.ts'
import type { DatabaseOutlet, Outlet } from './outlet.ts'
import { parametersOf } from './parameters.ts'
import { toQueryResult } from './query-result.ts'
import type { RelationalRows } from './relational-rows.ts'

/** What the sessions of one `drizzle()` call share. */
export interface SharedParts {
  /** For statements outside a transaction, and for transactions to begin. */
  readonly database: Pick<DatabaseOutlet, keyof DatabaseOutlet>
  readonly log: StatementLog | undefined
  readonly cache: QueryCache | undefined
  readonly readings: FieldReadings
}

/** What a query builder hands over to have a query prepared. */
export interface QueryRecipe {
  readonly query: Query
  readonly fields: readonly Selected[] | undefined
  readonly name: string | undefined
  readonly isResponseInArrayMode: boolean
  readonly customResultMapper: ((rows: unknown[][]) => unknown) | undefined
  readonly queryMetadata: QueryMetadata | undefined
  readonly cacheConfig: WithCacheConfig | undefined
}

const objects: ExecuteOptions = Object.freeze({ rows: 'objects' })

/** Rows of related tables hold integers of which only a bigint keeps every digit. */
const relational: ExecuteOptions = Object.freeze({
  rows: 'arrays',
  values: Object.freeze({ int64: 'bigint' }),
})

/** A query of one session; DuckDB's own prepared statements are cached by the database, by their text. */
export class DuckDBPreparedQuery<T extends PreparedQueryConfig = PreparedQueryConfig>
  extends PgPreparedQuery<T>
  implements JoinNullability
{
  static {
    setEntityKind(this, 'KeelsonDuckDBPreparedQuery')
  }

  readonly recipe: QueryRecipe
  declare joinsNotNullableMap?: Record<string, boolean>
  readonly #outlet: Outlet
  readonly #shared: SharedParts
  readonly #writes: Set<string> | undefined
  readonly #relational: RelationalRows | undefined
  #reading: SelectionReading | undefined
  #mapper: RowMapper | undefined

  /** @param writes where a transaction collects the tables it has written, for the cache */
  constructor(
    recipe: QueryRecipe,
    outlet: Outlet,
    shared: SharedParts,
    writes: Set<string> | undefined,
    relationalRows: RelationalRows | undefined,
  ) {
    super(recipe.query, undefined, undefined)
    this.recipe = recipe
    this.#outlet = outlet
    this.#shared = shared
    this.#writes = writes
    this.#relational = relationalRows
  }

  override async execute(placeholderValues?: Record<string, unknown>): Promise<T['execute']> {
    const parameters = this.#parameters(placeholderValues)
    return this.isMapped
      ? this.map(await this.#arrays(parameters))
      : toQueryResult(await this.#execute(parameters, objects))
  }

  /** The rows alone. Part of every prepared query of Drizzle's, though not of its types. */
  async all(placeholderValues?: Record<string, unknown>): Promise<T['all']> {
    const parameters = this.#parameters(placeholderValues)
    return this.isMapped
      ? this.map(await this.#arrays(parameters))
      : (await this.#execute(parameters, objects)).rows
  }

  /** Turns array rows into the result. */
  map(rows: unknown[][]): unknown {
    if (this.#relational !== undefined) {
      const found = this.#relational(rows)
      return this.isList ? found : found[0]
    }
    if (this.recipe.customResultMapper !== undefined) return this.recipe.customResultMapper(rows)
    // Only now: a select builder sets `joinsNotNullableMap` after it has had the query prepared.
    this.#mapper ??= this.#selection.mappers.for(this.recipe.fields!, this.joinsNotNullableMap)
    return this.#mapper(rows)
  }

  /** Whether the result is a list of rows, and not the one row of `findFirst()` or the counts of a write. */
  get isList(): boolean {
    const { customResultMapper, fields } = this.recipe
    return customResultMapper === undefined
      ? fields !== undefined
      : Array.isArray(customResultMapper([]))
  }

  /**
   * Streams the rows in chunks: as arrays ready for `map()`, or as objects where there is nothing to map.
   *
   * @throws the signal's reason
   */
  async *stream(options: StreamOptions): AsyncGenerator<unknown[], void> {
    const parameters = this.#parameters(undefined)
    const { sql } = this.recipe.query
    try {
      yield* this.#outlet.stream<unknown>(sql, parameters, {
        ...(this.isMapped ? this.#options : objects),
        ...options,
      })
    } catch (error) {
      const { signal } = options
      throw signal?.aborted === true && error === signal.reason
        ? error
        : queryError(sql, parameters, error)
    }
  }

  /** Whether there is a selection to map rows to; raw SQL has none. */
  get isMapped(): boolean {
    return this.recipe.fields !== undefined || this.recipe.customResultMapper !== undefined
  }

  /** Part of every prepared query of Drizzle's, though not of its types. */
  isResponseInArrayMode(): boolean {
    return this.recipe.isResponseInArrayMode
  }

  get #selection(): SelectionReading {
    this.#reading ??= this.#shared.readings.for(this.recipe.fields!)
    return this.#reading
  }

  get #options(): ExecuteOptions {
    return this.recipe.fields === undefined ? relational : this.#selection.options
  }

  #parameters(placeholderValues: Record<string, unknown> | undefined): unknown[] {
    const { query } = this.recipe
    const parameters = parametersOf(query, placeholderValues ?? {})
    this.#shared.log?.statement(query.sql, parameters)
    return parameters
  }

  async #arrays(parameters: unknown[]): Promise<unknown[][]> {
    const { cache } = this.#shared
    const { query, queryMetadata, cacheConfig } = this.recipe
    const read = async (): Promise<unknown[][]> =>
      (await this.#execute<unknown[]>(parameters, this.#options)).rows
    // A transaction sees its own writes, which are nobody else's business yet: it neither asks the cache nor feeds it.
    const config =
      this.#writes === undefined ? cache?.configFor(queryMetadata, cacheConfig) : undefined
    if (config === undefined) return read()
    return cache!.read(query.sql, parameters, queryMetadata!.tables, config, read)
  }

  async #execute<Row>(parameters: unknown[], options: ExecuteOptions): Promise<DuckDBResult<Row>> {
    const { query, queryMetadata } = this.recipe
    let result: DuckDBResult<Row>
    try {
      result = await this.#outlet.execute<Row>(query.sql, parameters, options)
    } catch (error) {
      throw queryError(query.sql, parameters, error)
    }
    if (
      this.#shared.cache !== undefined &&
      queryMetadata !== undefined &&
      queryMetadata.type !== 'select'
    ) {
      await this.#noteWrite(queryMetadata.tables)
    }
    return result
  }

  async #noteWrite(tables: string[]): Promise<void> {
    if (this.#writes !== undefined) for (const table of tables) this.#writes.add(table)
    else if (tables.length > 0) await this.#shared.cache!.written(tables)
  }
}
