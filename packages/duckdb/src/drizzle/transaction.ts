import { OptionError } from '@keelson/core'
import { setEntityKind } from '@keelson/core/drizzle'
import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type { PgTransaction as DrizzleTransaction, PgTransactionConfig } from 'drizzle-orm/pg-core'
import type { TablesRelationalConfig } from 'drizzle-orm/relations'
import { PgTransaction } from './internals.ts'
import type { DuckDBQueryResultHKT } from './query-result.ts'

/**
 * The handle that the callback of `db.transaction()` works with: everything a database has, inside the transaction.
 *
 * It belongs to that callback. Once the callback has returned, using the handle throws `TransactionClosedError` and
 * nothing is sent. Once a statement has failed, those that follow throw `TransactionAbortedError`.
 */
export class KeelsonDuckDBTransaction<
  TFullSchema extends Record<string, unknown> = Record<string, never>,
  TSchema extends TablesRelationalConfig = ExtractTablesWithRelations<TFullSchema>,
> extends PgTransaction<DuckDBQueryResultHKT, TFullSchema, TSchema> {
  static {
    setEntityKind(this, 'KeelsonDuckDBTransaction')
  }

  /**
   * Refuses: DuckDB has no savepoints. Nothing is sent, and the transaction can go on.
   *
   * @throws {SavepointsNotSupportedError} always, or `TransactionClosedError` after the end
   */
  override transaction<T>(
    transaction: (tx: KeelsonDuckDBTransaction<TFullSchema, TSchema>) => Promise<T>,
  ): Promise<T> {
    const { session } = this._
    return session.transaction(
      transaction as (
        tx: DrizzleTransaction<DuckDBQueryResultHKT, TFullSchema, TSchema>,
      ) => Promise<T>,
    )
  }

  /**
   * Refuses: a transaction of DuckDB is what it was when it began.
   *
   * @throws {OptionError} always; options are given to `db.transaction(callback, options)`
   */
  override async setTransaction(config: PgTransactionConfig): Promise<void> {
    const [name = 'accessMode'] = Object.keys(config)
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `setTransaction() cannot change \`${name}\`: DuckDB settles it when the transaction begins. Give it to db.transaction().`,
    )
  }
}
