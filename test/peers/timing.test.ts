// The same tasks for Keelson's timing, Kysely's own `log` and the two published packages for OpenTelemetry. What each gets
// right is written down here: a peer that gets better, or worse, fails its line. Keelson's has to be right in all.
import { setTimeout as delay } from 'node:timers/promises'
import { fingerprint } from '@keelson/timing'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { SqliteDialect, sql as kyselySql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { item } from '../transactions/drizzle/drivers.ts'
import {
  type DrizzleWatcher,
  drizzleWatchers,
  type KyselyWatcher,
  kyselyWatchers,
} from './watching.ts'

interface Tables {
  item: { id: number; name: string }
}

interface Task<W> {
  readonly name: string
  /** Whether it is right. */
  readonly run: (watcher: W) => Promise<boolean>
  /** Peers that get it right; Keelson does. */
  readonly alsoRight: readonly string[]
}

/** Nobody can write on it. */
const thrown = Object.freeze(new Error('the very one'))

async function open(watcher: KyselyWatcher, options?: Parameters<KyselyWatcher['open']>[1]) {
  const opened = watcher.open<Tables>(
    new SqliteDialect({ database: new Database(':memory:') }),
    options,
  )
  await kyselySql`create table item (id integer primary key, name text)`.execute(opened.db)
  for (const id of [1, 2, 3])
    await opened.db
      .insertInto('item')
      .values({ id, name: String(id) })
      .execute()
  return opened
}

const kyselyTasks: readonly Task<KyselyWatcher>[] = [
  {
    name: 'tells the wait for the only connection within 5 ms',
    async run(watcher) {
      const { db, seen } = await open(watcher)
      let free = 0
      const transaction = db.transaction().execute(async () => {
        await delay(60)
        free = performance.now()
      })
      await delay(10)
      const asked = performance.now()
      await Promise.all([transaction, db.deleteFrom('item').execute()])
      const { waitMs } = seen().find(({ what }) => what.startsWith('delete'))!
      return waitMs !== undefined && waitMs > free - asked - 5
    },
    alsoRight: [],
  },
  {
    name: 'leaves the time of its reader out of a stream',
    async run(watcher) {
      const { db, seen } = await open(watcher)
      for await (const row of db.selectFrom('item').selectAll().stream(1)) {
        void row
        await delay(30)
      }
      const { ms } = seen().find(({ what }) => what.startsWith('select'))!
      return ms !== undefined && ms < 60
    },
    alsoRight: [],
  },
  {
    name: 'lets no query wait for a slow sink',
    async run(watcher) {
      const { db } = await open(watcher, { slowSink: () => delay(50) })
      const start = performance.now()
      await db.selectFrom('item').selectAll().execute()
      return performance.now() - start < 45
    },
    alsoRight: ['kysely-opentelemetry'],
  },
  {
    name: 'tells the rows of a query',
    async run(watcher) {
      const { db, seen } = await open(watcher)
      await db.selectFrom('item').selectAll().execute()
      return seen().at(-1)!.rows === 3
    },
    alsoRight: ['kysely-opentelemetry'],
  },
  {
    name: 'lets no query fail, or go unseen, for a sink that throws',
    async run(watcher) {
      let isBroken = false
      const brokenSink = (): void => {
        if (isBroken) throw new Error('a sink is broken')
      }
      const { db, seen } = await open(watcher, { brokenSink })
      isBroken = true
      const rows = await db
        .selectFrom('item')
        .selectAll()
        .execute()
        .catch(() => undefined)
      return rows?.length === 3 && seen().at(-1)?.what.startsWith('select') === true
    },
    alsoRight: [],
  },
  {
    name: 'gives the caller the very error of the driver',
    async run(watcher) {
      const database = new Database(':memory:')
      database.function('fail', () => {
        throw thrown
      })
      const { db } = watcher.open<Tables>(new SqliteDialect({ database }))
      const error = await rejection(kyselySql`select fail()`.execute(db))
      return error === thrown && Object.keys(error).length === 0
    },
    alsoRight: ["Kysely's log", 'kysely-opentelemetry'],
  },
  {
    name: 'tells two pools of one engine apart',
    async run(watcher) {
      const beside = {}
      const one = await open(watcher, { beside })
      const other = await open(watcher, { beside })
      await one.db.selectFrom('item').selectAll().execute()
      const first = one.seen().at(-1)!
      await other.db.selectFrom('item').selectAll().execute()
      const second = other.seen().at(-1)!
      return first.database !== undefined && first.database !== second.database
    },
    alsoRight: [],
  },
  {
    name: 'tells inserts of one row and of three by one fingerprint',
    async run(watcher) {
      const { db, seen } = await open(watcher)
      const rows = (from: number, count: number): Tables['item'][] =>
        Array.from({ length: count }, (_, at) => ({ id: from + at, name: 'x' }))
      await db.insertInto('item').values(rows(10, 1)).execute()
      await db.insertInto('item').values(rows(20, 3)).execute()
      const [one, three] = seen().slice(-2)
      return one!.fingerprint !== undefined && one!.fingerprint === three!.fingerprint
    },
    alsoRight: [],
  },
  {
    name: 'puts the text of a query on its span as it was sent, under the stable names',
    async run(watcher) {
      const { db, seen } = await open(watcher, { spans: true })
      await db.selectFrom('item').selectAll().where('id', '=', 1).execute()
      const { attributes = {} } = seen().at(-1)!
      return (
        attributes['db.query.text'] === 'select * from "item" where "id" = ?' &&
        attributes['db.system.name'] === 'sqlite' &&
        attributes['db.query.summary'] === 'SELECT item' &&
        attributes['db.operation.name'] === 'SELECT' &&
        !('db.statement' in attributes)
      )
    },
    alsoRight: ['kysely-opentelemetry'],
  },
  {
    name: 'calls no insert of several rows a batch',
    async run(watcher) {
      const { db, seen } = await open(watcher, { spans: true })
      const values = [4, 5].map((id) => ({ id, name: 'x' }))
      await db.insertInto('item').values(values).execute()
      const { attributes } = seen().at(-1)!
      return attributes !== undefined && !('db.operation.batch.size' in attributes)
    },
    alsoRight: ['kysely-opentelemetry'],
  },
  {
    name: 'names no collection where a query has two',
    async run(watcher) {
      const { db, seen } = await open(watcher, { spans: true })
      await db
        .selectFrom('item as one')
        .innerJoin('item as other', 'one.id', 'other.id')
        .select('one.id')
        .execute()
      const { attributes } = seen().at(-1)!
      return attributes !== undefined && !('db.collection.name' in attributes)
    },
    alsoRight: [],
  },
  {
    name: 'names an error by the code of the engine',
    async run(watcher) {
      const { db, seen } = await open(watcher, { spans: true })
      await rejection(db.insertInto('item').values({ id: 1, name: 'again' }).execute())
      const { attributes = {} } = seen().at(-1)!
      return (
        attributes['error.type'] === 'SQLITE_CONSTRAINT_PRIMARYKEY' &&
        attributes['db.response.status_code'] === 'SQLITE_CONSTRAINT_PRIMARYKEY'
      )
    },
    alsoRight: [],
  },
]

for (const task of kyselyTasks) {
  describe(task.name, () => {
    for (const watcher of kyselyWatchers) {
      const isRight = watcher.name === '@keelson/timing' || task.alsoRight.includes(watcher.name)
      test(`${watcher.name}: ${isRight ? 'right' : 'wrong'}`, async () => {
        expect(await task.run(watcher)).toBe(isRight)
      })
    }
  })
}

const drizzlePaths: Readonly<
  Record<string, (db: ReturnType<DrizzleWatcher['open']>['db']) => unknown>
> = {
  'insert run()': (db) => db.insert(item).values({ name: 'a' }).run(),
  'select all()': (db) => db.select().from(item).all(),
  'select get()': (db) => db.select().from(item).get(),
  'select values()': (db) => db.select().from(item).values(),
  'await select': (db) => db.select().from(item),
  'db.run()': (db) => db.run(sql`select 1`),
  'db.all()': (db) => db.all(sql`select 1`),
  'prepared all()': (db) => db.select().from(item).prepare().all(),
  'prepared execute()': (db) => db.select().from(item).prepare().execute(),
  'relational findMany()': (db) => db.query.item.findMany(),
}

describe('every way to a query of Drizzle on better-sqlite3 is seen once', () => {
  const isSeen = async (watcher: DrizzleWatcher, path: string): Promise<boolean> => {
    const { db, seen } = watcher.open()
    const before = seen().length
    await drizzlePaths[path]!(db)
    return seen().length === before + 1
  }

  test('by @keelson/timing: all of them', async () => {
    for (const path of Object.keys(drizzlePaths))
      expect([path, await isSeen(drizzleWatchers[0]!, path)]).toEqual([path, true])
  })

  test('by @kubiks/otel-drizzle: one', async () => {
    const seen: string[] = []
    for (const path of Object.keys(drizzlePaths))
      if (await isSeen(drizzleWatchers[1]!, path)) seen.push(path)
    expect(seen).toEqual(['prepared execute()'])
  })
})

describe('a synchronous transaction of Drizzle', () => {
  const works = (watcher: DrizzleWatcher): boolean => {
    const { db } = watcher.open()
    try {
      return db.transaction((tx) => tx.insert(item).values({ name: 'a' }).run().changes) === 1
    } catch {
      return false
    }
  }

  test('works with @keelson/timing', () => {
    expect(works(drizzleWatchers[0]!)).toBe(true)
  })

  test('fails with @kubiks/otel-drizzle', () => {
    expect(works(drizzleWatchers[1]!)).toBe(false)
  })
})

test('inserts of one row and of a thousand have one fingerprint', () => {
  const insert = (rows: number): string =>
    `insert into t (a, b) values ${Array(rows).fill('(?, ?)').join(', ')}`
  expect(fingerprint(insert(1_000)).id).toBe(fingerprint(insert(1)).id)
})
