import { createTiming } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { withTransactions as withDrizzleTransactions } from '@keelson/transactions/drizzle'
import { withTransactions } from '@keelson/transactions/kysely'
import type { Orm } from '../orm.ts'
import { drizzle } from './drizzle.ts'
import { kysely, kyselyCallbacks } from './kysely.ts'
import { driverRefusals, explicitHandles } from './transactions-lack.ts'

/** Everything is on, so that whatever could be in the way is: a sink, the call sites, a plan at the second call. */
const watching = (): ReturnType<typeof createTiming> =>
  createTiming({
    callSites: true,
    captureParams: true,
    plans: { minCalls: 2 },
    sinks: [{ query() {}, transaction() {}, pool() {}, signal() {} }],
  })

/** Kysely, measured: nothing is to be different. */
export function timedKysely(): Orm {
  return { ...kysely((dialect) => withTiming(dialect, watching())), name: 'kysely, timed' }
}

export function timedKyselyCallbacks(): Orm {
  const orm = kyselyCallbacks((dialect) => withTiming(dialect, watching()))
  return { ...orm, name: `${orm.name}, timed` }
}

/** Drizzle, measured. */
export function timedDrizzle(): Orm {
  return { ...drizzle((db) => withDrizzleTiming(db, watching())), name: 'drizzle, timed' }
}

/** With the layer of transactions inside. */
export function timedTransactionsKysely(): Orm {
  const orm = kyselyCallbacks((dialect) => withTiming(withTransactions(dialect), watching()))
  return {
    ...orm,
    name: 'kysely, timed around transactions',
    lacks: { ...orm.lacks, driverRefusals, explicitHandles },
  }
}

/** With the layer of transactions inside. */
export function timedTransactionsDrizzle(): Orm {
  const orm = drizzle((db) => withDrizzleTiming(withDrizzleTransactions(db), watching()))
  return {
    ...orm,
    name: 'drizzle, timed around transactions',
    lacks: { ...orm.lacks, driverRefusals, explicitHandles },
  }
}
