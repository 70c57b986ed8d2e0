import { KeelsonError } from '@keelson/core'
import { setEntityKind } from '@keelson/core/drizzle'
import { type DriverValueEncoder, is, Many, type Query, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgDialectConfig } from 'drizzle-orm/pg-core'
import { arrayDepthOf, textKindOf } from './column-decoder.ts'
import type { FieldReadings } from './field-reading.ts'
import { PgDialect } from './internals.ts'
import { arrayTyping, isOfArray } from './parameters.ts'
import {
  buildRelationalQuery,
  type RelationalConfig,
  type RelationalResult,
} from './relational-query.ts'
import type { RelationalSelection } from './relational-selection.ts'

type Typing = ReturnType<InstanceType<typeof PgDialect>['prepareTyping']>

/**
 * Drizzle's SQL for PostgreSQL, unchanged but for relational queries. It remembers what each of these selects, which
 * Drizzle's own call of `prepareQuery()` does not tell.
 */
export class DuckDBDrizzleDialect extends PgDialect {
  static {
    setEntityKind(this, 'KeelsonDuckDBDialect')
  }

  readonly #readings: FieldReadings
  /** By the SQL object that was built, then by the query made of it. */
  readonly #selections = new WeakMap<object, RelationalSelection>()
  readonly #lists = new WeakSet<RelationalSelection>()

  constructor(config: PgDialectConfig, readings: FieldReadings) {
    super(config)
    this.#readings = readings
  }

  /** Drizzle calls it without `this`. */
  override prepareTyping(encoder: DriverValueEncoder<unknown, unknown>): Typing {
    return (isOfArray(encoder) ? arrayTyping : 'none') as Typing
  }

  override buildRelationalQueryWithoutPK(config: RelationalConfig): RelationalResult {
    const built = buildRelationalQuery(this, config)
    if (config.nestedQueryRelation === undefined) this.#selections.set(built.sql, built.selection)
    else if (is(config.nestedQueryRelation, Many)) this.#lists.add(built.selection)
    return built
  }

  override sqlToQuery(
    built: SQL,
    invokeSource?: 'indexes',
  ): ReturnType<InstanceType<typeof PgDialect>['sqlToQuery']> {
    const query = super.sqlToQuery(built, invokeSource)
    const selection = this.#selections.get(built)
    if (selection !== undefined) this.#selections.set(query, selection)
    return query
  }

  override async migrate(): Promise<void> {
    throw new KeelsonError(
      'MIGRATOR',
      "Drizzle's migrators for PostgreSQL keep their record in a table that DuckDB cannot create. Use migrate() of " +
        '@keelson/duckdb/drizzle.',
    )
  }

  /** The column in a relational query: as text where the database's options would deliver it otherwise. */
  delivered(column: PgColumn): SQL | undefined {
    const kind = textKindOf(column)
    if (kind === undefined || !this.#readings.isReshaped(kind)) return undefined
    return sql`cast(${column} as ${sql.raw(`varchar${'[]'.repeat(arrayDepthOf(column))}`)})`
  }

  /** What a relational query selects. */
  selectionOf(query: Query): RelationalSelection | undefined {
    return this.#selections.get(query)
  }

  /** Whether a relation's selection stands for a list of rows, not for one row. */
  isList(selection: RelationalSelection): boolean {
    return this.#lists.has(selection)
  }
}
