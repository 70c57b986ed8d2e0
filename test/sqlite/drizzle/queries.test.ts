import { SqliteError } from 'better-sqlite3'
import { asc, count, DrizzleQueryError, eq, gt, sql } from 'drizzle-orm'
import { integer, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { drizzle } from '@keelson/sqlite/drizzle'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  names,
  openDatabase,
  posts,
  rejection,
  temporaryFile,
  users,
  type Database,
} from './fixture.ts'

const ada = { id: 1, name: 'Ada', isAdmin: true, joinedAt: new Date('1843-01-01T00:00:00Z') }
const alan = { id: 2, name: 'Alan', isAdmin: false, joinedAt: null }

async function openWithRows(): Promise<Database> {
  const db = await openDatabase()
  await db.insert(users).values([ada, alan])
  await db.insert(posts).values([
    { id: 1, authorId: 1, title: 'Notes', tags: ['engine'] },
    { id: 2, authorId: 1, title: 'Bernoulli' },
  ])
  return db
}

describe('results', () => {
  test('of builders are decoded by their columns', async () => {
    const db = await openWithRows()
    expect(await db.select().from(users).orderBy(users.id)).toEqual([ada, alan])
    expect(await db.select().from(users).where(eq(users.id, 1)).get()).toEqual(ada)
    expect(await db.select().from(users).where(eq(users.id, 9)).get()).toBeUndefined()
    expect(await db.select({ tags: posts.tags }).from(posts).orderBy(posts.id)).toEqual([
      { tags: ['engine'] },
      { tags: null },
    ])
    expect(
      await db.update(users).set({ isAdmin: true }).where(eq(users.id, 2)).returning(),
    ).toEqual([{ ...alan, isAdmin: true }])
    expect(await db.delete(posts).returning({ title: posts.title }).get()).toEqual({
      title: 'Notes',
    })
  })

  test('of values() are arrays as SQLite has them', async () => {
    const db = await openWithRows()
    expect(await db.select().from(users).orderBy(users.id).values()).toEqual([
      [1, 'Ada', 1, ada.joinedAt.getTime() / 1000],
      [2, 'Alan', 0, null],
    ])
    expect(await db.values(sql`select id, name from users order by id`)).toEqual([
      [1, 'Ada'],
      [2, 'Alan'],
    ])
  })

  test('of raw SQL are objects, of get() too', async () => {
    const db = await openWithRows()
    expect(await db.all(sql`select id, name from users order by id`)).toEqual([
      { id: 1, name: 'Ada' },
      { id: 2, name: 'Alan' },
    ])
    expect(await db.get(sql`select id, name from users where id = ${2}`)).toEqual({
      id: 2,
      name: 'Alan',
    })
    expect(await db.get('select id from users where id = 9')).toBeUndefined()
    expect(
      await db.all(sql`insert into users (name, is_admin) values ('Grace', 0) returning name`),
    ).toEqual([{ name: 'Grace' }])
    expect(await db.all(sql`delete from posts`)).toEqual([])
  })

  test('of relational queries are nested, with their columns decoded at every depth', async () => {
    const db = await openWithRows()
    expect(
      await db.query.users.findMany({
        orderBy: asc(users.id),
        with: {
          posts: {
            orderBy: asc(posts.id),
            with: { author: { columns: { joinedAt: true, isAdmin: true } } },
          },
        },
      }),
    ).toEqual([
      {
        ...ada,
        posts: [
          {
            id: 1,
            authorId: 1,
            title: 'Notes',
            tags: ['engine'],
            author: { isAdmin: true, joinedAt: ada.joinedAt },
          },
          {
            id: 2,
            authorId: 1,
            title: 'Bernoulli',
            tags: null,
            author: { isAdmin: true, joinedAt: ada.joinedAt },
          },
        ],
      },
      { ...alan, posts: [] },
    ])
    expect(await db.query.users.findFirst({ where: eq(users.name, 'Alan') })).toEqual(alan)
    expect(await db.query.users.findFirst({ where: eq(users.name, 'Nobody') })).toBeUndefined()
  })

  test('of $count are numbers, awaited or inside a select', async () => {
    const db = await openWithRows()
    expect(await db.$count(users)).toBe(2)
    expect(await db.$count(users, gt(users.id, 1))).toBe(1)
    expect(
      await db
        .select({ name: users.name, posts: db.$count(posts, eq(posts.authorId, users.id)) })
        .from(users)
        .orderBy(users.id),
    ).toEqual([
      { name: 'Ada', posts: 2 },
      { name: 'Alan', posts: 0 },
    ])
  })

  test('of left joins have null in place of the table without a row', async () => {
    const db = await openWithRows()
    const rows = await db
      .select()
      .from(users)
      .leftJoin(posts, eq(posts.authorId, users.id))
      .orderBy(users.id, posts.id)
    expect(rows.map((row) => [row.users.name, row.posts?.title])).toEqual([
      ['Ada', 'Notes'],
      ['Ada', 'Bernoulli'],
      ['Alan', undefined],
    ])
    expect(rows[2]!.posts).toBeNull()
  })

  test('of views, subqueries, common table expressions and set operations are mapped too', async () => {
    const db = await openWithRows()
    await db.run(sql`create view admins as select id, name from users where is_admin`)
    const admins = sqliteView('admins', { id: integer(), name: text() }).existing()
    expect(await db.select().from(admins)).toEqual([{ id: 1, name: 'Ada' }])

    const counted = db.$with('counted').as(
      db
        .select({ authorId: posts.authorId, n: count().as('n') })
        .from(posts)
        .groupBy(posts.authorId),
    )
    expect(
      await db
        .with(counted)
        .select({ name: users.name, n: counted.n })
        .from(users)
        .innerJoin(counted, eq(counted.authorId, users.id)),
    ).toEqual([{ name: 'Ada', n: 2 }])

    const first = db.select({ text: users.name }).from(users).where(eq(users.id, 2))
    const second = db.select({ text: posts.title }).from(posts).where(eq(posts.id, 1))
    expect(await first.union(second).orderBy(sql`1`)).toEqual([{ text: 'Alan' }, { text: 'Notes' }])
  })
})

