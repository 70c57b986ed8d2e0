import { addLayer } from '@keelson/core/kysely'
import { type Dialect, Kysely } from 'kysely'
import type { TransactionDefaults } from '../database.ts'
import { checkOptions } from '../options.ts'
import { ambientOf } from '../scope/ambient.ts'
import { InstanceDialect } from './instance-dialect.ts'
import { KyselyTransactions, layerName, transactionsRank } from './kysely-transactions.ts'
import { transaction } from './transaction.ts'
import { TransactionRoute } from './transaction-route.ts'
import { TransactionsDriver } from './transactions-driver.ts'

/**
 * Gives a dialect transactions that nest and that plain `db` joins: any dialect, of Keelson or not.
 *
 * With it `transaction(db, fn)` works, and Kysely's own calls change in this: inside a transaction plain `db` runs in it
 * in place of waiting for it or running beside it; `db.transaction()` and `db.startTransaction()` inside a transaction
 * are savepoints; what comes too late is refused.
 *
 * @param target a dialect; or an existing `Kysely`, for which a new one over the same connections is returned
 * @param options `defaults`: options for every transaction that does not say otherwise
 * @throws {TransactionOptionsError} when a default is unknown or impossible
 *
 * @example
 * const db = new Kysely<Database>({ dialect: withTransactions(new PostgresDialect({ pool })) })
 *
 * await transaction(db, async () => {
 *   await db.insertInto('account').values(row).execute()
 *   await transaction(db, async () => { ... }).catch(report)
 * })
 * // begin
 * // insert into "account" ...
 * // savepoint "keelson_1"
 * // release "keelson_1"         or: rollback to "keelson_1", release "keelson_1"
 * // commit
 */
export function withTransactions(target: Dialect, options?: TransactionDefaults): Dialect
export function withTransactions<DB>(target: Kysely<DB>, options?: TransactionDefaults): Kysely<DB>
export function withTransactions(
  target: Dialect | Kysely<any>,
  { defaults = {} }: TransactionDefaults = {},
): Dialect | Kysely<any> {
  checkOptions(defaults, 'withTransactions()')
  if (target instanceof Kysely) {
    const executor = target.getExecutor()
    return new Kysely({
      dialect: withTransactions(new InstanceDialect(target), { defaults }),
      plugins: [...executor.plugins],
    })
  }
  return addLayer(target, {
    name: layerName,
    rank: transactionsRank,
    install(instance, inner) {
      const host = new KyselyTransactions(instance, inner, Object.freeze({ ...defaults }))
      instance.slots.set(layerName, host)
      instance.ambient = ambientOf(host.database, transaction)
      instance.route = new TransactionRoute(host)
      return new TransactionsDriver(host, inner)
    },
  })
}
