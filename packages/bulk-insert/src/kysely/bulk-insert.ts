import type {
  ExpressionBuilder,
  Insertable,
  Kysely,
  OnConflictDatabase,
  OnConflictTables,
  Selectable,
  SqlBool,
  Expression,
  UpdateObject,
  Transaction,
} from 'kysely'
import { runBulkInsert } from '../insert/run-bulk-insert.ts'
import { type CommonOptions, normaliseOptions } from '../options.ts'
import type { BulkInsertReport } from '../report.ts'
import type { StandardSchema } from '../source/standard-schema.ts'
import type { Rows } from '../source/row-source.ts'
import { KyselyHost } from './kysely-host.ts'
import { KyselyTarget } from './kysely-target.ts'

type Database<DB> = Kysely<DB> | Transaction<DB>
type Columns<DB, T extends keyof DB> = keyof Selectable<DB[T]> & string
type Condition<DB, T extends keyof DB> =
  | Expression<SqlBool>
  | ((eb: ExpressionBuilder<OnConflictDatabase<DB, T>, OnConflictTables<T>>) => Expression<SqlBool>)
type Sets<DB, T extends keyof DB> = UpdateObject<
  OnConflictDatabase<DB, T>,
  OnConflictTables<T>,
  OnConflictTables<T>
>

/** What becomes of a row whose key is there already. */
export type OnConflict<DB, T extends keyof DB> =
  | 'error'
  | 'skip'
  | {
      /** The columns of a unique index. */
      readonly target: Columns<DB, T> | readonly Columns<DB, T>[]
      /** The condition of a partial unique index. */
      readonly targetWhere?: Condition<DB, T>
      readonly skip: true
    }
  | {
      readonly target: Columns<DB, T> | readonly Columns<DB, T>[]
      readonly targetWhere?: Condition<DB, T>
      /**
       * The columns that take the new row's values, `'all'` for all that the row has beside the target, or values that may
       * use `excluded`, the new row.
       */
      readonly update:
        | readonly Columns<DB, T>[]
        | 'all'
        | Sets<DB, T>
        | ((eb: ExpressionBuilder<OnConflictDatabase<DB, T>, OnConflictTables<T>>) => Sets<DB, T>)
      /** Which of the rows that are there are updated; the others are skipped. */
      readonly where?: Condition<DB, T>
    }

export interface BulkInsertOptions<
  DB,
  T extends keyof DB,
  R extends Columns<DB, T> = Columns<DB, T>,
> extends CommonOptions<Insertable<DB[T]>> {
  /**
   * What becomes of a row whose key is there already. `'skip'` leaves the row that is there as it is, whichever unique key it
   * has met; other errors stay errors.
   * @default 'error'
   */
  readonly onConflict?: OnConflict<DB, T> | undefined
  /** Columns of inserted and updated rows to hand to `onReturned`. */
  readonly returning?: readonly R[] | undefined
  /** Is called with the rows of each statement; `firstIndex` is the position in the input of the first row it was sent. */
  readonly onReturned?:
    | ((
        rows: readonly Pick<Selectable<DB[T]>, R>[],
        info: { readonly firstIndex: number },
      ) => unknown)
    | undefined
}

/**
 * Inserts any number of rows at the engine's own speed, in bounded memory, and reports what really happened.
 *
 * By default everything or nothing is inserted, in one transaction; inside an open transaction in a savepoint of it. A key
 * that a row does not have, or has as `undefined`, means the column's default; which keys there are may differ from row to
 * row. Plugins and `withSchema` of `db` apply.
 *
 * @param db a `Kysely`, or a transaction
 * @param table the table, as `insertInto()` takes it
 * @param rows an array, anything iterable or async iterable, a Node.js `Readable` in object mode, a web `ReadableStream`; it
 *   is read no faster than the rows are inserted
 * @returns `{ attempted, inserted, updated, skipped, rejected, ... }`, with attempted as the sum of the others
 * @throws {BulkInsertError} when a row cannot be inserted, with its position and column, or anything else fails
 * @throws {OptionError} for options that are unknown, impossible or more than the engine can do; nothing is sent
 *
 * @example
 * const report = await bulkInsert(db, 'flight', rows, { onConflict: 'skip' })
 * // begin immediate
 * // insert into "flight" ("id", "origin") values (?, ?), (?, ?), ... on conflict do nothing
 * // commit
 * report.inserted // 230_001
 * report.skipped // 1_082
 */
export async function bulkInsert<
  DB,
  T extends keyof DB & string,
  R extends Columns<DB, T> = Columns<DB, T>,
>(
  db: Database<DB>,
  table: T,
  rows: Rows<Insertable<DB[T]>>,
  options?: BulkInsertOptions<DB, T, R>,
): Promise<BulkInsertReport<Insertable<DB[T]>>>
/** With `validate` the rows may be anything. */
export async function bulkInsert<
  DB,
  T extends keyof DB & string,
  R extends Columns<DB, T> = Columns<DB, T>,
>(
  db: Database<DB>,
  table: T,
  rows: Rows<unknown>,
  options: BulkInsertOptions<DB, T, R> & {
    readonly validate: StandardSchema<Insertable<DB[T]>>
  },
): Promise<BulkInsertReport<Insertable<DB[T]>>>
export async function bulkInsert(
  db: Database<any>,
  table: string,
  rows: unknown,
  options: object = {},
): Promise<BulkInsertReport<any>> {
  const normalised = normaliseOptions(options)
  const host = new KyselyHost(db, 'bulkInsert()')
  const target = new KyselyTarget(db, table, host.traits.engine === 'mysql')
  return runBulkInsert(host, target, rows, normalised)
}
