import { Cache, type MutationOption } from 'drizzle-orm/cache/core'
import { eq, sql } from 'drizzle-orm'
import { drizzle, stream } from '@keelson/duckdb/drizzle'
import { openDuckDB } from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { names, openDatabase, rejection, schema, users, type Database } from './fixture.ts'

/** Keeps entries by key, and drops those of a table when it is written. */
class MemoryCache extends Cache {
  readonly entries = new Map<string, { rows: unknown[]; tables: string[] }>()
  readonly calls: string[] = []
  readonly #strategy: 'all' | 'explicit'

  constructor(strategy: 'all' | 'explicit') {
    super()
    this.#strategy = strategy
  }

  override strategy(): 'all' | 'explicit' {
    return this.#strategy
  }

  override async get(key: string): Promise<unknown[] | undefined> {
    const found = this.entries.get(key)?.rows
    this.calls.push(found === undefined ? 'miss' : 'hit')
    return found
  }

  override async put(key: string, rows: unknown[], tables: string[]): Promise<void> {
    this.calls.push(`put ${tables.join()}`)
    this.entries.set(key, { rows, tables })
  }

  override async onMutate({ tables = [], tags = [] }: MutationOption): Promise<void> {
    const written = [tables].flat() as string[]
    this.calls.push(`invalidate ${[...written, ...[tags].flat()].join()}`)
    for (const [key, entry] of this.entries) {
      if ([tags].flat().includes(key) || entry.tables.some((table) => written.includes(table)))
        this.entries.delete(key)
    }
  }
}

async function openCached(
  strategy: 'all' | 'explicit' = 'all',
  options = {},
): Promise<{ db: Database; cache: MemoryCache }> {
  const cache = new MemoryCache(strategy)
  const db = await openDatabase({}, { cache, ...options })
  await db.insert(users).values({ name: 'Ada', joinedAt: new Date(0) })
  cache.calls.length = 0
  return { db, cache }
}

/** Changes the table behind the cache's back. */
const sneak = (db: Database): Promise<unknown> =>
  db.$client.execute("update users set name = 'Sneaked'")

describe('a select', () => {
  test('is answered from the cache, decoded like one from DuckDB', async () => {
    const { db, cache } = await openCached()
    const fresh = await db.select().from(users)
    await sneak(db)
    expect(await db.select().from(users)).toEqual(fresh)
    expect(fresh).toMatchObject([{ name: 'Ada', isAdmin: false, joinedAt: new Date(0) }])
    expect(cache.calls).toEqual(['miss', 'put users', 'hit'])
  })

  test('has an entry for each set of parameters, bigints too', async () => {
    const { db } = await openCached()
    const byId = (id: unknown) =>
      db
        .select({ id: users.id })
        .from(users)
        .where(sql`${users.id} = ${id}`)
    expect(await byId(1n)).toEqual([{ id: 1 }])
    expect(await byId(2n)).toEqual([])
    expect(await byId('1')).toEqual([{ id: 1 }])
  })

  test('is cached only when it asks for it under the explicit strategy, and not when it refuses under the other', async () => {
    const explicit = await openCached('explicit')
    await explicit.db.select().from(users)
    expect(explicit.cache.calls).toEqual([])
    await explicit.db.select().from(users).$withCache()
    expect(explicit.cache.calls).toEqual(['miss', 'put users'])

    const all = await openCached('all')
    await all.db.select().from(users).$withCache(false)
    expect(all.cache.calls).toEqual([])
  })

  test('with a tag is kept under it, and dropped by $cache.invalidate()', async () => {
    const { db, cache } = await openCached('explicit')
    const query = (): Promise<unknown> =>
      db
        .select({ name: users.name })
        .from(users)
        .$withCache({ tag: 'everyone', autoInvalidate: false })
    await query()
    expect([...cache.entries]).toEqual([['everyone', { rows: [['Ada']], tables: [] }]])
    await db.update(users).set({ name: 'Augusta' })
    expect(await query()).toEqual([{ name: 'Ada' }])
    await db.$cache.invalidate({ tags: 'everyone' })
    expect(await query()).toEqual([{ name: 'Augusta' }])
  })

  test('rejects with the error of DuckDB, and caches nothing', async () => {
    const { db, cache } = await openCached()
    const error = await rejection(db.select({ x: sql`nothing` }).from(users))
    expect((error.cause as Error).message).toContain('nothing')
    expect(cache.entries.size).toBe(0)
  })
})

