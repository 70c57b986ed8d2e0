import {
  transaction,
  withTransactions,
  type TransactionDefaults,
} from '@keelson/transactions/kysely'
import type { Kysely } from 'kysely'
import type { Database } from '../../support/schema.ts'
import type { Orm } from '../orm.ts'
import {
  kysely,
  kyselyCallbacks,
  openKysely,
  withSettings,
  type KyselyTransactionKind,
  type Wrap,
} from './kysely.ts'
import { driverRefusals, explicitHandles } from './transactions-lack.ts'

/** Kysely's own `db.startTransaction()`, with the layer installed. */
export function wrappedKysely(options?: TransactionDefaults): Orm {
  const orm = kysely(wrapper(options))
  return {
    ...orm,
    name: `${orm.name}, wrapped by transactions`,
    lacks: { ...without(orm.lacks, 'endsStreams'), driverRefusals },
  }
}

/** Kysely's own `db.transaction()`, with the layer installed: inside of one it is a savepoint. */
export function wrappedKyselyCallbacks(options?: TransactionDefaults): Orm {
  const orm = kyselyCallbacks(wrapper(options))
  return {
    ...orm,
    name: `${orm.name}, wrapped by transactions`,
    lacks: { driverRefusals, explicitHandles },
    open: (engine, path, openOptions) =>
      openKysely(engine, path, openOptions, wrapper(options), new NestedCallbacks()),
  }
}

/** `transaction(db, fn)`. */
export function transactionsKysely(options?: TransactionDefaults): Orm {
  const orm = kysely()
  return {
    ...orm,
    name: 'kysely, transaction()',
    lacks: {
      relationalQueries: 'Kysely has no relational queries',
      driverRefusals,
      explicitHandles,
    },
    open: (engine, path, openOptions) =>
      openKysely(engine, path, openOptions, wrapper(options), {
        run: (db, fn, settings) => transaction(db, fn, settings),
        nest: (trx, fn) => transaction(trx, fn),
      }),
  }
}

class NestedCallbacks implements KyselyTransactionKind {
  #db: Kysely<Database> | undefined

  run: KyselyTransactionKind['run'] = (db, fn, settings) => {
    this.#db = db
    return withSettings(db.transaction(), settings).execute(fn)
  }

  // Kysely's `Transaction` refuses `transaction()`; `db` is in the transaction around.
  nest: KyselyTransactionKind['nest'] = (_, fn) => this.#db!.transaction().execute(fn)
}

function wrapper(options: TransactionDefaults | undefined): Wrap {
  return (dialect) => withTransactions(dialect, options)
}

function without(lacks: Orm['lacks'], name: keyof Orm['lacks']): Orm['lacks'] {
  const { [name]: _, ...rest } = lacks
  return rest
}