describe('run()', () => {
  test('tells how many rows changed, and the id of the last inserted one', async () => {
    const db = await openWithRows()
    expect(await db.insert(users).values([{ name: 'Grace' }, { name: 'Edsger' }])).toEqual({
      changes: 2,
      lastInsertRowid: 4,
    })
    expect(await db.update(users).set({ isAdmin: true }).where(gt(users.id, 1))).toEqual({
      changes: 3,
      lastInsertRowid: undefined,
    })
    expect(await db.delete(users).where(eq(users.id, 4)).run()).toEqual({
      changes: 1,
      lastInsertRowid: undefined,
    })
  })

  test('does not report the id of an earlier insert for DDL and skipped rows', async () => {
    const db = await openWithRows()
    const none = { changes: 0, lastInsertRowid: undefined }
    expect(await db.insert(users).values(ada).onConflictDoNothing()).toEqual(none)
    expect(await db.run(sql`create table other (id integer)`)).toEqual(none)
    expect(await db.select().from(users).run()).toEqual(none)
    expect(
      await db
        .insert(users)
        .values(ada)
        .onConflictDoUpdate({ target: users.id, set: { name: 'Ada L.' } }),
    ).toEqual({ changes: 1, lastInsertRowid: undefined })
  })

  test('does not count rows that a foreign key deletes', async () => {
    const db = await openWithRows()
    expect(await db.delete(users).where(eq(users.id, 1))).toMatchObject({ changes: 1 })
    expect(await db.$count(posts)).toBe(0)
  })

  test('gives a rowid that no number holds as a bigint, exactly', async () => {
    const db = await openDatabase()
    const inserted = await db.run(
      sql`insert into users (id, name, is_admin) values (9007199254740993, 'Big', 0)`,
    )
    expect(inserted.lastInsertRowid).toBe(9007199254740993n)
  })

  test('gives rowids as bigints under int64: bigint', async () => {
    const db = await openDatabase({ int64: 'bigint' })
    expect(await db.insert(users).values({ name: 'Ada' })).toEqual({
      changes: 1,
      lastInsertRowid: 1n,
    })
  })
})

describe('prepared queries', () => {
  test('take placeholders, each time anew', async () => {
    const db = await openWithRows()
    const byId = db
      .select()
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare()
    expect(await byId.all({ id: 1 })).toEqual([ada])
    expect(await byId.get({ id: 2 })).toEqual(alan)
    expect(await byId.execute({ id: 9 })).toEqual([])
    expect(await byId.values({ id: 2 })).toEqual([[2, 'Alan', 0, null]])
    expect(await byId.all({ id: 1 })).toEqual([ada])
  })

  test('encode placeholders by their columns', async () => {
    const db = await openWithRows()
    const insert = db
      .insert(users)
      .values({
        name: sql.placeholder('name'),
        isAdmin: sql.placeholder('isAdmin'),
        joinedAt: sql.placeholder('at'),
      })
      .prepare()
    expect(await insert.run({ name: 'Grace', isAdmin: true, at: ada.joinedAt })).toEqual({
      changes: 1,
      lastInsertRowid: 3,
    })
    expect(await db.query.users.findFirst({ where: eq(users.id, 3) })).toEqual({
      ...ada,
      id: 3,
      name: 'Grace',
    })
  })

  test('run side by side without mixing up', async () => {
    const db = await openWithRows()
    const byId = db.query.users.findFirst({ where: eq(users.id, sql.placeholder('id')) }).prepare()
    const found = await Promise.all([1, 2, 1, 2].map((id) => byId.execute({ id })))
    expect(found).toEqual([ada, alan, ada, alan])
  })

  test('reject when a placeholder has no value', async () => {
    const db = await openWithRows()
    const byId = db
      .select()
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare()
    expect((await rejection(byId.get())).message).toBe('No value for placeholder "id" was provided')
  })
})

