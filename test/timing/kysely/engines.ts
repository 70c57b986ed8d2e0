import type { createTiming, Timing } from '@keelson/timing'
import { attach, withTiming } from '@keelson/timing/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely } from 'kysely'
import { onTestFinished } from 'vitest'
import { createItems, type KyselyEngine, type Tables } from '../../transactions/kysely/engines.ts'
import { type Listening, listening } from '../listening.ts'

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

export interface Timed extends Omit<Listening, 'forget'> {
  readonly db: Kysely<Tables>
}

/** Opens a new, measured database with the table `item`, of which nothing was told yet. */
export async function openTimed(
  engine: KyselyEngine,
  arrangement: Arrangement,
  options: Parameters<typeof createTiming>[0] = {},
): Promise<Timed> {
  const { timing, forget, ...heard } = listening(options)
  const db = arrangements[arrangement](await engine.dialect(), timing)
  onTestFinished(() => db.destroy())
  await createItems(db, engine)
  forget()
  return {
    db,
    timing,
    ...heard,
  }
}
