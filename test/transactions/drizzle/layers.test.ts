import { addSessionLayer, type SessionLayer } from '@keelson/core/drizzle'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import {
  inTransaction,
  transaction,
  UnsupportedDrizzleError,
  withTransactions,
} from '@keelson/transactions/drizzle'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle as betterSqlite3 } from 'drizzle-orm/better-sqlite3'
import { drizzle as neonHttp } from 'drizzle-orm/d1'
import { drizzle as proxyDrizzle } from 'drizzle-orm/sqlite-proxy'
import { expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { type Db, item, proxied } from './drivers.ts'

/** What timing will be: it sees every call, and changes none. */
function watching(log: string[]): SessionLayer {
  return {
    name: 'timing',
    rank: 20,
    prepareQuery(session, args, next) {
      log.push(`prepare ${(args[0] as { sql: string }).sql}`)
      return next(session, args)
    },
    transaction(session, args, next) {
      log.push('transaction')
      return next(session, args)
    },
    batch(session, args, next) {
      log.push('batch')
      return next(session, args)
    },
  }
}

function newDatabase(): Db {
  const { one, many } = proxied(new Database(':memory:'))
  return proxyDrizzle(one, many)
}

async function story(db: Db): Promise<string> {
  await db.run(sql`create table item (name text)`)
  const insert = (name: string, on: Db = db): Promise<unknown> => on.insert(item).values({ name })
  await transaction(db, async (tx: Db) => {
    await insert('a')
    await tx.transaction(() => insert('b', tx))
    await db
      .transaction(async () => {
        await insert('undone')
        throw new Error('no')
      })
      .catch(() => {})
    await db.batch([db.insert(item).values({ name: 'c' })])
  })
  const rows: { name: string }[] = await db.select().from(item)
  return rows.map(({ name }) => name).join()
}

test('the order in which layers are added makes no difference', async () => {
  const logs: string[][] = []
  for (const isFirst of [true, false]) {
    const log: string[] = []
    const db = newDatabase()
    if (isFirst) addSessionLayer(db.session, watching(log))
    withTransactions(db)
    if (!isFirst) addSessionLayer(db.session, watching(log))
    expect(await story(db)).toBe('a,b,c')
    logs.push(log)
  }
  expect(logs[0]).toEqual(logs[1])
  expect(logs[0]!.filter((each) => each === 'transaction')).toHaveLength(1)
  expect(logs[0]!.filter((each) => each.startsWith('prepare insert'))).toHaveLength(4)
})

test('databases of one driver do not know of each other, wrapped in whatever order, or not at all', async () => {
  const log: string[] = []
  const [one, other, plain] = [newDatabase(), newDatabase(), newDatabase()]
  const tell = watching(log)
  addSessionLayer(one.session, tell)
  withTransactions(one)
  withTransactions(other)
  addSessionLayer(other.session, tell)
  expect(await story(one)).toBe('a,b,c')
  const count = log.length
  expect(await story(other)).toBe('a,b,c')
  expect(log.length).toBe(count * 2)
  await plain.run(sql`create table item (name text)`)
  await transaction(one, async () => {
    await plain.transaction(async (tx: Db) => {
      await tx.insert(item).values({ name: 'plain' })
    })
  })
  expect(log.slice(count * 2)).toEqual([])
  expect(await plain.select().from(item)).toEqual([{ name: 'plain' }])
})

test('wrapping twice adds nothing, and returns the same database', () => {
  const db = sqliteDrizzle(':memory:')
  expect(withTransactions(db)).toBe(db)
  expect(withTransactions(db, { defaults: { propagation: 'never' } })).toBe(db)
  expect(addSessionLayer(Object(db).session, { name: 'transactions', rank: 10 })).toBe(false)
})

test('a second copy of the package finds the patch of the first, and adds to it', async () => {
  const copy = (await import(
    `${new URL('../../../packages/core/src/drizzle/session-patch.ts', import.meta.url).href}?copy`
  )) as { addSessionLayer: typeof addSessionLayer }
  expect(copy.addSessionLayer).not.toBe(addSessionLayer)
  const log: string[] = []
  const db = newDatabase()
  copy.addSessionLayer(db.session, watching(log))
  withTransactions(db)
  expect(await story(db)).toBe('a,b,c')
  expect(log.filter((each) => each.startsWith('prepare insert'))).toHaveLength(4)
})

test('a database that was not wrapped is told what to add', async () => {
  const db = sqliteDrizzle(':memory:')
  const error = await rejection(() => transaction(db, async () => {}))
  expect(error.name).toBe('NotWrappedError')
  expect(error.message).toContain('withTransactions(drizzle(...))')
  expect((await rejection(() => inTransaction(betterSqlite3(new Database()))))['code']).toBe(
    'NOT_WRAPPED',
  )
})

test('a driver that is not known is refused by its name, and so is what is no database', async () => {
  const error = await rejection(() => withTransactions(neonHttp({} as never)))
  expect(error).toMatchObject({ name: 'TransactionOptionsError', option: 'db' })
  expect(error.message).toContain('SQLiteD1Session')
  expect((await rejection(() => withTransactions({} as never))).name).toBe(
    'TransactionOptionsError',
  )
  expect(UnsupportedDrizzleError.name).toBe('UnsupportedDrizzleError')
})
