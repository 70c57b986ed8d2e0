import { openSqlite, type SqliteDatabase } from '@keelson/sqlite'
import {
  drizzle,
  migrate,
  stream,
  type KeelsonSqliteDatabase,
  type KeelsonSqliteTransaction,
  type RunResult,
} from '@keelson/sqlite/drizzle'
import BetterSqlite3 from 'better-sqlite3'
import { eq, sql } from 'drizzle-orm'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import { expectTypeOf, test } from 'vitest'
import { posts, schema, users, type Database } from './fixture.ts'

interface User {
  id: number
  name: string
  isAdmin: boolean
  joinedAt: Date | null
}
interface Post {
  id: number
  authorId: number
  title: string
  tags: string[] | null
}

/** Nothing in it runs: `tsc -p tsconfig.tests.json` checks it. */
function never(check: (db: Database) => unknown): void {
  void check
}

test('drizzle() takes paths, databases and options, and gives a database with its client', () => {
  never(() => {
    const raw = new BetterSqlite3(':memory:')
    const database = openSqlite(':memory:')
    expectTypeOf(drizzle('app.db')).toEqualTypeOf<KeelsonSqliteDatabase>()
    expectTypeOf(drizzle('app.db', { schema })).toEqualTypeOf<Database>()
    expectTypeOf(
      drizzle(database, { schema, logger: true, casing: 'snake_case' }),
    ).toEqualTypeOf<Database>()
    expectTypeOf(drizzle(raw, { schema })).toEqualTypeOf<Database>()
    expectTypeOf(drizzle({ client: raw, schema })).toEqualTypeOf<Database>()
    expectTypeOf(drizzle({ client: database })).toEqualTypeOf<KeelsonSqliteDatabase>()
    expectTypeOf(drizzle({ connection: 'app.db', schema })).toEqualTypeOf<Database>()
    expectTypeOf(
      drizzle({ connection: { path: 'app.db', int64: 'bigint' }, schema }),
    ).toEqualTypeOf<Database>()
    expectTypeOf(drizzle('app.db').$client).toEqualTypeOf<SqliteDatabase>()
    expectTypeOf(
      drizzle.mock({ schema }).$client,
    ).toEqualTypeOf<'$client is not available on drizzle.mock()'>()
    // @ts-expect-error: one of client and connection
    drizzle({ client: raw, connection: 'app.db' })
    // @ts-expect-error: one of client and connection
    drizzle({ schema })
    // @ts-expect-error: nobody reads this option
    drizzle('app.db', { mode: 'default' })
    // @ts-expect-error: nobody reads this option
    drizzle({ connection: { path: 'app.db', timeout: 5 } })
  })
})

test('a database and a transaction are Drizzle’s, of the async kind', () => {
  never((db) => {
    expectTypeOf(db).toExtend<BaseSQLiteDatabase<'async', RunResult, typeof schema>>()
    void db.transaction(async (tx) => {
      expectTypeOf(tx).toExtend<BaseSQLiteDatabase<'async', RunResult, typeof schema>>()
      expectTypeOf(tx).toEqualTypeOf<KeelsonSqliteTransaction<typeof schema>>()
    })
  })
})

test('queries give rows, one row or none, arrays, and results of run()', () => {
  never(async (db) => {
    const select = db.select().from(users)
    expectTypeOf(await select).toEqualTypeOf<User[]>()
    expectTypeOf(await select.all()).toEqualTypeOf<User[]>()
    expectTypeOf(await select.get()).toEqualTypeOf<User | undefined>()
    expectTypeOf(await select.prepare().execute()).toEqualTypeOf<User[]>()
    expectTypeOf(await db.insert(users).values({ name: 'Ada' })).toEqualTypeOf<RunResult>()
    expectTypeOf(await db.insert(users).values({ name: 'Ada' }).returning()).toEqualTypeOf<User[]>()
    expectTypeOf(await db.run(sql`select 1`)).toEqualTypeOf<RunResult>()
    expectTypeOf(await db.all<{ n: number }>(sql`select 1 as n`)).toEqualTypeOf<{ n: number }[]>()
    expectTypeOf(await db.get<{ n: number }>(sql`select 1 as n`)).toEqualTypeOf<{ n: number }>()
    expectTypeOf(await db.$count(users)).toEqualTypeOf<number>()
    expectTypeOf<RunResult['lastInsertRowid']>().toEqualTypeOf<number | bigint | undefined>()
    // @ts-expect-error: there is no such column
    db.insert(users).values({ name: 'Ada', age: 36 })
  })
})

