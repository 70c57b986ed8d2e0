import { drizzle, stream } from '@keelson/duckdb/drizzle'
import { DrizzleQueryError, eq, gt, sql } from 'drizzle-orm'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import { describe, expect, test } from 'vitest'
import { openDatabase, posts, rejection, temporaryFile, users, type Database } from './fixture.ts'

async function openWithUsers(count: number, options = {}): Promise<Database> {
  const db = await openDatabase(options)
  await db.execute(
    sql`insert into users (id, name, is_admin) select i, 'user ' || i, i % 2 = 1 from range(1, ${sql.raw(`${count + 1}`)}) numbers (i)`,
  )
  return db
}

async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const row of rows) all.push(row)
  return all
}

describe.for([
  ['a file', () => ({ path: temporaryFile() })],
  ['memory', () => ({})],
] as const)('stream() on %s', ([, options]) => {
  test('yields the rows of the query, decoded, whatever the size of its chunks', async () => {
    const db = await openWithUsers(5_000, options())
    const query = db.select().from(users).where(gt(users.id, 3)).orderBy(users.id)
    const rows = await query
    expect(rows[0]).toEqual({ id: 4, name: 'user 4', isAdmin: false, joinedAt: null })
    for (const chunkRows of [7, 500, 10_000, undefined])
      expect(
        await collect(stream(db, query, chunkRows === undefined ? {} : { chunkRows })),
      ).toEqual(rows)
  })

  test('refuses a relational query of another database, whose options would read it otherwise', async () => {
    const db = await openWithUsers(1, options())
    const other = await openWithUsers(1)
    const query = other.query.users.findMany()
    expect(() => stream(db, query)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', option: 'query' }),
    )
    expect(await collect(stream(other, query))).toHaveLength(1)
  })

  test('yields joins, relational queries, returning rows and raw rows like the queries themselves', async () => {
    const db = await openWithUsers(3, options())
    await db.insert(posts).values({ authorId: 2, title: 'Notes', tags: ['a'] })
    const join = db
      .select()
      .from(users)
      .leftJoin(posts, eq(posts.authorId, users.id))
      .orderBy(users.id)
    expect(await collect(stream(db, join))).toEqual(await join)
    const relational = db.query.users.findMany({ with: { posts: true }, orderBy: users.id })
    expect(await collect(stream(db, relational, { chunkRows: 2 }))).toEqual(await relational)
    const raw = db.execute<{ id: number; at: string }>(
      sql`select id, timestamp '2026-11-21 08:15:00.123456' as "at" from users order by id`,
    )
    expect(await collect(stream(db, raw, { chunkRows: 2 }))).toEqual(
      [1, 2, 3].map((id) => ({ id, at: '2026-11-21 08:15:00.123456' })),
    )
    const update = db
      .update(posts)
      .set({ title: 'New' })
      .returning({ id: posts.id, tags: posts.tags })
    expect(await collect(stream(db, update))).toEqual([{ id: 1, tags: ['a'] }])
    expect(await db.$count(posts, eq(posts.title, 'New'))).toBe(1)
  })

  test('ends when its loop is left, and lets others go on', async () => {
    const db = await openWithUsers(1_000, options())
    for await (const { id } of stream(db, db.select().from(users), { chunkRows: 10 }))
      if (id === 15) break
    await db.insert(users).values({ id: 5_000, name: 'after' })
    expect(await db.$count(users)).toBe(1_001)
    // Of a result that was not read to its end the client lets go when it is collected as garbage.
    const { forced } = await db.$client.close()
    expect(forced.filter((reason) => !reason.includes('stays open until'))).toEqual([])
  })
})

test('stream() sends nothing before the first row is asked for', async () => {
  const db = await openWithUsers(2)
  const rows = stream(db, db.select({ id: users.id }).from(users))
  await db.delete(users).where(eq(users.id, 1))
  expect(await collect(rows)).toEqual([{ id: 2 }])
})

test('stream() sees one snapshot, and does not keep writers waiting', async () => {
  const db = await openWithUsers(5_000)
  let seen = 0
  for await (const _ of stream(db, db.select().from(users), { chunkRows: 10 })) {
    if (seen++ === 5) await db.delete(users)
  }
  expect(seen).toBe(5_000)
})

