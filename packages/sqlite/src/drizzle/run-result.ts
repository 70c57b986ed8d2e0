import type { Int64Policy, SqliteResult } from '../contract.ts'

/**
 * What a statement that returns no rows answers: the names are better-sqlite3's, the values are those of this very
 * statement and never left over from an earlier one.
 *
 * @example
 * const { changes, lastInsertRowid } = await db.insert(users).values({ name: 'Ada' }).onConflictDoNothing()
 * // insert into "users" ("id", "name") values (null, ?) on conflict do nothing
 * // { changes: 1, lastInsertRowid: 1 }, or { changes: 0, lastInsertRowid: undefined } when the row was skipped
 */
export interface RunResult {
  /**
   * Rows that the statement itself inserted, updated or deleted, without those of triggers and foreign-key actions;
   * 0 for statements that do none of these (reads, DDL, PRAGMA).
   */
  readonly changes: number
  /**
   * The rowid of the last row that this statement inserted, exactly: a number where it fits, else a bigint (always a
   * bigint under `int64: 'bigint'`). `undefined` when the statement inserted no row (a skipped insert, an upsert that
   * updated, UPDATE, DELETE, DDL) or its table has no rowid.
   */
  readonly lastInsertRowid: number | bigint | undefined
}

export function toRunResult(
  { changes = 0, insertId }: SqliteResult<unknown>,
  int64: Int64Policy,
): RunResult {
  if (insertId === undefined || int64 === 'bigint') return { changes, lastInsertRowid: insertId }
  const number = Number(insertId)
  return { changes, lastInsertRowid: Number.isSafeInteger(number) ? number : insertId }
}
