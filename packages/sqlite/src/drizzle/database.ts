import { sessionOf, setEntityKind } from '@keelson/core/drizzle'
import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import type { RelationalSchemaConfig } from 'drizzle-orm/relations'
import type { SQLiteTransaction } from 'drizzle-orm/sqlite-core'
import type { SqliteDatabase } from '../database.ts'
import type { SqliteDrizzleDialect } from './dialect.ts'
import { BaseSQLiteDatabase } from './internals.ts'
import type { RunResult } from './run-result.ts'
import type { SqliteDrizzleSession } from './session.ts'
import type { KeelsonSqliteTransaction, SqliteTransactionConfig } from './transaction.ts'

/**
 * A Drizzle database over better-sqlite3 whose queries are awaited, so that transactions work with async callbacks;
 * made by {@link drizzle}.
 *
 * It is Drizzle's `BaseSQLiteDatabase` of the async kind: query builders, relational queries (`db.query`), `$count`,
 * `db.run/all/get/values(sql)` and prepared queries are Drizzle's own.
 *
 * Errors of SQLite arrive as Drizzle's `DrizzleQueryError`, with the `SqliteError` itself as `cause`; what Keelson
 * refuses arrives as the `KeelsonError` that it is.
 */
export class KeelsonSqliteDatabase<
  TSchema extends Record<string, unknown> = Record<string, never>,
> extends BaseSQLiteDatabase<'async', RunResult, TSchema> {
  static {
    setEntityKind(this, 'KeelsonSqliteDatabase')
  }

  /** The database below: `db.$client.close()` closes what `drizzle()` has opened. */
  readonly $client: SqliteDatabase

  constructor(
    client: SqliteDatabase,
    dialect: SqliteDrizzleDialect,
    session: SqliteDrizzleSession<TSchema, ExtractTablesWithRelations<TSchema>>,
    schema: RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> | undefined,
  ) {
    super('async', dialect, session, schema)
    this.$client = client
  }

  /**
   * Runs `transaction` in a transaction: commits when it resolves, rolls back when it throws, and rethrows the same
   * error. `tx.rollback()` throws Drizzle's `TransactionRollbackError`.
   *
   * One transaction writes at a time; statements and transactions outside wait for it, reads of a database in a file do
   * not. A failed statement that the callback catches undoes only itself. What later fails on the way out (a rollback
   * that does not succeed) is listed in the error's `suppressed` property.
   *
   * @param config how it begins
   * @throws {TransactionAbortedError} when SQLite rolled back on its own (`OR ROLLBACK`, a full disk) and the callback
   * did not notice; `cause` is the error that did it
   * @throws {TransactionClosedError} when the callback returned with a nested transaction or a waiting statement not
   * awaited; everything is rolled back then
   * @throws {ConnectionBusyError} when another transaction kept the database for `busyTimeoutMs`
   *
   * @example
   * await db.transaction(async (tx) => {
   *   await tx.update(accounts).set({ balance: sql`balance - 10` }).where(eq(accounts.id, 1))
   *   await tx.update(accounts).set({ balance: sql`balance + 10` }).where(eq(accounts.id, 2))
   * })
   * // begin immediate
   * // update "accounts" set "balance" = balance - 10 where "accounts"."id" = ?
   * // update "accounts" set "balance" = balance + 10 where "accounts"."id" = ?
   * // commit
   */
  override transaction<T>(
    transaction: (
      tx: KeelsonSqliteTransaction<TSchema, ExtractTablesWithRelations<TSchema>>,
    ) => Promise<T>,
    config?: SqliteTransactionConfig,
  ): Promise<T> {
    return super.transaction(
      transaction as (
        tx: SQLiteTransaction<'async', RunResult, TSchema, ExtractTablesWithRelations<TSchema>>,
      ) => Promise<T>,
      config,
    )
  }

  /**
   * Runs queries in one transaction, in order, and returns their results: all of them are done, or none.
   *
   * @throws the error of the first query that fails
   *
   * @example
   * const [added, all] = await db.batch([
   *   db.insert(users).values({ name: 'Ada' }).returning({ id: users.id }),
   *   db.select().from(users),
   * ])
   * // begin immediate; insert into "users" ... returning "id"; select "id", "name" from "users"; commit
   */
  batch<U extends BatchItem<'sqlite'>, T extends Readonly<[U, ...U[]]>>(
    batch: T,
  ): Promise<BatchResponse<T>> {
    const session = sessionOf(this) as SqliteDrizzleSession<
      TSchema,
      ExtractTablesWithRelations<TSchema>
    >
    return session.batch(batch) as Promise<BatchResponse<T>>
  }
}
