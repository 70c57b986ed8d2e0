import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SqliteOptions } from '@keelson/sqlite'
import {
  drizzle,
  type KeelsonSqliteDatabase,
  type SqliteDrizzleConfig,
} from '@keelson/sqlite/drizzle'
import { relations, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { onTestFinished } from 'vitest'

export const users = sqliteTable('users', {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  isAdmin: integer('is_admin', { mode: 'boolean' }).notNull().default(false),
  joinedAt: integer('joined_at', { mode: 'timestamp' }),
})

export const posts = sqliteTable('posts', {
  id: integer().primaryKey(),
  authorId: integer('author_id')
    .notNull()
    .references(() => users.id, { onDelete: 'cascade' }),
  title: text().notNull(),
  tags: text({ mode: 'json' }).$type<string[]>(),
})

const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }))
const postsRelations = relations(posts, ({ one }) => ({
  author: one(users, { fields: [posts.authorId], references: [users.id] }),
}))

export const schema = { users, posts, usersRelations, postsRelations }
export type Database = KeelsonSqliteDatabase<typeof schema>

/** A path in a directory that is deleted after the test, once everything opened later is closed. */
export function temporaryFile(name = 'test.db'): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-drizzle-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, name)
}

/** A database in a file, with the two tables, closed after the test. */
export async function openDatabase(
  options: SqliteOptions = {},
  config: Omit<SqliteDrizzleConfig<typeof schema>, 'schema'> = {},
): Promise<Database> {
  const db = drizzle({ connection: { path: temporaryFile(), ...options }, schema, ...config })
  onTestFinished(() => db.$client.close().then(() => {}))
  await createTables(db)
  return db
}

export async function createTables(db: Database): Promise<void> {
  await db.run(
    sql`create table users (id integer primary key, name text not null unique, is_admin integer not null, joined_at integer)`,
  )
  await db.run(
    sql`create table posts (id integer primary key, author_id integer not null references users on delete cascade, title text not null, tags text)`,
  )
}

/** The names of all users, in the order of their ids. */
export async function names(db: Pick<Database, 'select'>): Promise<string[]> {
  const rows = await db.select({ name: users.name }).from(users).orderBy(users.id)
  return rows.map(({ name }) => name)
}

/** What the promise rejects with. */
export async function rejection(
  promise: PromiseLike<unknown>,
): Promise<Error & Record<string, any>> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}

/** A promise to be settled by hand. */
export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}