test('streams run beside one another, each on a connection of its own', async () => {
  const db = await openWithUsers(100)
  const query = db.select({ id: users.id }).from(users).orderBy(users.id)
  const all = await Promise.all(
    Array.from({ length: 8 }, () => collect(stream(db, query, { chunkRows: 7 }))),
  )
  for (const rows of all) expect(rows).toHaveLength(100)
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
  test('of DuckDB is the cause of a DrizzleQueryError', async () => {
    const db = await openWithUsers(100)
    const wrong = db.select({ id: sql`missing` }).from(users)
    const error = await rejection(collect(stream(db, wrong)))
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect((error.cause as Error).message).toContain('missing')
  })

  test('in the middle of the rows throws, and never looks like their end', async () => {
    const db = await openDatabase()
    const failing = db.execute<{ i: number }>(
      sql`select case when i = 200000 then error('boom') else i end as i from range(300000) numbers (i)`,
    )
    let seen = 0
    const error = await rejection(
      (async () => {
        for await (const _ of stream(db, failing)) seen++
      })(),
    )
    expect(seen).toBeLessThan(200_001)
    expect(error).toBeInstanceOf(Error)
    expect(await db.$count(users)).toBe(0)
  })

  test('of a value is its own', async () => {
    const db = await openDatabase()
    const rows = stream(
      db,
      db.select({ id: sql`9007199254740993`.mapWith(users.id) }).from(sql`(select 1)`),
    )
    expect(await rejection(collect(rows))).toMatchObject({ code: 'INT64_RANGE' })
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
      db.$count(users),
      db.refreshMaterializedView(users as never),
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
    const foreign = nodePostgresDrizzle.mock()
    expect(() => stream(foreign as never, db.select().from(users))).toThrow('as `db`')
    expect(
      await rejection(collect(stream(drizzle.mock() as never, db.select().from(users)))),
    ).toMatchObject({ code: 'MOCK_DATABASE' })
    expect(
      await rejection(collect(stream(db, db.execute(sql`create table t (id integer)`)))),
    ).toMatchObject({
      code: 'NO_ROWS_TO_STREAM',
    })
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
        expect(await rejection(tx.insert(users).values({ id: 99, name: 'x' }))).toMatchObject({
          code: 'CONNECTION_BUSY',
        })
      }
      expect(seen).toBe(20)
      await tx.insert(users).values({ id: 99, name: 'after' })
    })
    expect(await db.$count(users)).toBe(21)
  })

  test('runs there, wherever the query was built', async () => {
    const db = await openWithUsers(3)
    await db.transaction(async (tx) => {
      await tx.delete(users)
      expect(await collect(stream(tx, db.select().from(users)))).toEqual([])
      expect(await collect(stream(tx, db.execute(sql`select * from users`)))).toEqual([])
      expect(await collect(stream(db, tx.select().from(users)))).toHaveLength(3)
    })
  })

  test('ends with the transaction: reading on throws instead of looking like the end', async () => {
    const db = await openWithUsers(30)
    const escaped = await db.transaction(async (tx) => {
      await tx.insert(users).values({ id: 99, name: 'kept' })
      const rows = stream(tx, tx.select().from(users), { chunkRows: 5 })
      for (let count = 0; count < 7; count++) await rows.next()
      return { rows }
    })
    const error = await rejection(collect(escaped.rows))
    expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(await db.$count(users)).toBe(31)
  })

  test('is refused when the transaction has ended', async () => {
    const db = await openWithUsers(3)
    const rows = await db.transaction(async (tx) => ({ late: stream(tx, tx.select().from(users)) }))
    expect(await rejection(collect(rows.late))).toMatchObject({ code: 'TRANSACTION_CLOSED' })
  })

  test('that fails dooms the transaction', async () => {
    const db = await openWithUsers(3)
    const error = await rejection(
      db.transaction(async (tx) => {
        await tx.delete(users)
        await rejection(collect(stream(tx, tx.execute(sql`select error('boom') as x`))))
      }),
    )
    expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    expect(await db.$count(users)).toBe(3)
  })
})
