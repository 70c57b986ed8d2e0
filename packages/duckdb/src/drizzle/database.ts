import { setEntityKind } from '@keelson/core/drizzle'
import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type { PgTransaction } from 'drizzle-orm/pg-core'
import type { RelationalSchemaConfig } from 'drizzle-orm/relations'
import type { DuckDBDatabase } from '../database.ts'
import type { DuckDBDrizzleDialect } from './dialect.ts'
import { PgDatabase } from './internals.ts'
import type { DuckDBQueryResultHKT } from './query-result.ts'
import type { DuckDBDrizzleSession } from './session.ts'
import type { DuckDBTransactionConfig } from './transaction-config.ts'
import type { KeelsonDuckDBTransaction } from './transaction.ts'

/**
 * A Drizzle database over DuckDB; made by {@link drizzle}.
 *
 * It is Drizzle's `PgDatabase`: query builders, relational queries (`db.query`), `$count`, `db.execute(sql)` and prepared
 * queries are Drizzle's own, for tables made with `pgTable`. A write without `returning()` and `db.execute(sql)` resolve
 * to a {@link DuckDBQueryResult}.
 *
 * Errors of DuckDB arrive as Drizzle's `DrizzleQueryError`, with the client's error itself as `cause`; what Keelson
 * refuses arrives as the `KeelsonError` that it is.
 */
export class KeelsonDuckDBDatabase<
  TSchema extends Record<string, unknown> = Record<string, never>,
> extends PgDatabase<DuckDBQueryResultHKT, TSchema> {
  static {
    setEntityKind(this, 'KeelsonDuckDBDatabase')
  }

  /** The database below: `db.$client.close()` closes what `drizzle()` has opened. */
  readonly $client: DuckDBDatabase

  constructor(
    client: DuckDBDatabase,
    dialect: DuckDBDrizzleDialect,
    session: DuckDBDrizzleSession<TSchema, ExtractTablesWithRelations<TSchema>>,
    schema: RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> | undefined,
  ) {
    super(dialect, session, schema)
    this.$client = client
  }

  /**
   * Runs `transaction` in a transaction on a connection of its own: commits when it resolves, rolls back when it throws,
   * and rethrows the same error. `tx.rollback()` throws Drizzle's `TransactionRollbackError`.
   *
   * Transactions run side by side, each on a snapshot. DuckDB refuses one that changes a row which another has changed
   * meanwhile (`describeError(error).retryable`); run the whole transaction again then. A failed statement ends what the
   * transaction can do, also when the callback catches its error: avoid the failure with `onConflictDoNothing()` or a
   * check before. There are no nested transactions.
   *
   * @param config how it begins
   * @throws {TransactionAbortedError} when a statement in it has failed and the callback resolved all the same; `cause` is
   * that statement's error, and everything is rolled back
   * @throws {OptionError} for an isolation level, and for `deferrable`
   *
   * @example
   * await db.transaction(async (tx) => {
   *   await tx.update(accounts).set({ balance: sql`balance - 10` }).where(eq(accounts.id, 1))
   *   await tx.update(accounts).set({ balance: sql`balance + 10` }).where(eq(accounts.id, 2))
   * })
   * // begin transaction
   * // update "accounts" set "balance" = balance - 10 where "accounts"."id" = $1
   * // update "accounts" set "balance" = balance + 10 where "accounts"."id" = $1
   * // commit
   */
  override transaction<T>(
    transaction: (
      tx: KeelsonDuckDBTransaction<TSchema, ExtractTablesWithRelations<TSchema>>,
    ) => Promise<T>,
    config?: DuckDBTransactionConfig,
  ): Promise<T> {
    return super.transaction(
      transaction as (
        tx: PgTransaction<DuckDBQueryResultHKT, TSchema, ExtractTablesWithRelations<TSchema>>,
      ) => Promise<T>,
      config,
    )
  }
}
