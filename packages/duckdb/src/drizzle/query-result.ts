import type { Assume } from 'drizzle-orm'
import type { PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { DuckDBResult } from '../contract.ts'

/**
 * What a statement answers that is not mapped to the rows of a selection: `db.execute(sql)`, and writes without
 * `returning()`. The names are those of node-postgres.
 *
 * @example
 * const { rowCount } = await db.insert(users).values(rows).onConflictDoNothing()
 * // insert into "users" (...) values (...), (...) on conflict do nothing
 * // 1 where one of two rows was there already
 */
export interface DuckDBQueryResult<Row = Record<string, unknown>> {
  /** One object per row, with values as the database's options say; empty for statements that return none. */
  readonly rows: Row[]
  /**
   * Rows that the statement inserted, updated, deleted, merged or copied, as DuckDB counts them; for one that only reads,
   * the rows it returned. `null` for what does neither: DDL, settings.
   */
  readonly rowCount: number | null
  /** The columns of the rows, in order. */
  readonly fields: readonly { readonly name: string }[]
}

export interface DuckDBQueryResultHKT extends PgQueryResultHKT {
  type: DuckDBQueryResult<Assume<this['row'], Record<string, unknown>>>
}

export function toQueryResult<Row>({
  rows,
  columns,
  changes,
}: DuckDBResult<Row>): DuckDBQueryResult<Row> {
  return {
    rows,
    rowCount: changes ?? (columns.length === 0 ? null : rows.length),
    fields: columns.map((name) => ({ name })),
  }
}
