import { drizzle, stream } from '@keelson/sqlite/drizzle'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { DrizzleQueryError, eq, gt, sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { names, openDatabase, posts, rejection, users, type Database } from './fixture.ts'

async function openWithUsers(count: number, options = {}): Promise<Database> {
  const db = await openDatabase(options)
  await db.run(
    sql`insert into users (id, name, is_admin) with recursive n(i) as (values (1) union all select i + 1 from n where i < ${count}) select i, 'user ' || i, i % 2 from n`,
  )
  return db
}

async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const row of rows) all.push(row)
  return all
}

describe.for([
  ['a file', {}],
  ['memory', { path: ':memory:' }],
])('stream() on %s', ([, options]) => {
  test('yields the rows of the query, decoded, whatever the size of its chunks', async () => {
    const db = await openWithUsers(1_000, options as object)
    const query = db.select().from(users).where(gt(users.id, 3)).orderBy(users.id)
    const rows = await query
    expect(rows[0]).toEqual({ id: 4, name: 'user 4', isAdmin: false, joinedAt: null })
    for (const chunkRows of [1, 7, 500, 5_000])
      expect(await collect(stream(db, query, { chunkRows }))).toEqual(rows)
  })

  test('yields joins, relational queries, returning rows and raw rows like the queries themselves', async () => {
    const db = await openWithUsers(3, options as object)
    await db.insert(posts).values({ authorId: 2, title: 'Notes', tags: ['a'] })
    const join = db
      .select()
      .from(users)
      .leftJoin(posts, eq(posts.authorId, users.id))
      .orderBy(users.id)
    expect(await collect(stream(db, join))).toEqual(await join)
    const relational = db.query.users.findMany({ with: { posts: true } })
    expect(await collect(stream(db, relational, { chunkRows: 2 }))).toEqual(await relational)
    const raw = db.all<{ id: number }>(sql`select id from users`)
    expect(await collect(stream(db, raw))).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
    expect(await collect(stream(db, db.values<[number]>(sql`select id from users`)))).toEqual([
      [1],
      [2],
      [3],
    ])
    const update = db
      .update(users)
      .set({ isAdmin: true })
      .returning({ id: users.id, isAdmin: users.isAdmin })
    expect(await collect(stream(db, update))).toEqual(
      [1, 2, 3].map((id) => ({ id, isAdmin: true })),
    )
    expect(await db.$count(users, eq(users.isAdmin, true))).toBe(3)
  })

  test('ends when its loop is left, and lets others go on', async () => {
    const db = await openWithUsers(1_000, options as object)
    for await (const { id } of stream(db, db.select().from(users), { chunkRows: 10 }))
      if (id === 15) break
    await db.insert(users).values({ name: 'after' })
    expect(await db.$count(users)).toBe(1_001)
    expect(await db.$client.close()).toEqual({ forced: [] })
  })
})

test('stream() sends nothing before the first row is asked for', async () => {
  const db = await openWithUsers(2)
  const rows = stream(db, db.select({ id: users.id }).from(users))
  await db.delete(users).where(eq(users.id, 1))
  expect(await collect(rows)).toEqual([{ id: 2 }])
})

test('stream() sees one snapshot, and does not keep writers waiting', async () => {
  const db = await openWithUsers(100)
  let seen = 0
  for await (const _ of stream(db, db.select().from(users), { chunkRows: 10 })) {
    if (seen++ === 5) await db.delete(users)
  }
  expect(seen).toBe(100)
})

test('stream() ends with the signal’s reason', async () => {
  const db = await openWithUsers(100)
  const controller = new AbortController()
  const reason = new Error('enough')
  const rows = stream(db, db.select().from(users), { chunkRows: 10, signal: controller.signal })
  const seen: number[] = []
  const error = await rejection(
    (async () => {
      for await (const { id } of rows) {
        seen.push(id)
        if (id === 10) controller.abort(reason)
      }
    })(),
  )
  expect(error).toBe(reason)
  expect(seen.length).toBeLessThan(100)
})

