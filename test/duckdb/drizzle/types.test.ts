import { DuckDBInstance } from '@duckdb/node-api'
import { openDuckDB, type DuckDBDatabase } from '@keelson/duckdb'
import {
  drizzle,
  migrate,
  stream,
  type DuckDBQueryResult,
  type DuckDBQueryResultHKT,
  type KeelsonDuckDBDatabase,
  type KeelsonDuckDBTransaction,
} from '@keelson/duckdb/drizzle'
import { eq, sql } from 'drizzle-orm'
import type { PgDatabase } from 'drizzle-orm/pg-core'
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
  never(async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const database = await openDuckDB(':memory:')
    expectTypeOf(drizzle('app.duckdb')).toEqualTypeOf<KeelsonDuckDBDatabase>()
    expectTypeOf(drizzle('app.duckdb', { schema })).toEqualTypeOf<Database>()
    expectTypeOf(
      drizzle(database, { schema, logger: true, casing: 'snake_case' }),
    ).toEqualTypeOf<Database>()
    expectTypeOf(drizzle(instance, { schema })).toEqualTypeOf<Database>()
    expectTypeOf(drizzle({ client: instance, schema })).toEqualTypeOf<Database>()
    expectTypeOf(drizzle({ client: database })).toEqualTypeOf<KeelsonDuckDBDatabase>()
    expectTypeOf(drizzle({ connection: 'app.duckdb', schema })).toEqualTypeOf<Database>()
    expectTypeOf(
      drizzle({ connection: { path: 'app.duckdb', int64: 'bigint' }, schema }),
    ).toEqualTypeOf<Database>()
    expectTypeOf(drizzle('app.duckdb').$client).toEqualTypeOf<DuckDBDatabase>()
    expectTypeOf(
      drizzle.mock({ schema }).$client,
    ).toEqualTypeOf<'$client is not available on drizzle.mock()'>()
    // @ts-expect-error: one of client and connection
    drizzle({ client: instance, connection: 'app.duckdb' })
    // @ts-expect-error: one of client and connection
    drizzle({ schema })
    // @ts-expect-error: nobody reads this option
    drizzle('app.duckdb', { mode: 'default' })
    // @ts-expect-error: nobody reads this option
    drizzle({ connection: { path: 'app.duckdb', timeout: 5 } })
  })
})

test('a database and a transaction are Drizzle’s, for PostgreSQL', () => {
  never((db) => {
    expectTypeOf(db).toExtend<PgDatabase<DuckDBQueryResultHKT, typeof schema>>()
    void db.transaction(async (tx) => {
      expectTypeOf(tx).toExtend<PgDatabase<DuckDBQueryResultHKT, typeof schema>>()
      expectTypeOf(tx).toEqualTypeOf<KeelsonDuckDBTransaction<typeof schema>>()
    })
  })
})

test('queries give rows, and writes and raw SQL give results', () => {
  never(async (db) => {
    const select = db.select().from(users)
    expectTypeOf(await select).toEqualTypeOf<User[]>()
    expectTypeOf(await select.prepare('all').execute()).toEqualTypeOf<User[]>()
    expectTypeOf(await db.insert(users).values({ name: 'Ada' })).toEqualTypeOf<
      DuckDBQueryResult<never>
    >()
    expectTypeOf(await db.insert(users).values({ name: 'Ada' }).returning()).toEqualTypeOf<User[]>()
    expectTypeOf((await db.update(users).set({ name: 'Ada' })).rowCount).toEqualTypeOf<
      number | null
    >()
    expectTypeOf(await db.execute(sql`select 1`)).toEqualTypeOf<
      DuckDBQueryResult<Record<string, unknown>>
    >()
    expectTypeOf((await db.execute<{ n: number }>(sql`select 1 as n`)).rows).toEqualTypeOf<
      { n: number }[]
    >()
    expectTypeOf(await db.$count(users)).toEqualTypeOf<number>()
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

test('transactions give what their callback gives, and take the options that DuckDB has', () => {
  never(async (db) => {
    const result = await db.transaction(async (tx) => tx.query.users.findFirst())
    expectTypeOf(result).toEqualTypeOf<User | undefined>()
    await db.transaction(async () => {}, { accessMode: 'read only' })
    // @ts-expect-error: DuckDB has one isolation level
    await db.transaction(async () => {}, { isolationLevel: 'serializable' })
    // @ts-expect-error: and nothing to defer
    await db.transaction(async () => {}, { deferrable: true })
    await db.transaction(async (tx) => {
      expectTypeOf(tx.rollback).returns.toBeNever()
    })
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
    expectTypeOf(stream(db, db.execute<{ n: number }>(sql`select 1`))).toEqualTypeOf<
      AsyncIterableIterator<{ n: number }>
    >()
    await db.transaction(async (tx) => void stream(tx, tx.select().from(users)))
    // @ts-expect-error: it gives one row
    stream(db, db.query.users.findFirst())
  })
})

test('migrate() wants a folder', () => {
  never(async (db) => {
    await migrate(db, {
      migrationsFolder: './drizzle',
      migrationsTable: 'migrations',
      migrationsSchema: 'main',
    })
    // @ts-expect-error: no folder
    await migrate(db, {})
  })
})
