// Run with --disallow-code-generation-from-strings: prints what queries return there, as one line of JSON.
import BetterSqlite3 from 'better-sqlite3'
import { drizzle } from '@keelson/sqlite/drizzle'
import { eq, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

const users = sqliteTable('users', {
  id: integer().primaryKey(),
  name: text(),
  isAdmin: integer({ mode: 'boolean' }),
})
const posts = sqliteTable('posts', {
  id: integer().primaryKey(),
  authorId: integer(),
  tags: text({ mode: 'json' }),
})

let forbidden = false
try {
  // oxlint-disable-next-line typescript/no-implied-eval -- it is forbidden here, which is what is to be shown
  new Function('')
} catch {
  forbidden = true
}
// better-sqlite3 13 generates code for rows that are objects, which opening a file by ourselves asks it for.
const db = drizzle(new BetterSqlite3(':memory:'), { schema: { users, posts } })
await db.run(sql`create table users (id integer primary key, name text, isAdmin integer)`)
await db.run(sql`create table posts (id integer primary key, authorId integer, tags text)`)
await db.insert(users).values([{ name: 'Ada', isAdmin: true }, { name: null }])
await db.insert(posts).values({ authorId: 1, tags: ['a'] })
const joined = await db
  .select()
  .from(users)
  .leftJoin(posts, eq(posts.authorId, users.id))
  .orderBy(users.id)
const partial = await db
  .select({ who: { name: users.name }, ['__proto__']: posts.id })
  .from(posts)
  .innerJoin(users, eq(posts.authorId, users.id))
const relational = await db.query.users.findFirst()
await db.$client.close()
process.stdout.write(
  JSON.stringify({ forbidden, joined, partial: Object.entries(partial[0]!), relational }),
)
