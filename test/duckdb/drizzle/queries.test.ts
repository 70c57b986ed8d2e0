import { drizzle } from '@keelson/duckdb/drizzle'
import { asc, avg, count, DrizzleQueryError, eq, gt, inArray, max, sql, sum } from 'drizzle-orm'
import { alias, integer, pgTable, pgView, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import {
  closeAfterTest,
  names,
  openDatabase,
  posts,
  rejection,
  schema,
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
    expect(await db.select().from(users).where(eq(users.id, 9))).toEqual([])
    expect(await db.select({ tags: posts.tags }).from(posts).orderBy(posts.id)).toEqual([
      { tags: ['engine'] },
      { tags: null },
    ])
    expect(
      await db.update(users).set({ isAdmin: true }).where(eq(users.id, 2)).returning(),
    ).toEqual([{ ...alan, isAdmin: true }])
    expect(await db.delete(posts).where(eq(posts.id, 1)).returning({ title: posts.title })).toEqual(
      [{ title: 'Notes' }],
    )
  })

  test('of rows that are inserted hold what the database has filled in', async () => {
    const db = await openDatabase()
    expect(
      await db
        .insert(users)
        .values([{ name: 'Ada' }, { name: 'Alan', isAdmin: true }])
        .returning(),
    ).toEqual([
      { id: 1, name: 'Ada', isAdmin: false, joinedAt: null },
      { id: 2, name: 'Alan', isAdmin: true, joinedAt: null },
    ])
  })

  test('of raw SQL are those of node-postgres: rows, how many, and the names of the columns', async () => {
    const db = await openWithRows()
    expect(await db.execute(sql`select id, name from users order by id`)).toEqual({
      rows: [
        { id: 1, name: 'Ada' },
        { id: 2, name: 'Alan' },
      ],
      rowCount: 2,
      fields: [{ name: 'id' }, { name: 'name' }],
    })
    expect(await db.execute(sql`select id from users where id = ${9}`)).toEqual({
      rows: [],
      rowCount: 0,
      fields: [{ name: 'id' }],
    })
    expect(
      await db.execute("insert into users (id, name) values (3, 'Grace') returning name"),
    ).toEqual({
      rows: [{ name: 'Grace' }],
      rowCount: 1,
      fields: [{ name: 'name' }],
    })
    expect(await db.execute(sql`delete from posts`)).toEqual({ rows: [], rowCount: 2, fields: [] })
    expect(await db.execute(sql`create table other (id integer)`)).toEqual({
      rows: [],
      rowCount: null,
      fields: [],
    })
    expect(
      await db.execute(db.select({ id: users.id }).from(users).where(eq(users.id, 1))),
    ).toMatchObject({
      rows: [{ id: 1 }],
    })
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

  test('of every kind of join, and of a table joined with itself, tell the tables apart', async () => {
    const db = await openWithRows()
    const other = alias(users, 'other')
    const joined = await db
      .select({ one: users, two: other.name })
      .from(users)
      .innerJoin(other, sql`${users.id} <> ${other.id}`)
      .orderBy(users.id)
    expect(joined).toEqual([
      { one: ada, two: 'Alan' },
      { one: alan, two: 'Ada' },
    ])
    const right = db.select().from(posts).rightJoin(users, eq(posts.authorId, users.id))
    expect(await right.orderBy(users.id, posts.id)).toHaveLength(3)
    const full = db.select().from(posts).fullJoin(users, eq(posts.id, users.id))
    expect(await full.orderBy(users.id)).toMatchObject([{ users: ada }, { users: alan }])
    expect(await db.select().from(users).crossJoin(posts)).toHaveLength(4)
    const latest = db
      .select({ title: posts.title })
      .from(posts)
      .where(eq(posts.authorId, users.id))
      .orderBy(sql`${posts.id} desc`)
      .limit(sql.raw('1') as never)
      .as('latest')
    expect(
      await db
        .select({ name: users.name, title: latest.title })
        .from(users)
        .leftJoinLateral(latest, sql`true`)
        .orderBy(users.id),
    ).toEqual([
      { name: 'Ada', title: 'Bernoulli' },
      { name: 'Alan', title: null },
    ])
  })

  test('of views, subqueries, common table expressions and set operations are mapped too', async () => {
    const db = await openWithRows()
    await db.execute(sql`create view admins as select id, name from users where is_admin`)
    const admins = pgView('admins', { id: integer(), name: text() }).existing()
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

    const first = () => db.select({ text: users.name }).from(users).where(eq(users.id, 2))
    const second = db.select({ text: posts.title }).from(posts).where(eq(posts.id, 1))
    expect(
      await first()
        .union(second)
        .orderBy(sql`1`),
    ).toEqual([{ text: 'Alan' }, { text: 'Notes' }])
    expect(await first().intersect(second)).toEqual([])
    expect(await first().except(second)).toEqual([{ text: 'Alan' }])
    expect(await first().unionAll(first())).toHaveLength(2)
  })

  test('of a subquery as a field, a condition and a table are those of its columns', async () => {
    const db = await openWithRows()
    const joined = db.select({ at: users.joinedAt }).from(users).where(eq(users.id, 1)).as('joined')
    expect(
      await db.select({ title: posts.title, joined }).from(posts).where(eq(posts.id, 1)),
    ).toEqual([{ title: 'Notes', joined: ada.joinedAt }])
    const authors = db.select({ id: posts.authorId }).from(posts)
    expect(
      await db.select({ name: users.name }).from(users).where(inArray(users.id, authors)),
    ).toEqual([{ name: 'Ada' }])
    const inner = db.select().from(users).as('inner')
    expect(await db.select().from(inner).orderBy(inner.id)).toEqual([ada, alan])
  })

  test('of aggregates are numbers and texts, as Drizzle types them', async () => {
    const db = await openWithRows()
    expect(
      await db
        .select({ n: count(), total: sum(posts.id), mean: avg(posts.id), most: max(posts.id) })
        .from(posts),
    ).toEqual([{ n: 2, total: '3', mean: '1.5', most: 2 }])
  })

  test('of distinct selections, groups, limits and offsets are what they say', async () => {
    const db = await openWithRows()
    expect(await db.selectDistinct({ author: posts.authorId }).from(posts)).toEqual([{ author: 1 }])
    expect(
      await db
        .selectDistinctOn([posts.authorId], { title: posts.title })
        .from(posts)
        .orderBy(posts.authorId, asc(posts.id)),
    ).toEqual([{ title: 'Notes' }])
    expect(
      await db.select({ id: posts.id }).from(posts).orderBy(posts.id).limit(1).offset(1),
    ).toEqual([{ id: 2 }])
  })
})