test('raw SQL, relational queries, $count and streams go to DuckDB', async () => {
  const { db, cache } = await openCached()
  await db.execute(sql`select * from users`)
  await db.query.users.findMany()
  await db.$count(users)
  for await (const _ of stream(db, db.select().from(users))) void _
  expect(cache.calls).toEqual([])
})

describe('a write', () => {
  test('drops what was cached of its table, after it has been carried out', async () => {
    const { db, cache } = await openCached()
    expect(await names(db)).toEqual(['Ada'])
    await db.insert(users).values({ name: 'Alan' })
    expect(await names(db)).toEqual(['Ada', 'Alan'])
    await db.update(users).set({ name: 'Augusta' }).where(eq(users.id, 1)).returning()
    expect(await names(db)).toEqual(['Augusta', 'Alan'])
    await db.delete(users)
    expect(await names(db)).toEqual([])
    expect(cache.calls.filter((call) => call.startsWith('invalidate'))).toHaveLength(3)
  })

  test('that fails drops nothing', async () => {
    const { db, cache } = await openCached()
    await names(db)
    await rejection(db.insert(users).values({ name: 'Ada' }))
    expect(cache.calls).toEqual(['miss', 'put users'])
  })

  test('that is done, and whose invalidation fails, says that it is done', async () => {
    const { db, cache } = await openCached()
    cache.onMutate = () => Promise.reject(new Error('cache is down'))
    for (const write of [
      () => db.insert(users).values({ name: 'Alan' }),
      () => db.transaction((tx) => tx.insert(users).values({ name: 'Grace' }).execute()),
    ]) {
      const error = await rejection(write())
      expect(error).toMatchObject({ name: 'CacheInvalidationError', code: 'CACHE_INVALIDATION' })
      expect(error.message).toContain('The write to users is done')
      expect(error.cause).toMatchObject({ message: 'cache is down' })
    }
    expect(await db.$count(users)).toBe(3)
  })
})

describe('a transaction', () => {
  test('reads its own writes, and keeps them from the cache', async () => {
    const { db, cache } = await openCached()
    await names(db)
    cache.calls.length = 0
    await rejection(
      db.transaction(async (tx) => {
        await tx.update(users).set({ name: 'Augusta' })
        expect(await names(tx)).toEqual(['Augusta'])
        tx.rollback()
      }),
    )
    expect(cache.calls).toEqual([])
    expect(await names(db)).toEqual(['Ada'])
  })

  test('drops what was cached of its tables once, when it has committed', async () => {
    const { db, cache } = await openCached()
    await names(db)
    cache.calls.length = 0
    await db.transaction(async (tx) => {
      await tx.insert(users).values({ name: 'Alan' })
      await tx.insert(users).values({ name: 'Grace' })
      expect(cache.calls).toEqual([])
    })
    expect(cache.calls).toEqual(['invalidate users'])
    expect(await names(db)).toEqual(['Ada', 'Alan', 'Grace'])
  })

  test('has $cache.invalidate() too', async () => {
    const { db, cache } = await openCached()
    await db.transaction((tx) => tx.$cache.invalidate({ tables: ['users'] }))
    expect(cache.calls).toEqual(['invalidate users'])
  })
})

test('the cache is used in every form of drizzle(), whatever the logger', async () => {
  const database = await openDuckDB(':memory:')
  onTestFinished(() => database.close().then(() => {}))
  const logger = { logQuery: () => {} }
  for (const open of [
    (cache: Cache) => drizzle(database, { cache, schema }),
    (cache: Cache) => drizzle(database, { cache, logger, schema }),
    (cache: Cache) => drizzle({ client: database, cache, logger, schema }),
    (cache: Cache) => drizzle({ client: database, cache, logger: false, schema }),
  ]) {
    const cache = new MemoryCache('all')
    const db = open(cache)
    await db.execute(
      sql`create table if not exists users (id integer primary key, name text, is_admin boolean, joined_at timestamp)`,
    )
    await db.select().from(users)
    expect(cache.calls).toEqual(['miss', 'put users'])
  }
})

test('without a cache $cache.invalidate() does nothing', async () => {
  const db = await openDatabase()
  expect(await db.$cache.invalidate({ tables: ['users'] })).toBeUndefined()
})
