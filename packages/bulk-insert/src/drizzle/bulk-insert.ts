import type { InferInsertModel, InferSelectModel, SQL, Table } from 'drizzle-orm'
import { runBulkInsert } from '../insert/run-bulk-insert.ts'
import { type CommonOptions, normaliseOptions } from '../options.ts'
import type { BulkInsertReport } from '../report.ts'
import type { StandardSchema } from '../source/standard-schema.ts'
import type { Rows } from '../source/row-source.ts'
import { DrizzleTarget } from './drizzle-target.ts'
import { type AnyDatabase, hostOf } from './host-of.ts'

type Columns<T extends Table> = keyof InferSelectModel<T> & string
type Sets<T extends Table> = {
  readonly [K in keyof InferInsertModel<T>]?: InferInsertModel<T>[K] | SQL
}

/** What becomes of a row whose key is there already. */
export type OnConflict<T extends Table> =
  | 'error'
  | 'skip'
  | {
      /** The columns of a unique index. */
      readonly target: Columns<T> | readonly Columns<T>[]
      /** The condition of a partial unique index. */
      readonly targetWhere?: SQL
      readonly skip: true
    }
  | {
      readonly target: Columns<T> | readonly Columns<T>[]
      readonly targetWhere?: SQL
      /**
       * The columns that take the new row's values, `'all'` for all that the row has beside the target, or values; a
       * function gets the new row, whose columns can be used in SQL. `$onUpdateFn` applies. What `$defaultFn` fills in is for
       * new rows, and none of `'all'`.
       */
      readonly update:
        | readonly Columns<T>[]
        | 'all'
        | Sets<T>
        | ((excluded: Readonly<Record<Columns<T>, SQL>>) => Sets<T>)
      /** Which of the rows that are there are updated; the others are skipped. */
      readonly where?: SQL
    }

export interface BulkInsertOptions<
  T extends Table,
  R extends Columns<T> = Columns<T>,
> extends CommonOptions<InferInsertModel<T>> {
  /**
   * What becomes of a row whose key is there already. `'skip'` leaves the row that is there as it is, whichever unique key it
   * has met; other errors stay errors.
   * @default 'error'
   */
  readonly onConflict?: OnConflict<T> | undefined
  /** Columns of inserted and updated rows to hand to `onReturned`. */
  readonly returning?: readonly R[] | undefined
  /** Is called with the rows of each statement; `firstIndex` is the position in the input of the first row it was sent. */
  readonly onReturned?:
    | ((
        rows: readonly Pick<InferSelectModel<T>, R>[],
        info: { readonly firstIndex: number },
      ) => unknown)
    | undefined
}

/**
 * Inserts any number of rows at the engine's own speed, in bounded memory, and reports what really happened.
 *
 * By default everything or nothing is inserted, in one transaction; inside an open transaction in a savepoint of it. A key
 * that a row does not have, or has as `undefined`, means the column's default; which keys there are may differ from row to
 * row. The table's encoders, `$defaultFn`, `$onUpdateFn` and the database's `casing` apply. better-sqlite3 under Drizzle is
 * synchronous: there a transaction takes its rows from an array or an iterable, and keeps the thread until it is over.
 *
 * @param db what `drizzle()` has returned, or a transaction
 * @param table the table; its dialect is the database's
 * @param rows an array, anything iterable or async iterable, a Node.js `Readable` in object mode, a web `ReadableStream`; it
 *   is read no faster than the rows are inserted
 * @returns `{ attempted, inserted, updated, skipped, rejected, ... }`, with attempted as the sum of the others
 * @throws {BulkInsertError} when a row cannot be inserted, with its position and column, or anything else fails
 * @throws {OptionError} for options that are unknown, impossible or more than the engine can do; nothing is sent
 *
 * @example
 * const report = await bulkInsert(db, flights, rows, { onConflict: 'skip' })
 * // begin immediate
 * // insert into "flight" ("id", "origin") values (?, ?), (?, ?), ... on conflict do nothing
 * // commit
 * report.inserted // 230_001
 * report.skipped // 1_082
 */
export async function bulkInsert<T extends Table, R extends Columns<T> = Columns<T>>(
  db: AnyDatabase,
  table: T,
  rows: Rows<InferInsertModel<T>>,
  options?: BulkInsertOptions<T, R>,
): Promise<BulkInsertReport<InferInsertModel<T>>>
/** With `validate` the rows may be anything. */
export async function bulkInsert<T extends Table, R extends Columns<T> = Columns<T>>(
  db: AnyDatabase,
  table: T,
  rows: Rows<unknown>,
  options: BulkInsertOptions<T, R> & {
    readonly validate: StandardSchema<InferInsertModel<T>>
  },
): Promise<BulkInsertReport<InferInsertModel<T>>>
export async function bulkInsert(
  db: AnyDatabase,
  table: Table,
  rows: unknown,
  options: object = {},
): Promise<BulkInsertReport<any>> {
  const normalised = normaliseOptions(options)
  const host = hostOf(db, 'bulkInsert()')
  const target = new DrizzleTarget(table, host.dialect, host.traits.engine)
  return runBulkInsert(host, target, rows, normalised)
}
