import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'

/** A Drizzle database, or the handle of one of its transactions. */
export interface AnyDatabase {
  transaction(fn: (tx: any) => any, config?: any): any
}

/** One whose statements run at once, as over better-sqlite3. */
export type SyncDrizzleDatabase = BaseSQLiteDatabase<'sync', any, any, any>

/** One whose statements are awaited. */
export type AsyncDatabase<Db> = Db extends SyncDrizzleDatabase ? never : Db

/** What the callback of `db.transaction()` gets: the driver's own type of a transaction. */
export type TransactionOf<Db extends AnyDatabase> = Parameters<Parameters<Db['transaction']>[0]>[0]

/** Anything but a promise. */
export type NotAwaited =
  | (object & { readonly then?: never })
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  // oxlint-disable-next-line typescript/no-invalid-void-type -- a callback that returns nothing
  | void
