import { drizzle, type KeelsonDuckDBDatabase } from '@keelson/duckdb/drizzle'
import type { DuckDBOptions } from '@keelson/duckdb'
import { and, asc, desc, DrizzleError, eq, gt, type Placeholder, relations, sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  date,
  integer,
  interval,
  json,
  numeric,
  pgTable,
  text,
  time,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { closeAfterTest, rejection } from './fixture.ts'

const blob = customType<{ data: Uint8Array }>({ dataType: () => 'blob' })

/** A column of each kind that JSON, which Drizzle asks PostgreSQL for, has no values for. */
const values = {
  big: bigint({ mode: 'bigint' }),
  count: bigint({ mode: 'number' }),
  amount: numeric({ precision: 38, scale: 10 }),
  at: timestamp('moment'),
  atText: timestamp('at_text', { mode: 'string' }),
  atZone: timestamp('at_zone', { withTimezone: true }),
  day: date({ mode: 'date' }),
  dayText: date('day_text'),
  clock: time(),
  span: interval(),
  meta: json(),
  bytes: blob(),
  key: uuid(),
  flag: boolean(),
  sizes: integer().array(),
  days: date({ mode: 'date' }).array(),
  metas: json().array(),
}

const users = pgTable('users', {
  id: integer().primaryKey(),
  name: text(),
  invitedBy: integer('invited_by'),
  ...values,
})
const posts = pgTable('posts', {
  id: integer().primaryKey(),
  authorId: integer('author_id'),
  title: text(),
})
const comments = pgTable('comments', {
  id: integer().primaryKey(),
  postId: integer('post_id'),
  authorId: integer('author_id'),
  body: text(),
})
const schema = {
  users,
  posts,
  comments,
  usersRelations: relations(users, ({ one, many }) => ({
    posts: many(posts),
    comments: many(comments),
    inviter: one(users, {
      fields: [users.invitedBy],
      references: [users.id],
      relationName: 'invites',
    }),
    invited: many(users, { relationName: 'invites' }),
  })),
  postsRelations: relations(posts, ({ one, many }) => ({
    author: one(users, { fields: [posts.authorId], references: [users.id] }),
    comments: many(comments),
  })),
  commentsRelations: relations(comments, ({ one }) => ({
    post: one(posts, { fields: [comments.postId], references: [posts.id] }),
    author: one(users, { fields: [comments.authorId], references: [users.id] }),
  })),
}
type Database = KeelsonDuckDBDatabase<typeof schema>

const statements = [
  `create table users (
    id integer primary key, name text, invited_by integer, big bigint, count bigint, amount decimal(38, 10),
    moment timestamp, at_text timestamp, at_zone timestamptz, day date, day_text date, clock time, span interval, meta json,
    bytes blob, key uuid, flag boolean, sizes integer[], days date[], metas json[]
  )`,
  'create table posts (id integer primary key, author_id integer, title text)',
  'create table comments (id integer primary key, post_id integer, author_id integer, body text)',
  String.raw`insert into users values (
    1, 'Ada', null, 9223372036854775807, 9007199254740991, 1234567890123456789012345678.0123456789,
    '2026-11-21 08:15:00.123456', '2026-11-21 08:15:00.123456', '2026-11-21 08:15:00.123+02', '2026-11-21',
    '0044-03-15 (BC)', '23:59:59.999999', interval '1 year 2 months -3 days 04:05:06.5', '"{\"a\": 1}"',
    '\x00\xFF'::blob, '6b1d4a8e-6f2e-4b6e-8d8f-0123456789ab', true, [1, null, 3], ['2026-11-21', null], ['{"a": 1}', '"[1]"']
  )`,
  `insert into users (id, name, invited_by) values (2, 'Alan', 1), (3, 'Grace', 1)`,
  `insert into posts values (1, 1, 'Notes'), (2, 1, 'Bernoulli'), (3, 2, 'Machines'), (4, null, 'Nobody')`,
  `insert into comments values (1, 1, 2, 'a'), (2, 1, 3, 'b'), (3, 2, 2, 'c'), (4, 3, 1, 'd')`,
]

const ada = {
  id: 1,
  name: 'Ada',
  invitedBy: null,
  big: 9223372036854775807n,
  count: 9007199254740991,
  amount: '1234567890123456789012345678.0123456789',
  at: new Date('2026-11-21T08:15:00.123Z'),
  atText: '2026-11-21 08:15:00.123456',
  atZone: new Date('2026-11-21T06:15:00.123Z'),
  day: new Date('2026-11-21'),
  dayText: '0044-03-15 (BC)',
  clock: '23:59:59.999999',
  span: '1 year 2 months -3 days 04:05:06.5',
  meta: '{"a": 1}',
  bytes: expect.objectContaining({ 0: 0, 1: 255, length: 2 }),
  key: '6b1d4a8e-6f2e-4b6e-8d8f-0123456789ab',
  flag: true,
  sizes: [1, null, 3],
  days: [new Date('2026-11-21'), null],
  metas: [{ a: 1 }, '[1]'],
}
const nothing = Object.fromEntries(Object.keys(values).map((key) => [key, null]))
const alan = { id: 2, name: 'Alan', invitedBy: 1, ...nothing }

async function open(options: DuckDBOptions = {}): Promise<Database> {
  const db = drizzle({ connection: { path: ':memory:', ...options }, schema })
  closeAfterTest(db)
  for (const statement of statements) await db.execute(sql.raw(statement))
  return db
}

describe('values keep their types and every digit', () => {
  const policies: [string, DuckDBOptions][] = [
    ['by default', {}],
    ['when integers are bigints', { int64: 'bigint' }],
    ['when integers are texts', { int64: 'string' }],
    ['when integers are rounded', { int64: 'lossyNumber' }],
    ['when decimals are numbers', { decimal: 'number' }],
    ['when timestamps are dates', { timestamp: 'lossyDate', date: 'date' }],
    ['when infinity is a number', { infinity: 'number' }],
    ['when times are microseconds', { time: 'micros' }],
    ['when intervals and JSON are text', { interval: 'string', json: 'string' }],
    ['in another time zone', { settings: { TimeZone: 'America/New_York' } }],
  ]
  test.for(policies)('at every depth, %s', async ([, options]) => {
    const db = await open(options)
    expect(await db.query.users.findFirst({ where: eq(users.id, 1) })).toEqual(ada)
    expect(
      await db.query.posts.findFirst({ where: eq(posts.id, 1), with: { author: true } }),
    ).toEqual({
      id: 1,
      authorId: 1,
      title: 'Notes',
      author: ada,
    })
    expect(
      await db.query.users.findFirst({
        columns: { name: true },
        where: eq(users.id, 2),
        with: { inviter: { with: { invited: { orderBy: users.id } } } },
      }),
    ).toEqual({
      name: 'Alan',
      inviter: { ...ada, invited: [alan, { ...alan, id: 3, name: 'Grace' }] },
    })
  })

  test('in extras, as the options of the database say', async () => {
    const db = await open()
    const extras = {
      total: sql<number>`count(*) over ()`.as('total'),
      a: sql<unknown>`${users.metas}[1] -> 'a'`.as('a'),
      name: sql<string>`upper(${users.name})`.as('shout'),
    }
    expect(
      await db.query.users.findFirst({ columns: { id: true }, extras, orderBy: users.id }),
    ).toEqual({
      id: 1,
      total: 3,
      a: 1,
      name: 'ADA',
    })
    const rows = await db.query.posts.findMany({
      columns: { id: true },
      where: eq(posts.id, 1),
      with: {
        author: {
          columns: { meta: true },
          extras: { big: sql`${users.big} - 9223372036854775806`.as('big') },
        },
      },
    })
    expect(rows).toEqual([{ id: 1, author: { meta: '{"a": 1}', big: 1 } }])
  })

  test('or throw where a number would round', async () => {
    const db = await open()
    await db.execute(sql`update users set count = 9007199254740993 where id = 1`)
    for (const query of [
      () => db.query.users.findFirst({ columns: { count: true } }),
      () => db.query.posts.findMany({ with: { author: { columns: { count: true } } } }),
    ]) {
      expect(await rejection(query())).toMatchObject({
        code: 'INT64_RANGE',
        column: 'count',
        value: 9007199254740993n,
      })
    }
    const extras = { huge: sql`9007199254740993`.as('huge') }
    expect(
      await rejection(
        db.query.posts.findMany({ with: { author: { columns: { id: true }, extras } } }),
      ),
    ).toMatchObject({ code: 'INT64_RANGE', column: 'author.huge' })
  })
})

describe('rows', () => {
  test('of relations are nested three levels deep, and filtered and ordered at each', async () => {
    const db = await open()
    expect(
      await db.query.users.findMany({
        columns: { name: true },
        where: gt(users.id, 0),
        orderBy: desc(users.id),
        with: {
          posts: {
            columns: { title: true },
            orderBy: [asc(posts.title)],
            where: (post, { ne }) => ne(post.title, 'nothing'),
            with: {
              comments: {
                columns: { body: true },
                orderBy: (comment, { desc: descending }) => descending(comment.id),
                with: { author: { columns: { name: true } } },
              },
            },
          },
        },
      }),
    ).toEqual([
      { name: 'Grace', posts: [] },
      {
        name: 'Alan',
        posts: [{ title: 'Machines', comments: [{ body: 'd', author: { name: 'Ada' } }] }],
      },
      {
        name: 'Ada',
        posts: [
          { title: 'Bernoulli', comments: [{ body: 'c', author: { name: 'Alan' } }] },
          {
            title: 'Notes',
            comments: [
              { body: 'b', author: { name: 'Grace' } },
              { body: 'a', author: { name: 'Alan' } },
            ],
          },
        ],
      },
    ])
  })

  test('that are not there are an empty list, null, or undefined', async () => {
    const db = await open()
    expect(
      await db.query.posts.findFirst({
        where: eq(posts.id, 4),
        with: { author: true, comments: true },
      }),
    ).toEqual({ id: 4, authorId: null, title: 'Nobody', author: null, comments: [] })
    expect(await db.query.posts.findFirst({ where: eq(posts.id, 9) })).toBeUndefined()
    expect(await db.query.posts.findMany({ where: eq(posts.id, 9) })).toEqual([])
  })

  test('whose columns are all null are rows', async () => {
    const db = await open()
    expect(
      await db.query.comments.findFirst({
        columns: { id: true },
        where: eq(comments.id, 1),
        with: { author: { columns: { bytes: true } } },
      }),
    ).toEqual({ id: 1, author: { bytes: null } })
  })

  test('are limited and skipped at every level, by numbers and by placeholders', async () => {
    const db = await open()
    const expected = [
      { id: 2, posts: [{ id: 3, comments: [{ id: 4 }] }] },
      { id: 1, posts: [{ id: 1, comments: [{ id: 2 }] }] },
    ]
    const query = (limit: number | Placeholder, offset: number | Placeholder) =>
      db.query.users.findMany({
        columns: { id: true },
        where: sql`${users.id} < 3`,
        orderBy: desc(users.id),
        limit: 5,
        with: {
          posts: {
            columns: { id: true },
            orderBy: asc(posts.id),
            limit,
            with: {
              comments: { columns: { id: true }, orderBy: desc(comments.id), limit, offset: 0 },
            },
          },
        },
        offset,
      })
    expect(await query(1, 0)).toEqual(expected)
    const prepared = query(sql.placeholder('limit'), sql.placeholder('offset')).prepare('pages')
    expect(await prepared.execute({ limit: 1, offset: 0 })).toEqual(expected)
    expect(await prepared.execute({ limit: 1, offset: 1 })).toEqual(expected.slice(1))
    expect(await prepared.execute({ limit: 0, offset: 0 })).toEqual([
      { id: 2, posts: [] },
      { id: 1, posts: [] },
    ])
    const skipping = db.query.users
      .findMany({
        columns: { id: true },
        orderBy: users.id,
        with: {
          posts: {
            columns: { id: true },
            orderBy: posts.id,
            offset: sql.placeholder('skip'),
          } as never,
        },
      })
      .prepare('skipping')
    expect(await skipping.execute({ skip: 1 })).toEqual([
      { id: 1, posts: [{ id: 2 }] },
      { id: 2, posts: [] },
      { id: 3, posts: [] },
    ])
  })

  test('are limited by nothing that would become SQL of its own', async () => {
    const db = await open()
    for (const limit of ['1) union (select 2', '1', -1, 0.5, Number.NaN])
      for (const name of ['limit', 'offset'])
        expect(() =>
          db.query.users.findMany({ with: { posts: { [name]: limit } } } as never).toSQL(),
        ).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', option: name }))
  })

  test('are chosen by placeholders at every level', async () => {
    const db = await open()
    const prepared = db.query.users
      .findMany({
        columns: { id: true },
        where: eq(users.name, sql.placeholder('name')),
        with: {
          posts: {
            columns: { id: true },
            where: (post) => and(eq(post.title, sql.placeholder('title')), gt(post.id, 0)),
          },
        },
      })
      .prepare('by_name')
    expect(await prepared.execute({ name: 'Ada', title: 'Notes' })).toEqual([
      { id: 1, posts: [{ id: 1 }] },
    ])
    expect(await prepared.execute({ name: 'Alan', title: 'Notes' })).toEqual([{ id: 2, posts: [] }])
  })

  test('of many thousands keep to their parents, in order', async () => {
    const db = await open()
    await db.execute(
      sql`insert into posts select i, 10 + i % 1000, 'post ' || i from range(1000, 21000) numbers (i)`,
    )
    await db.execute(sql`insert into users (id) select i from range(10, 1010) numbers (i)`)
    const found = await db.query.users.findMany({
      columns: { id: true },
      where: gt(users.id, 9),
      orderBy: users.id,
      with: { posts: { columns: { id: true, authorId: true }, orderBy: desc(posts.id) } },
    })
    expect(found).toHaveLength(1_000)
    for (const { id, posts: own } of found) {
      expect(own).toHaveLength(20)
      expect(own.every(({ authorId }) => authorId === id)).toBe(true)
      expect(own.map((post) => post.id)).toEqual(
        own.map((post) => post.id).toSorted((a, b) => b - a),
      )
    }
  })
})

describe('columns', () => {
  test('are those asked for, or all but those refused', async () => {
    const db = await open()
    const first = (columns: object): Promise<unknown> =>
      db.query.posts.findFirst({ columns, orderBy: posts.id })
    expect(await first({ id: true, title: true })).toEqual({ id: 1, title: 'Notes' })
    expect(await first({ title: false })).toEqual({ id: 1, authorId: 1 })
    expect(await first({ id: true, title: false })).toEqual({ id: 1 })
    expect(await first({ id: undefined, title: true })).toEqual({ title: 'Notes' })
    expect(
      await db.query.posts.findFirst({
        columns: {},
        with: { author: { columns: { id: true } } },
        orderBy: posts.id,
      }),
    ).toEqual({ author: { id: 1 } })
    expect(() => db.query.posts.findFirst({ columns: {} }).toSQL()).toThrow(DrizzleError)
  })

  test('and extras may have names that hide one another', async () => {
    const db = await open()
    const extras = {
      ID: sql<string>`'upper'`.as('ID'),
      posts: sql<string>`'extra'`.as('id'),
      ['__proto__']: sql<number>`7`.as('data'),
    }
    const found = await db.query.posts.findFirst({
      columns: { id: true },
      where: eq(posts.id, 3),
      with: { author: { columns: { id: true }, extras } },
    })
    expect(Object.entries(found!.author!)).toEqual([
      ['id', 2],
      ['ID', 'upper'],
      ['posts', 'extra'],
      ['__proto__', 7],
    ])
  })
})

test('the SQL joins lists of structs', async () => {
  const db = drizzle.mock({ schema })
  expect(
    db.query.posts
      .findMany({
        columns: { id: true },
        with: { comments: { columns: { id: true }, limit: 3, orderBy: comments.id } },
      })
      .toSQL().sql,
  ).toBe(
    'select "posts"."id", "posts_comments"."data" as "comments" from "posts" "posts" left join lateral ' +
      '(select coalesce(list({\'0\': "posts_comments"."id"} order by "posts_comments"."id"), []) as "data" from ' +
      '(select * from "comments" "posts_comments" where "posts_comments"."post_id" = "posts"."id" ' +
      'order by "posts_comments"."id" limit 3) "posts_comments") "posts_comments" on true',
  )
})

test('a relational query runs in a transaction too', async () => {
  const db = await open()
  await db.transaction(async (tx) => {
    await tx.insert(posts).values({ id: 9, authorId: 3, title: 'New' })
    expect(
      await tx.query.users.findFirst({
        columns: { id: true },
        where: eq(users.id, 3),
        with: { posts: { columns: { title: true } } },
      }),
    ).toEqual({ id: 3, posts: [{ title: 'New' }] })
  })
})
