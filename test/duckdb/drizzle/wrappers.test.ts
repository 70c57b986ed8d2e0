import { eq, sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase, posts, rejection, users, type Database } from './fixture.ts'

type Methods = Record<string, (...parameters: unknown[]) => unknown>

/**
 * What plugins do to see every statement of a database: `prepareQuery` of the session's class is patched, dispatches on
 * the dialect, which all sessions of one database share, and wraps what it returns.
 */
function watch(db: Database): string[] {
  const seen: string[] = []
  const { session } = db as unknown as { session: { dialect: unknown } }
  const prototype = Object.getPrototypeOf(session) as Methods
  const original = prototype['prepareQuery']!
  onTestFinished(() => void (prototype['prepareQuery'] = original))
  prototype['prepareQuery'] = function (this: typeof session, ...parameters) {
    const prepared = original.apply(this, parameters) as Methods
    if (this.dialect !== session.dialect) return prepared
    const { sql: text } = parameters[0] as { sql: string }
    const wrapped: Methods = new Proxy(prepared, {
      get(target, key) {
        const value = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          if (['all', 'execute'].includes(key as string)) seen.push(`${String(key)} ${text}`)
          const result = value.apply(target, given)
          // A select builder calls `setToken()`, and goes on with what that returns.
          return result === target ? wrapped : result
        }
      },
      set: (target, key, value) => Reflect.set(target, key, value),
    })
    return wrapped
  }
  return seen
}

test('a wrapper that patches prepareQuery on the session’s class sees every statement once', async () => {
  const db = await openDatabase()
  const other = await openDatabase()
  const seen = watch(db)
  await other.select().from(users)
  await db.insert(users).values({ name: 'Ada' })
  await db
    .select({ id: users.id, post: { title: posts.title } })
    .from(users)
    .leftJoin(posts, eq(posts.authorId, users.id))
  await db.query.users.findMany({ columns: { id: true } })
  await db.$count(users)
  await db.select({ id: users.id }).from(users).prepare('ids').execute()
  await db.execute(sql`select 1`)
  await rejection(db.execute(sql`select nothing`))
  await db.transaction((tx) => tx.execute(sql`select 3`))
  expect(seen).toEqual([
    'execute insert into "users" ("id", "name", "is_admin", "joined_at") values (default, $1, default, default)',
    'execute select "users"."id", "posts"."title" from "users" left join "posts" on "posts"."author_id" = "users"."id"',
    'execute select "id" from "users" "users"',
    'all select count(*) as count from "users";',
    'execute select "id" from "users"',
    'execute select 1',
    'execute select nothing',
    'execute select 3',
  ])
})

test('joins have null for a missing row under such a wrapper too', async () => {
  const db = await openDatabase()
  watch(db)
  await db.insert(users).values({ name: 'Ada' })
  const join = db.select().from(users).leftJoin(posts, eq(posts.authorId, users.id))
  expect((await join)[0]!.posts).toBeNull()
})