test('a column of a table that is not part of the query fails as in Drizzle, and nothing is sent', async () => {
  const log: string[] = []
  const db = await openDatabase({}, { logger: { logQuery: (query) => void log.push(query) } })
  log.length = 0
  expect(() => db.select({ id: posts.id }).from(users).toSQL()).toThrow(
    'references a column "posts"."id", but the table "posts" is not part of the query',
  )
  expect((await rejection(db.select({ id: posts.id }).from(users))).message).toContain(
    'Did you forget to join it?',
  )
  expect(log).toEqual([])
})

describe('writes', () => {
  test('tell how many rows they changed', async () => {
    const db = await openWithRows()
    expect(
      await db.insert(users).values([
        { id: 3, name: 'Grace' },
        { id: 4, name: 'Edsger' },
      ]),
    ).toEqual({
      rows: [],
      rowCount: 2,
      fields: [],
    })
    expect(await db.update(users).set({ isAdmin: true }).where(gt(users.id, 1))).toMatchObject({
      rowCount: 3,
    })
    expect(await db.delete(users).where(eq(users.id, 4))).toMatchObject({ rowCount: 1 })
    expect(await db.delete(users).where(eq(users.id, 4))).toMatchObject({ rowCount: 0 })
  })

  test('that meet a conflict skip the row or update it, and count what they did', async () => {
    const db = await openWithRows()
    const both = [ada, { id: 3, name: 'Grace' }]
    expect(await db.insert(users).values(both).onConflictDoNothing()).toMatchObject({ rowCount: 1 })
    expect(
      await db.insert(users).values(ada).onConflictDoNothing({ target: users.name }).returning(),
    ).toEqual([])
    const upsert = db
      .insert(users)
      .values([
        { id: 1, name: 'Augusta' },
        { id: 4, name: 'Edsger' },
      ])
      .onConflictDoUpdate({ target: users.id, set: { isAdmin: sql`not ${users.isAdmin}` } })
    expect(await upsert).toMatchObject({ rowCount: 2 })
    expect(await db.select().from(users).where(eq(users.id, 1))).toEqual([
      { ...ada, isAdmin: false },
    ])
    expect(
      await db
        .insert(users)
        .values({ ...alan, isAdmin: true })
        .onConflictDoUpdate({
          target: users.id,
          set: { isAdmin: sql`excluded.is_admin` },
          setWhere: eq(users.name, 'nobody'),
        }),
    ).toMatchObject({ rowCount: 0 })
  })

  test('take their rows from a query, and their values from another table', async () => {
    const db = await openWithRows()
    await db.execute(sql`create table archive (id integer, title text)`)
    const archive = pgTable('archive', { id: integer(), title: text() })
    expect(
      await db.insert(archive).select(db.select({ id: posts.id, title: posts.title }).from(posts)),
    ).toMatchObject({ rowCount: 2 })
    await db
      .update(archive)
      .set({ title: sql`${archive.title} || ' by ' || ${users.name}` })
      .from(users)
      .where(eq(users.id, archive.id))
    expect(await db.select().from(archive).orderBy(archive.id)).toEqual([
      { id: 1, title: 'Notes by Ada' },
      { id: 2, title: 'Bernoulli by Alan' },
    ])
  })

  test('use $defaultFn and $onUpdate', async () => {
    const db = await openDatabase()
    await db.execute(sql`create table things (id text primary key, version integer)`)
    let version = 0
    const things = pgTable(
      'things',
      {
        id: text()
          .primaryKey()
          .$defaultFn(() => 'made up'),
        version: integer().$onUpdate(() => ++version),
      },
      (table) => [uniqueIndex('unused').on(table.version)],
    )
    await db.insert(things).values({})
    await db.update(things).set({ id: 'other' })
    expect(await db.select().from(things)).toEqual([{ id: 'other', version: 2 }])
  })
})

