import type { DuckDBOptions } from '@keelson/duckdb'
import {
  drizzle,
  type DuckDBDrizzleConfig,
  type KeelsonDuckDBDatabase,
} from '@keelson/duckdb/drizzle'
import { relations, sql } from 'drizzle-orm'
import { boolean, integer, json, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export const users = pgTable('users', {
  id: integer()
    .primaryKey()
    .default(sql`nextval('users_id')`),
  name: text().notNull().unique(),
  isAdmin: boolean('is_admin').notNull().default(false),
  joinedAt: timestamp('joined_at'),
})

export const posts = pgTable('posts', {
  id: integer()
    .primaryKey()
    .default(sql`nextval('posts_id')`),
  authorId: integer('author_id')
    .notNull()
    .references(() => users.id),
  title: text().notNull(),
  tags: json().$type<string[]>(),
})

const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }))
const postsRelations = relations(posts, ({ one }) => ({
  author: one(users, { fields: [posts.authorId], references: [users.id] }),
}))

export const schema = { users, posts, usersRelations, postsRelations }
export type Database = KeelsonDuckDBDatabase<typeof schema>

/** A path in a directory that is deleted after the test, once everything opened later is closed. */
export function temporaryFile(name = 'test.duckdb'): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-drizzle-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, name)
}

/** A database in memory unless a path says otherwise, with the two tables, closed after the test. */
export async function openDatabase(
  options: DuckDBOptions = {},
  config: Omit<DuckDBDrizzleConfig<typeof schema>, 'schema'> = {},
): Promise<Database> {
  const db = drizzle({ connection: { path: ':memory:', ...options }, schema, ...config })
  closeAfterTest(db)
  await createTables(db)
  return db
}

export function closeAfterTest(db: Pick<Database, '$client'>): void {
  onTestFinished(() => db.$client.close().then(() => {}))
}

export async function createTables(db: Pick<Database, 'execute'>): Promise<void> {
  for (const statement of [
    'create sequence users_id',
    'create sequence posts_id',
    `create table users (
       id integer primary key default nextval('users_id'),
       name text not null unique,
       is_admin boolean not null default false,
       joined_at timestamp
     )`,
    `create table posts (
       id integer primary key default nextval('posts_id'),
       author_id integer not null references users (id),
       title text not null,
       tags json
     )`,
  ]) {
    await db.execute(statement)
  }
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
