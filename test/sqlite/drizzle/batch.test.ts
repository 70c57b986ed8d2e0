import { eq, sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { names, openDatabase, posts, rejection, users } from './fixture.ts'

test('batch() runs queries of every kind in order and returns their results', async () => {
  const db = await openDatabase()
  const results = await db.batch([
    db.insert(users).values({ name: 'Ada' }).returning({ id: users.id }),
    db.insert(posts).values({ authorId: 1, title: 'Notes', tags: ['engine'] }),
    db.select({ name: users.name }).from(users),
    db.select().from(users).leftJoin(posts, eq(posts.authorId, users.id)),
    db.query.users.findMany({
      columns: { name: true },
      with: { posts: { columns: { tags: true } } },
    }),
    db.query.users.findFirst({ columns: { id: true } }),
    db.run(sql`update users set is_admin = 1`),
    db.all(sql`select is_admin from users`),
    db.get(sql`select name from users`),
    db.values(sql`select id, name from users`),
    db.delete(posts),
  ])
  const ada = { id: 1, name: 'Ada', isAdmin: false, joinedAt: null }
  expect(results).toEqual([
    [{ id: 1 }],
    { changes: 1, lastInsertRowid: 1 },
    [{ name: 'Ada' }],
    [{ users: ada, posts: { id: 1, authorId: 1, title: 'Notes', tags: ['engine'] } }],
    [{ name: 'Ada', posts: [{ tags: ['engine'] }] }],
    { id: 1 },
    { changes: 1, lastInsertRowid: undefined },
    [{ is_admin: 1 }],
    { name: 'Ada' },
    [[1, 'Ada']],
    { changes: 1, lastInsertRowid: undefined },
  ])
})

test('batch() does all or nothing: the first query that fails undoes those before it', async () => {
  const db = await openDatabase()
  const error = await rejection(
    db.batch([
      db.insert(users).values({ name: 'Ada' }),
      db.insert(users).values({ name: 'Ada' }),
      db.insert(users).values({ name: 'Alan' }),
    ]),
  )
  expect(error).toMatchObject({
    query: expect.stringContaining('insert'),
    cause: { code: 'SQLITE_CONSTRAINT_UNIQUE' },
  })
  expect(await names(db)).toEqual([])
})

test('batch() is one transaction: nobody writes in between', async () => {
  const db = await openDatabase()
  const [, batch] = await Promise.all([
    db.insert(users).values({ name: 'before' }).execute(),
    db.batch([
      db.insert(users).values({ name: 'Ada' }),
      db.select({ name: users.name }).from(users).orderBy(users.id),
    ]),
    db.insert(users).values({ name: 'after' }).execute(),
  ])
  expect(batch[1]).toEqual([{ name: 'before' }, { name: 'Ada' }])
})

test('batch() of nothing begins no transaction, and of something else is refused', async () => {
  const db = await openDatabase()
  await db.transaction(async () => expect(await db.batch([] as never)).toEqual([]))
  const error = await rejection(
    db.batch([db.insert(users).values({ name: 'Ada' }), db.$count(users)] as never),
  )
  expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'queries' })
  expect(await names(db)).toEqual([])
})
