import { createTiming, type QueryEvent, type Timing, type TransactionEvent } from '@keelson/timing'
import { attach, withTiming } from '@keelson/timing/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely, sql } from 'kysely'
import { onTestFinished } from 'vitest'
import { type KyselyEngine, type Tables } from '../../transactions/kysely/engines.ts'

/** How a database comes to be measured: around the dialect or on the instance, without transactions, around or inside them. */
export const arrangements = {
  'withTiming(dialect)': (dialect, timing) =>
    new Kysely<Tables>({ dialect: withTiming(dialect, timing) }),
  'attach(db)': (dialect, timing) => attach(new Kysely<Tables>({ dialect }), timing),
  'withTiming(withTransactions(dialect))': (dialect, timing) =>
    new Kysely<Tables>({ dialect: withTiming(withTransactions(dialect), timing) }),
  'withTransactions(withTiming(dialect))': (dialect, timing) =>
    new Kysely<Tables>({ dialect: withTransactions(withTiming(dialect, timing)) }),
  'attach(withTransactions)': (dialect, timing) =>
    attach(new Kysely<Tables>({ dialect: withTransactions(dialect) }), timing),
} as const satisfies Record<string, (dialect: Dialect, timing: Timing) => Kysely<Tables>>

export type Arrangement = keyof typeof arrangements

export interface Timed {
  readonly db: Kysely<Tables>
  readonly timing: Timing
  /** What sinks were told since the last call. */
  queries(): QueryEvent[]
  transactions(): TransactionEvent[]
}

/** Opens a new, measured database with the table `item`, of which nothing was told yet. */
export async function openTimed(
  engine: KyselyEngine,
  arrangement: Arrangement,
  options: Parameters<typeof createTiming>[0] = {},
): Promise<Timed> {
  const queries: QueryEvent[] = []
  const transactions: TransactionEvent[] = []
  const timing = createTiming({
    sinks: [
      {
        query: (event) => queries.push({ ...event }),
        transaction: (event) => transactions.push({ ...event }),
      },
    ],
    ...options,
  })
  const db = arrangements[arrangement](await engine.dialect(), timing)
  onTestFinished(() => db.destroy())
  const id = {
    sqlite: 'integer primary key',
    postgresql: 'serial primary key',
    mysql: 'serial primary key',
    duckdb: 'integer',
  }
  await sql`drop table if exists item`.execute(db)
  await sql`create table item (id ${sql.raw(id[engine.kind])}, name varchar(700) unique)`.execute(
    db,
  )
  queries.length = 0
  transactions.length = 0
  timing.reset()
  return {
    db,
    timing,
    queries: () => queries.splice(0),
    transactions: () => transactions.splice(0),
  }
}