describe('prepared queries', () => {
  test('take placeholders, each time anew', async () => {
    const db = await openWithRows()
    const byId = db
      .select()
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .limit(sql.placeholder('limit'))
      .prepare('by_id')
    expect(await byId.execute({ id: 1, limit: 5 })).toEqual([ada])
    expect(await byId.execute({ id: 2, limit: 1 })).toEqual([alan])
    expect(await byId.execute({ id: 9, limit: 1 })).toEqual([])
    expect(await byId.execute({ id: 1, limit: 0 })).toEqual([])
  })

  test('encode placeholders by their columns, null too', async () => {
    const db = await openWithRows()
    const insert = db
      .insert(users)
      .values({
        id: sql.placeholder('id'),
        name: sql.placeholder('name'),
        isAdmin: sql.placeholder('isAdmin'),
        joinedAt: sql.placeholder('at'),
      })
      .returning()
      .prepare('add')
    expect(
      await insert.execute({ id: 3, name: 'Grace', isAdmin: true, at: ada.joinedAt }),
    ).toMatchObject([{ name: 'Grace', isAdmin: true, joinedAt: ada.joinedAt }])
    expect(await insert.execute({ id: 4, name: 'Edsger', isAdmin: false, at: null })).toMatchObject(
      [{ name: 'Edsger', joinedAt: null }],
    )
  })

  test('run side by side without mixing up', async () => {
    const db = await openWithRows()
    const byId = db.query.users
      .findFirst({ where: eq(users.id, sql.placeholder('id')) })
      .prepare('first')
    const found = await Promise.all([1, 2, 1, 2].map((id) => byId.execute({ id })))
    expect(found).toEqual([ada, alan, ada, alan])
  })

  test('reject when a placeholder has no value', async () => {
    const db = await openWithRows()
    const byId = db
      .select()
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare('by_id')
    expect((await rejection(byId.execute())).message).toBe(
      'No value for placeholder "id" was provided',
    )
  })
})