describe('casing', () => {
  test('names the columns of tables that leave it open', async () => {
    const people = sqliteTable('people', {
      id: integer().primaryKey(),
      firstName: text().notNull(),
    })
    const db = drizzle({ connection: temporaryFile(), casing: 'snake_case', schema: { people } })
    onTestFinished(() => db.$client.close().then(() => {}))
    await db.run(sql`create table people (id integer primary key, first_name text not null)`)
    await db.insert(people).values({ firstName: 'Ada' })
    expect(await db.select().from(people)).toEqual([{ id: 1, firstName: 'Ada' }])
    expect(await db.query.people.findFirst()).toEqual({ id: 1, firstName: 'Ada' })
    await db.transaction(async (tx) => {
      expect(await tx.update(people).set({ firstName: 'Augusta' }).returning()).toEqual([
        { id: 1, firstName: 'Augusta' },
      ])
    })
  })
})

describe('the logger', () => {
  test('is told of each statement once, with the parameters that are bound', async () => {
    const log: [string, unknown[]][] = []
    const db = await openDatabase(
      {},
      { logger: { logQuery: (query, params) => void log.push([query, params]) } },
    )
    log.length = 0
    await db.insert(users).values({ name: 'Ada', isAdmin: true })
    await db.select({ id: users.id }).from(users).all()
    await db.select({ id: users.id }).from(users).get()
    await db
      .select({ id: users.id })
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare()
      .values({ id: 1 })
    await db.run(sql`select 1`)
    await db.transaction((tx) => tx.get(sql`select 2`))
    expect(log).toEqual([
      [
        'insert into "users" ("id", "name", "is_admin", "joined_at") values (null, ?, ?, null)',
        ['Ada', 1],
      ],
      ['select "id" from "users"', []],
      ['select "id" from "users"', []],
      ['select "id" from "users" where "users"."id" = ?', [1]],
      ['select 1', []],
      ['select 2', []],
    ])
  })

  test('changes nothing but a warning when it throws', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const logger = {
      logQuery: () => {
        throw new Error('disk full')
      },
    }
    const db = await openDatabase({}, { logger })
    await db.insert(users).values({ name: 'Ada' })
    expect(await names(db)).toEqual(['Ada'])
    await new Promise(setImmediate)
    expect(warnings).toEqual([expect.objectContaining({ code: 'KEELSON_LOGGER_FAILED' })])
    expect(warnings[0]!.message).toContain('disk full')
  })
})

describe('errors', () => {
  test('of SQLite are the cause of a DrizzleQueryError with the query and its parameters', async () => {
    const db = await openWithRows()
    const error = await rejection(db.insert(users).values({ name: 'Ada' }))
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(error).toMatchObject({
      query: expect.stringContaining('insert into "users"'),
      params: ['Ada', 0],
    })
    expect(error.cause).toBeInstanceOf(SqliteError)
    expect(error.cause).toMatchObject({ code: 'SQLITE_CONSTRAINT_UNIQUE' })
  })

  test('of SQLite look the same from raw SQL, relational queries, $count and prepared queries', async () => {
    const db = await openDatabase()
    await db.run(sql`drop table posts`)
    for (const query of [
      db.run(sql`select * from posts`),
      db.all(sql`select * from posts`),
      db.get(sql`select * from posts`),
      db.values(sql`select * from posts`),
      db.query.posts.findMany(),
      db.query.users.findFirst({ with: { posts: true } }),
      db.$count(posts),
      db.select().from(posts).prepare().all(),
    ]) {
      const error = await rejection(query)
      expect(error).toBeInstanceOf(DrizzleQueryError)
      expect(error.cause).toMatchObject({ code: 'SQLITE_ERROR', message: 'no such table: posts' })
    }
  })

  test('of a refusal are the refusal itself', async () => {
    const db = await openDatabase()
    expect(await rejection(db.run(sql`select 1; select 2`))).toMatchObject({
      code: 'MULTIPLE_STATEMENTS',
    })
    expect(await rejection(db.run(sql`begin`))).toMatchObject({ code: 'TRANSACTION_CONTROL' })
    expect(await rejection(db.get(sql`select 9007199254740993 as big`))).toMatchObject({
      code: 'INT64_RANGE',
      column: 'big',
    })
  })

  test('of a decoder are its own', async () => {
    const db = await openWithRows()
    await db.run(sql`update posts set tags = 'no json' where id = 2`)
    expect(await rejection(db.select().from(posts))).toBeInstanceOf(SyntaxError)
  })

  test('of a statement with too many values say so', async () => {
    const db = await openDatabase()
    const many = Array.from({ length: 17_000 }, (_, index) => ({ name: `user ${index}` }))
    expect(await rejection(db.insert(users).values(many))).toMatchObject({
      code: 'TOO_MANY_PARAMETERS',
    })
    expect(await db.$count(users)).toBe(0)
  })
})
