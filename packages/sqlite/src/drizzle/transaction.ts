import { setEntityKind } from '@keelson/core/drizzle'
import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type {
  SQLiteTransaction as DrizzleTransaction,
  SQLiteTransactionConfig,
} from 'drizzle-orm/sqlite-core'
import type { TablesRelationalConfig } from 'drizzle-orm/relations'
import type { TransactionBehavior } from '../contract.ts'
import { SQLiteTransaction } from './internals.ts'
import type { RunResult } from './run-result.ts'

/** How a transaction begins. */
export interface SqliteTransactionConfig extends SQLiteTransactionConfig {
  /**
   * How SQLite takes its locks. `'immediate'` reserves the right to write at once, so that no statement fails half-way
   * because another process wrote meanwhile. https://www.sqlite.org/lang_transaction.html
   * @default the database's `behavior` option, which is `'immediate'` unless set
   */
  behavior?: TransactionBehavior
  /**
   * `'read only'` refuses to write, sees one snapshot, and keeps no writer waiting: a database in a file runs it on a
   * read connection.
   * @default 'read write'
   */
  accessMode?: 'read only' | 'read write'
}

/**
 * The handle that the callback of `db.transaction()` works with: everything a database has, inside the transaction.
 *
 * It belongs to that callback. Once the callback has returned, using the handle throws `TransactionClosedError` and
 * nothing is sent. While a nested transaction is open, statements of this handle wait until it has ended.
 */
export class KeelsonSqliteTransaction<
  TFullSchema extends Record<string, unknown> = Record<string, never>,
  TSchema extends TablesRelationalConfig = ExtractTablesWithRelations<TFullSchema>,
> extends SQLiteTransaction<'async', RunResult, TFullSchema, TSchema> {
  static {
    setEntityKind(this, 'KeelsonSqliteTransaction')
  }

  /**
   * Runs `transaction` in a savepoint: what it wrote is undone when it throws, and the transaction around it goes on if
   * the error is caught there.
   *
   * Nested transactions started side by side (`Promise.all`) run one after the other, in order.
   *
   * @param config for Drizzle's types; a savepoint has no options, and giving one throws `OptionError`
   * @throws {ConnectionBusyError} when it waited `busyTimeoutMs` for another nested transaction to end
   * @throws whatever `transaction` throws, the same object
   *
   * @example
   * await db.transaction(async (tx) => {
   *   await tx.insert(orders).values(order)
   *   await tx.transaction((tx2) => tx2.insert(rewards).values(reward)).catch(report)
   * })
   * // begin immediate
   * // insert into "orders" ...
   * // savepoint "keelson_1"
   * // insert into "rewards" ...
   * // release "keelson_1"         or: rollback to "keelson_1", release "keelson_1"
   * // commit
   */
  override transaction<T>(
    transaction: (tx: KeelsonSqliteTransaction<TFullSchema, TSchema>) => Promise<T>,
    config?: undefined,
  ): Promise<T> {
    return super.transaction(
      transaction as (
        tx: DrizzleTransaction<'async', RunResult, TFullSchema, TSchema>,
      ) => Promise<T>,
      config,
    )
  }
}
