import {
  queryError,
  setEntityKind,
  type JoinNullability,
  type QueryCache,
  type QueryMetadata,
  type RowMapper,
  type RowMappers,
  type StatementLog,
} from '@keelson/core/drizzle'
import { fillPlaceholders, type Query } from 'drizzle-orm'
import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'
import type {
  PreparedQueryConfig,
  SelectedFieldsOrdered,
  SQLiteExecuteMethod,
} from 'drizzle-orm/sqlite-core'
import type { ExecuteOptions, Int64Policy, SqliteResult, StreamOptions } from '../contract.ts'
import { SQLitePreparedQuery } from './internals.ts'
import type { Outlet } from './outlet.ts'
import type { PlainSelections } from './plain-selection.ts'
import type { RelationalRows } from './relational-rows.ts'
import { toRunResult, type RunResult } from './run-result.ts'

/** What the sessions of one `drizzle()` call share. */
export interface SharedParts {
  /** For statements outside a transaction. */
  readonly outlet: Outlet
  readonly int64: Int64Policy
  readonly log: StatementLog | undefined
  readonly cache: QueryCache | undefined
  readonly mappers: RowMappers
  /** undefined where column names in SQL are not those of the schema: with `casing`, or integers by another policy. */
  readonly plain: PlainSelections | undefined
}

/** What a query builder hands over to have a query prepared. */
export interface QueryRecipe {
  readonly query: Query
  readonly fields: SelectedFieldsOrdered | undefined
  readonly executeMethod: SQLiteExecuteMethod
  readonly isResponseInArrayMode: boolean
  readonly customResultMapper: ((rows: unknown[][]) => unknown) | undefined
  readonly queryMetadata: QueryMetadata | undefined
  readonly cacheConfig: WithCacheConfig | undefined
}

const objects: ExecuteOptions = Object.freeze({ rows: 'objects' })
const firstObject: ExecuteOptions = Object.freeze({ rows: 'objects', first: true })
const arrays: ExecuteOptions = Object.freeze({ rows: 'arrays' })
const firstArray: ExecuteOptions = Object.freeze({ rows: 'arrays', first: true })

/** A query of one session; SQLite's own prepared statements are cached by the database, by their text. */
export class SqlitePreparedQuery<T extends PreparedQueryConfig = PreparedQueryConfig>
  extends SQLitePreparedQuery<{
    type: 'async'
    run: RunResult
    all: T['all']
    get: T['get']
    values: T['values']
    execute: T['execute']
  }>
  implements JoinNullability
{
  static {
    setEntityKind(this, 'KeelsonSqlitePreparedQuery')
  }

  readonly recipe: QueryRecipe
  declare joinsNotNullableMap?: Record<string, boolean>
  readonly #outlet: Outlet
  readonly #shared: SharedParts
  readonly #writes: Set<string> | undefined
  readonly #relational: RelationalRows | undefined
  #mapper: RowMapper | undefined

  /** @param writes where a transaction collects the tables it has written, for the cache */
  constructor(
    recipe: QueryRecipe,
    outlet: Outlet,
    shared: SharedParts,
    writes: Set<string> | undefined,
    relational: RelationalRows | undefined,
  ) {
    super('async', recipe.executeMethod, recipe.query)
    this.recipe = recipe
    this.#outlet = outlet
    this.#shared = shared
    this.#writes = writes
    this.#relational = relational
  }

  async run(placeholderValues?: Record<string, unknown>): Promise<RunResult> {
    return toRunResult(
      await this.#execute(this.#parameters(placeholderValues), objects),
      this.#shared.int64,
    )
  }

  async all(placeholderValues?: Record<string, unknown>): Promise<T['all']> {
    const parameters = this.#parameters(placeholderValues)
    if (!this.isMapped) return (await this.#execute(parameters, objects)).rows
    const keys = this.#plainKeys()
    if (keys !== undefined) {
      const { rows } = await this.#execute(parameters, objects)
      if (this.#shared.plain!.confirm(this.recipe.query.sql, keys, rows)) return rows
    }
    return this.map(await this.#arrays(parameters, arrays))
  }

  async get(placeholderValues?: Record<string, unknown>): Promise<T['get']> {
    const parameters = this.#parameters(placeholderValues)
    if (!this.isMapped) return (await this.#execute(parameters, firstObject)).rows[0]
    const rows = await this.#arrays(parameters, firstArray)
    if (rows.length === 0) return undefined
    const mapped = this.map([rows[0]!])
    // The mapper of a relational `findFirst()` returns the row itself.
    return this.recipe.customResultMapper === undefined ? (mapped as unknown[])[0] : mapped
  }

  async values(placeholderValues?: Record<string, unknown>): Promise<T['values']> {
    return this.#arrays(this.#parameters(placeholderValues), arrays)
  }

  /** Turns array rows into the result; changes those of relational queries. */
  map(rows: unknown[][]): unknown {
    const { customResultMapper, fields } = this.recipe
    if (customResultMapper !== undefined) {
      this.#relational?.(rows)
      return customResultMapper(rows)
    }
    // Only now: a select builder sets `joinsNotNullableMap` after it has had the query prepared.
    this.#mapper ??= this.#shared.mappers.for(fields!, this.joinsNotNullableMap)
    return this.#mapper(rows)
  }

  /**
   * Streams the rows in chunks, as arrays ready for `map()`, or as `rows` says where there is nothing to map.
   *
   * @throws the signal's reason
   */
  async *stream(
    rows: 'objects' | 'arrays',
    options: StreamOptions,
  ): AsyncGenerator<unknown[], void> {
    const parameters = this.#parameters(undefined)
    const { sql } = this.recipe.query
    try {
      yield* this.#outlet.stream<unknown>(sql, parameters, {
        ...options,
        rows: this.isMapped ? 'arrays' : rows,
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

  /** Only reads, since one that turns out not to be plain is run again. */
  #plainKeys(): readonly string[] | undefined {
    const { fields, customResultMapper, queryMetadata, query } = this.recipe
    const { plain, cache } = this.#shared
    if (plain === undefined || cache !== undefined || fields === undefined) return undefined
    if (customResultMapper !== undefined || queryMetadata?.type !== 'select') return undefined
    return plain.keysOf(query.sql, fields)
  }

  #parameters(placeholderValues: Record<string, unknown> | undefined): unknown[] {
    const { query } = this.recipe
    const parameters = fillPlaceholders(query.params, placeholderValues ?? {})
    this.#shared.log?.statement(query.sql, parameters)
    return parameters
  }

  async #arrays(parameters: unknown[], options: ExecuteOptions): Promise<unknown[][]> {
    const { cache } = this.#shared
    const { query, queryMetadata, cacheConfig } = this.recipe
    // A transaction sees its own writes, which are nobody else's business yet: it neither asks the cache nor feeds it.
    const config =
      this.#writes === undefined ? cache?.configFor(queryMetadata, cacheConfig) : undefined
    if (config === undefined) return (await this.#execute<unknown[]>(parameters, options)).rows
    return cache!.read(query.sql, parameters, queryMetadata!.tables, config, async () => {
      return (await this.#execute<unknown[]>(parameters, arrays)).rows
    })
  }

  async #execute<Row>(parameters: unknown[], options: ExecuteOptions): Promise<SqliteResult<Row>> {
    const { query, queryMetadata } = this.recipe
    let result: SqliteResult<Row>
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
