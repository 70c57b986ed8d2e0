import { drizzle as sqliteDrizzle, stream } from '@keelson/sqlite/drizzle'
import { transaction, withTransactions } from '@keelson/transactions/drizzle'
import { sql } from 'drizzle-orm'
import { Cache } from 'drizzle-orm/cache/core'
import { drizzle as pgliteDrizzle } from 'drizzle-orm/pglite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { type Db, item, pgItem } from './drivers.ts'
import { emptyPGlite } from '../../support/pglite.ts'

/** Keeps everything, and says what it was told. */
class Kept extends Cache {
  readonly entries = new Map<string, any[]>()
  readonly dropped: string[] = []

  override strategy(): 'all' {
    return 'all'
  }

  override async get(key: string): Promise<any[] | undefined> {
    return this.entries.get(key)
  }

  override async put(key: string, rows: any): Promise<void> {
    this.entries.set(key, rows)
  }

  override async onMutate({ tables }: { tables?: any }): Promise<void> {
    this.entries.clear()
    this.dropped.push(...[tables].flat().map(String))
  }
}

const open: Record<string, (cache: Kept) => Promise<{ db: Db; table: typeof item }>> = {
  async PGlite(cache) {
    const client = emptyPGlite()
    onTestFinished(() => client.close())
    const db = withTransactions(pgliteDrizzle(client, { cache }))
    await db.execute(sql`create table item (name text)`)
    return { db, table: pgItem as unknown as typeof item }
  },
  async "Keelson's SQLite"(cache) {
    const db = withTransactions(sqliteDrizzle(':memory:', { cache }))
    onTestFinished(async () => void (await db.$client.close()))
    await db.run(sql`create table item (name text)`)
    return { db, table: item }
  },
}

describe.for(Object.entries(open))("Drizzle's cache on %s", ([, opening]) => {
  test('is told of what was written after the commit, and never of what was rolled back', async () => {
    const cache = new Kept()
    const { db, table } = await opening(cache)
    const before = cache.dropped.length
    await transaction(db, async () => {
      await db.insert(table).values({ name: 'undone' })
      throw new Error('no')
    }).catch(() => {})
    expect(cache.dropped.slice(before)).toEqual([])
    await transaction(db, async () => {
      await db.insert(table).values({ name: 'a' })
      expect(cache.dropped.slice(before)).toEqual([])
    })
    expect(cache.dropped.slice(before)).toEqual(['item'])
  })

  test('neither answers in a transaction, nor keeps what one has read', async () => {
    const cache = new Kept()
    const { db, table } = await opening(cache)
    expect(await db.select().from(table)).toEqual([])
    await transaction(db, async () => {
      await db.insert(table).values({ name: 'undone' })
      expect(await db.select().from(table)).toEqual([{ name: 'undone' }])
      throw new Error('no')
    }).catch(() => {})
    expect(await db.select().from(table)).toEqual([])
  })
})

describe('streams', () => {
  test('run in the transaction, keep its other statements out, and end with it', async () => {
    const { db } = (await open["Keelson's SQLite"]!(new Kept())) as { db: any }
    await transaction(db, async () => {
      await db.insert(item).values(Array.from({ length: 10 }, (_, n) => ({ name: `n${n}` })))
      const seen: string[] = []
      for await (const row of stream(db, db.select().from(item), { chunkRows: 2 }) as any) {
        seen.push(row.name)
        if (seen.length > 1) continue
        expect((await rejection(db.select().from(item))).name).toBe('ConnectionBusyError')
      }
      expect(seen).toHaveLength(10)
      await db.insert(item).values({ name: 'after' })
    })
    let left: any
    await transaction(db, async () => {
      left = (stream(db, db.select().from(item), { chunkRows: 2 }) as any)[Symbol.asyncIterator]()
      await left.next()
    })
    const rest = async (): Promise<void> => {
      while ((await left.next()).done !== true);
    }
    expect((await rejection(rest())).name).toBe('TransactionClosedError')
    expect(await db.$count(item)).toBe(11)
  })
})
