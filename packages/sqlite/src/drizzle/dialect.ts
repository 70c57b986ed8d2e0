import { setEntityKind } from '@keelson/core/drizzle'
import { is, Many, type Query, type SQL } from 'drizzle-orm'
import type { BuildRelationalQueryResult } from 'drizzle-orm/relations'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { SQLiteAsyncDialect } from './internals.ts'

/** What a relational query selects, column by column, with related rows as one column of JSON. */
export type RelationalSelection = BuildRelationalQueryResult['selection']

type RelationalConfig = Parameters<SQLiteAsyncDialectType['buildRelationalQuery']>[0]
type SQLiteAsyncDialectType = InstanceType<typeof SQLiteAsyncDialect>

/**
 * Drizzle's SQL for SQLite, unchanged. It remembers what each relational query selects, which Drizzle's own call of
 * `prepareQuery()` does not tell.
 */
export class SqliteDrizzleDialect extends SQLiteAsyncDialect {
  static {
    setEntityKind(this, 'KeelsonSqliteDialect')
  }

  /** By the SQL object that was built, then by the query made of it. */
  readonly #selections = new WeakMap<object, RelationalSelection>()
  readonly #lists = new WeakSet<RelationalSelection>()

  override buildRelationalQuery(
    config: RelationalConfig,
  ): BuildRelationalQueryResult<SQLiteTable, SQLiteColumn> {
    const built = super.buildRelationalQuery(config)
    if (config.nestedQueryRelation === undefined) this.#selections.set(built.sql, built.selection)
    else if (is(config.nestedQueryRelation, Many)) this.#lists.add(built.selection)
    return built
  }

  override sqlToQuery(
    sql: SQL,
    invokeSource?: 'indexes',
  ): ReturnType<SQLiteAsyncDialectType['sqlToQuery']> {
    const query = super.sqlToQuery(sql, invokeSource)
    const selection = this.#selections.get(sql)
    if (selection !== undefined) this.#selections.set(query, selection)
    return query
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