describe('an error of stream()', () => {
  test('of SQLite is the cause of a DrizzleQueryError, also when rows have been delivered', async () => {
    const db = await openWithUsers(100)
    const broken = db
      .select({ id: users.id, bad: sql`json(case when id < 60 then '1' else '{' end)` })
      .from(users)
      .orderBy(users.id)
    const seen: unknown[] = []
    const error = await rejection(
      (async () => {
        for await (const row of stream(db, broken, { chunkRows: 20 })) seen.push(row)
      })(),
    )
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(error.cause).toMatchObject({ code: 'SQLITE_ERROR', message: 'malformed JSON' })
    expect(seen).toHaveLength(40)
  })

  test('of a decoder is its own', async () => {
    const db = await openWithUsers(1)
    await db.run(sql`insert into posts (author_id, title, tags) values (1, 'x', 'no json')`)
    expect(await rejection(collect(stream(db, db.select().from(posts))))).toBeInstanceOf(
      SyntaxError,
    )
  })

  test('refuses what is no list of rows, and options that do not exist', async () => {
    const db = await openWithUsers(1)
    const refused =
      (query: unknown, options?: object): (() => unknown) =>
      () =>
        stream(db, query as never, options)
    for (const query of [
      db.insert(users).values({ name: 'x' }),
      db.query.users.findFirst(),
      db.get(sql`select 1`),
      db.run(sql`select 1`),
      db.$count(users),
      sql`select 1`,
      undefined,
    ]) {
      expect(refused(query)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', option: 'query' }),
      )
    }
    expect(refused(db.select().from(users), { chunkSize: 1 })).toThrow(
      'stream() has no option `chunkSize`. Known options: chunkRows, signal.',
    )
    expect(refused(db.select().from(users), { chunkRows: 0 })).toThrow(
      'cannot use 0 as `chunkRows`',
    )
    const foreign = betterSqlite3Drizzle.mock()
    expect(() => stream(foreign as never, db.select().from(users))).toThrow('as `db`')
    expect(
      await rejection(collect(stream(drizzle.mock() as never, db.select().from(users)))),
    ).toMatchObject({ code: 'MOCK_DATABASE' })
  })
})

describe('stream() in a transaction', () => {
  test('sees its writes, and keeps other statements of it out until it ends', async () => {
    const db = await openWithUsers(30)
    await db.transaction(async (tx) => {
      await tx.delete(users).where(gt(users.id, 20))
      let seen = 0
      for await (const _ of stream(tx, tx.select().from(users), { chunkRows: 5 })) {
        if (seen++ > 0) continue
        expect(await rejection(tx.insert(users).values({ name: 'x' }))).toMatchObject({
          code: 'CONNECTION_BUSY',
        })
        expect(await rejection(tx.transaction(async () => {}))).toMatchObject({
          code: 'CONNECTION_BUSY',
        })
      }
      expect(seen).toBe(20)
      await tx.insert(users).values({ name: 'after' })
    })
    expect(await db.$count(users)).toBe(21)
  })

  test('runs there, wherever the query was built', async () => {
    const db = await openWithUsers(3)
    await db.transaction(async (tx) => {
      await tx.delete(users)
      expect(await collect(stream(tx, db.select().from(users)))).toEqual([])
      expect(await collect(stream(db, tx.select().from(users)))).toHaveLength(3)
    })
  })

  test('ends with the transaction: reading on throws instead of looking like the end', async () => {
    const db = await openWithUsers(30)
    const escaped = await db.transaction(async (tx) => {
      await tx.insert(users).values({ name: 'kept' })
      const rows = stream(tx, tx.select().from(users), { chunkRows: 5 })
      for (let count = 0; count < 7; count++) await rows.next()
      return { rows }
    })
    const error = await rejection(collect(escaped.rows))
    expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(await db.$count(users)).toBe(31)
  })

  test('ends with the nested transaction it was opened in', async () => {
    const db = await openWithUsers(30)
    await db.transaction(async (tx) => {
      for (const fails of [false, true]) {
        const opened: AsyncIterableIterator<unknown>[] = []
        const nested = tx.transaction(async (tx2) => {
          await tx2.insert(users).values({ name: `nested ${fails}` })
          const rows = stream(tx2, tx2.select().from(users), { chunkRows: 5 })
          await rows.next()
          opened.push(rows)
          if (fails) throw new Error('nested')
        })
        await nested.catch(() => {})
        expect(await rejection(collect(opened[0]!))).toMatchObject({ code: 'TRANSACTION_CLOSED' })
      }
    })
    expect((await names(db)).slice(30)).toEqual(['nested false'])
  })

  test('waits for the nested transaction that is open', async () => {
    const db = await openWithUsers(3)
    await db.transaction(async (tx) => {
      const nested = tx.transaction(async (tx2) => {
        await new Promise(setImmediate)
        await tx2.delete(users).where(eq(users.id, 1))
      })
      expect(await collect(stream(tx, tx.select({ id: users.id }).from(users)))).toEqual([
        { id: 2 },
        { id: 3 },
      ])
      await nested
    })
  })

  test('is refused when the transaction has ended', async () => {
    const db = await openWithUsers(3)
    const rows = await db.transaction(async (tx) => ({ late: stream(tx, tx.select().from(users)) }))
    expect(await rejection(collect(rows.late))).toMatchObject({ code: 'TRANSACTION_CLOSED' })
  })
})