test('casing names the columns of tables that leave it open', async () => {
  const people = pgTable('people', { id: integer().primaryKey(), firstName: text().notNull() })
  const db = drizzle({ connection: ':memory:', casing: 'snake_case', schema: { people } })
  closeAfterTest(db)
  await db.execute(sql`create table people (id integer primary key, first_name text not null)`)
  await db.insert(people).values({ id: 1, firstName: 'Ada' })
  expect(await db.select().from(people)).toEqual([{ id: 1, firstName: 'Ada' }])
  expect(await db.query.people.findFirst()).toEqual({ id: 1, firstName: 'Ada' })
  await db
    .insert(people)
    .values({ id: 1, firstName: 'Augusta' })
    .onConflictDoUpdate({ target: people.id, set: { firstName: 'Augusta' } })
  await db.transaction(async (tx) => {
    expect(await tx.update(people).set({ firstName: 'A.' }).returning()).toEqual([
      { id: 1, firstName: 'A.' },
    ])
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
    await db.select({ id: users.id }).from(users)
    await db
      .select({ id: users.id })
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare('by_id')
      .execute({ id: 1 })
    await db.execute(sql`select ${'x'}::text`)
    await db.transaction((tx) => tx.execute(sql`select 2`))
    expect(log).toEqual([
      [
        'insert into "users" ("id", "name", "is_admin", "joined_at") values (default, $1, $2, default)',
        ['Ada', true],
      ],
      ['select "id" from "users"', []],
      ['select "id" from "users" where "users"."id" = $1', [1]],
      ['select $1::text', ['x']],
      ['select 2', []],
    ])
  })

  test('changes nothing but a warning when it throws', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    const logger = {
      logQuery: () => {
        throw new Error('disk full')
      },
    }
    const db = await openDatabase({}, { logger })
    await db.insert(users).values({ name: 'Ada' })
    expect(await names(db)).toEqual(['Ada'])
    await new Promise(setImmediate)
    process.off('warning', listen)
    expect(warnings).toEqual([expect.objectContaining({ code: 'KEELSON_LOGGER_FAILED' })])
    expect(warnings[0]!.message).toContain('disk full')
  })
})

describe('errors', () => {
  test('of DuckDB are the cause of a DrizzleQueryError with the query and its parameters', async () => {
    const db = await openWithRows()
    const error = await rejection(db.insert(users).values({ id: 7, name: 'Ada' }))
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(error).toMatchObject({
      query: expect.stringContaining('insert into "users"'),
      params: [7, 'Ada'],
    })
    expect(error.cause).toBeInstanceOf(Error)
    expect((error.cause as Error).message).toMatch(/Constraint/)
  })

  test('of DuckDB look the same from raw SQL, relational queries, $count and prepared queries', async () => {
    const db = drizzle(':memory:', { schema })
    closeAfterTest(db)
    for (const query of [
      () => db.execute(sql`select * from posts`),
      () => db.select().from(posts),
      () => db.query.posts.findMany(),
      () => db.query.users.findFirst({ with: { posts: true } }),
      () => db.$count(posts),
      () => db.select().from(posts).prepare('all').execute(),
      () => db.transaction((tx) => tx.select().from(posts)),
    ]) {
      const error = await rejection(query())
      expect(error).toBeInstanceOf(DrizzleQueryError)
      expect((error.cause as Error).message).toMatch(/Table with name (posts|users) does not exist/)
    }
  })

  test('of a refusal are the refusal itself', async () => {
    const db = await openDatabase()
    for (const [statement, expected] of [
      [sql`select 1; select 2`, { code: 'MULTIPLE_STATEMENTS' }],
      [sql`begin`, { code: 'TRANSACTION_CONTROL' }],
      [sql`savepoint a`, { code: 'SAVEPOINTS_NOT_SUPPORTED' }],
      [sql`select 9007199254740993 as big`, { code: 'INT64_RANGE', column: 'big' }],
    ] as const) {
      expect(await rejection(db.execute(statement))).toMatchObject(expected)
    }
  })

  test('say where Drizzle’s own migrators cannot be used', async () => {
    const db = await openDatabase()
    const { dialect } = db as unknown as { dialect: { migrate(): Promise<void> } }
    expect((await rejection(dialect.migrate())).message).toContain(
      'Use migrate() of @keelson/duckdb/drizzle.',
    )
  })
})