test('joins and relational queries are typed by their schema', () => {
  never(async (db) => {
    const joined = await db.select().from(users).leftJoin(posts, eq(posts.authorId, users.id))
    expectTypeOf(joined).toEqualTypeOf<{ users: User; posts: Post | null }[]>()
    const first = await db.query.users.findFirst({ with: { posts: { columns: { title: true } } } })
    type Found = {
      id: number
      name: string
      isAdmin: boolean
      joinedAt: Date | null
      posts: { title: string }[]
    }
    expectTypeOf(first).toEqualTypeOf<Found | undefined>()
    // @ts-expect-error: there is no such relation
    void db.query.users.findMany({ with: { comments: true } })
  })
})

test('transactions give what their callback gives, and take options at the root only', () => {
  never(async (db) => {
    const result = await db.transaction(async (tx) =>
      tx.transaction(async (tx2) => tx2.query.users.findFirst()),
    )
    expectTypeOf(result).toEqualTypeOf<User | undefined>()
    await db.transaction(async () => {}, { behavior: 'deferred', accessMode: 'read only' })
    // @ts-expect-error: no such behavior
    await db.transaction(async () => {}, { behavior: 'serializable' })
    await db.transaction(async (tx) => {
      // @ts-expect-error: a savepoint has no options
      await tx.transaction(async () => {}, { behavior: 'deferred' })
      expectTypeOf(tx.rollback).returns.toBeNever()
    })
  })
})

test('batch() gives a tuple', () => {
  never(async (db) => {
    const results = await db.batch([
      db.insert(users).values({ name: 'Ada' }),
      db.select({ id: users.id }).from(users),
      db.query.users.findFirst(),
      db.get<{ n: number }>(sql`select 1 as n`),
    ])
    expectTypeOf(results).toEqualTypeOf<
      [RunResult, { id: number }[], User | undefined, { n: number }]
    >()
  })
})

test('stream() gives the rows of what it streams', () => {
  never(async (db) => {
    expectTypeOf(stream(db, db.select().from(users))).toEqualTypeOf<AsyncIterableIterator<User>>()
    for await (const row of stream(db, db.select({ n: sql<number>`1` }).from(users), {
      chunkRows: 10,
    })) {
      expectTypeOf(row).toEqualTypeOf<{ n: number }>()
    }
    const related = stream(
      db,
      db.query.users.findMany({
        columns: { id: true },
        with: { posts: { columns: { id: true } } },
      }),
    )
    expectTypeOf(related).toEqualTypeOf<
      AsyncIterableIterator<{ id: number; posts: { id: number }[] }>
    >()
    expectTypeOf(stream(db, db.delete(users).returning({ id: users.id }))).toEqualTypeOf<
      AsyncIterableIterator<{ id: number }>
    >()
    expectTypeOf(stream(db, db.all<{ n: number }>(sql`select 1`))).toEqualTypeOf<
      AsyncIterableIterator<{ n: number }>
    >()
    await db.transaction(async (tx) => void stream(tx, tx.select().from(users)))
    // @ts-expect-error: it gives no rows
    stream(db, db.insert(users).values({ name: 'Ada' }))
    // @ts-expect-error: it gives one row
    stream(db, db.query.users.findFirst())
  })
})

test('migrate() wants a folder', () => {
  never(async (db) => {
    await migrate(db, { migrationsFolder: './drizzle', migrationsTable: 'migrations' })
    // @ts-expect-error: no folder
    await migrate(db, {})
  })
})
