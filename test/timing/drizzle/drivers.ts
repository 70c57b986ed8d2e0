import type { createTiming, Timing } from '@keelson/timing'
import { withTiming } from '@keelson/timing/drizzle'
import { withTransactions } from '@keelson/transactions/drizzle'
import Database from 'better-sqlite3'
import { relations, sql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { onTestFinished } from 'vitest'
import {
  type Db,
  type DriverUnderTest,
  item,
  libsqlFile,
  mysql2Pool,
  nodePostgresClient,
  nodePostgresPool,
  ourDuckDB,
  ourSqlite,
  pgItem,
  pglite,
  postgresJsPool,
  sqliteProxy,
} from '../../transactions/drizzle/drivers.ts'
import { type Listening, listening } from '../listening.ts'

/** Synchronous: every call is over when it returns. */
export const betterSqlite3: DriverUnderTest = {
  name: 'better-sqlite3',
  kind: 'sqlite',
  hasPool: false,
  hasReaders: false,
  hasSavepoints: true,
  failsWhole: false,
  logs: { begin: 'begin immediate' },
  open(options) {
    const client = new Database(':memory:')
    onTestFinished(() => void client.close())
    return betterSqlite3Drizzle(client, options)
  },
}

export const drivers: readonly DriverUnderTest[] = [
  betterSqlite3,
  ourSqlite,
  ourDuckDB,
  libsqlFile,
  sqliteProxy,
  nodePostgresPool,
  nodePostgresClient,
  postgresJsPool,
  pglite,
  mysql2Pool,
]

/** In which order a database is wrapped. */
export const arrangements = {
  timing: (db, timing) => withTiming(db, timing),
  'timing around transactions': (db, timing) => withTiming(withTransactions(db), timing),
  'transactions around timing': (db, timing) => withTransactions(withTiming(db, timing)),
} as const satisfies Record<string, (db: Db, timing: Timing) => Db>

export type Arrangement = keyof typeof arrangements

export interface Timed extends Omit<Listening, 'forget'> {
  readonly db: Db
  readonly table: typeof item
  execute(text: string, on?: Db): Promise<unknown>
}

/** Opens a new, measured database with the table `item`, of which nothing was told yet. */
export async function openTimed(
  driver: DriverUnderTest,
  arrangement: Arrangement,
  options: Parameters<typeof createTiming>[0] = {},
): Promise<Timed> {
  const { timing, forget, ...heard } = listening(options)
  const table = (driver.kind === 'sqlite' ? item : pgItem) as typeof item
  const itemRelations = relations(table, () => ({}))
  const opened = await driver.open({
    logger: { logQuery: () => {} },
    schema: { item: table, itemRelations },
  })
  const db = arrangements[arrangement](opened, timing)
  const execute = async (text: string, on: Db = db): Promise<unknown> =>
    driver.kind === 'sqlite' ? on.run(sql.raw(text)) : on.execute(sql.raw(text))
  await execute('drop table if exists item')
  await execute('create table item (name varchar(700) not null unique)')
  forget()
  return {
    db,
    table,
    timing,
    execute,
    ...heard,
  }
}
