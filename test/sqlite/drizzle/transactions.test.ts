import { TransactionRollbackError } from 'drizzle-orm'
import { DrizzleQueryError, eq, sql } from 'drizzle-orm'
import { drizzle } from '@keelson/sqlite/drizzle'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createTables,
  deferred,
  names,
  openDatabase,
  rejection,
  schema,
  temporaryFile,
  users,
  type Database,
} from './fixture.ts'

const add = (db: Pick<Database, 'insert'>, name: string) => db.insert(users).values({ name })

describe.for([
  ['a file', (): Promise<Database> => openDatabase()],
  ['memory', () => openDatabase({ path: ':memory:' })],
  [
    'an adopted better-sqlite3 database',
    async () => {
      const raw = new BetterSqlite3(temporaryFile())
      onTestFinished(() => void raw.close())
      const db = drizzle(raw, { schema })
      await createTables(db)
      return db
    },
  ],
] as const)('in %s, a transaction', ([, open]) => {
  test('commits what an async callback did, and resolves with what it returned', async () => {
    const db = await open()
    const result = await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      await new Promise(setImmediate)
      const { changes } = await add(tx, 'Alan')
      return changes
    })
    expect(result).toBe(1)
    expect(await names(db)).toEqual(['Ada', 'Alan'])
  })

  test('rolls back when an async callback throws later, and rethrows the same error', async () => {
    const db = await open()
    const failure = new Error('no')
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Ada')
        await new Promise(setImmediate)
        await add(tx, 'Alan')
        throw failure
      }),
    )
    expect(error).toBe(failure)
    expect(await names(db)).toEqual([])
  })

  test('sees its own writes, and others do not before the commit', async () => {
    const db = await open()
    let outside: Promise<string[]> | undefined
    await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      expect(await names(tx)).toEqual(['Ada'])
      expect(await tx.query.users.findMany({ columns: { name: true } })).toEqual([{ name: 'Ada' }])
      expect(await tx.$count(users)).toBe(1)
      outside = names(db)
      if (db.$client.path !== ':memory:' && db.$client.options.readers > 0)
        await new Promise(setImmediate)
      await tx.update(users).set({ name: 'Augusta' })
    })
    expect([['Augusta'], []]).toContainEqual(await outside)
  })

  test('lets a write from outside wait, and does not take it along when it rolls back', async () => {
    const db = await open()
    let outside: Promise<unknown> | undefined
    await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'inside')
        outside = add(db, 'outside').execute()
        await new Promise(setImmediate)
        tx.rollback()
      }),
    )
    expect(await outside).toEqual({ changes: 1, lastInsertRowid: 1 })
    expect(await names(db)).toEqual(['outside'])
  })

  test('takes its turn when several are asked for at once', async () => {
    const db = await open()
    await db.insert(users).values({ id: 1, name: '0' })
    const increment = (): Promise<void> =>
      db.transaction(async (tx) => {
        const row = await tx.select().from(users).get()
        await new Promise(setImmediate)
        await tx.update(users).set({ name: `${Number(row!.name) + 1}` })
      })
    await Promise.all(Array.from({ length: 20 }, increment))
    expect(await names(db)).toEqual(['20'])
  })
})

test('rollback() throws Drizzle’s TransactionRollbackError and undoes everything', async () => {
  const db = await openDatabase()
  const error = await rejection(
    db.transaction(async (tx) => {
      await add(tx, 'Ada')
      tx.rollback()
    }),
  )
  expect(error).toBeInstanceOf(TransactionRollbackError)
  expect(await names(db)).toEqual([])
})

test('a failed statement that the callback catches undoes only itself', async () => {
  const db = await openDatabase()
  await db.transaction(async (tx) => {
    await add(tx, 'Ada')
    expect(await rejection(add(tx, 'Ada'))).toBeInstanceOf(DrizzleQueryError)
    await add(tx, 'Alan')
  })
  expect(await names(db)).toEqual(['Ada', 'Alan'])
})

test('a failed statement that the callback catches last undoes only itself', async () => {
  const db = await openDatabase()
  for (const query of [
    (tx: Pick<Database, 'insert' | 'run'>) => add(tx, 'Ada'),
    (tx: Pick<Database, 'insert' | 'run'>) => add(tx, 'Ada').prepare().run(),
    (tx: Pick<Database, 'insert' | 'run'>) =>
      tx.run(sql`insert into users (name, is_admin) values ('Ada', 0)`),
  ]) {
    await db.delete(users)
    await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      await query(tx).catch(() => {})
    })
    expect(await names(db)).toEqual(['Ada'])
  }
})

test('a callback that is not async is awaited too, and one that throws at once rolls back', async () => {
  const db = await openDatabase()
  expect(await db.transaction((tx) => add(tx, 'Ada').returning())).toMatchObject([{ name: 'Ada' }])
  const failure = new Error('no')
  const error = await rejection(
    db.transaction(() => {
      throw failure
    }),
  )
  expect(error).toBe(failure)
  expect(await rejection(db.transaction(undefined as never))).toMatchObject({
    code: 'INVALID_OPTION',
  })
  expect(await names(db)).toEqual(['Ada'])
})

test('a handle that is used after the end is refused, and nothing is sent', async () => {
  const db = await openDatabase()
  const handles = [] as Pick<Database, 'select' | 'insert' | 'query' | 'run' | 'transaction'>[]
  await db.transaction(async (tx) => void handles.push(tx))
  await rejection(
    db.transaction(async (tx) => {
      handles.push(tx)
      tx.rollback()
    }),
  )
  for (const tx of handles) {
    for (const use of [
      () => add(tx, 'late'),
      () => tx.select().from(users),
      () => tx.query.users.findMany(),
      () => tx.run(sql`delete from users`),
      () => tx.transaction(async () => {}),
    ]) {
      const error = await rejection(use())
      expect(error).toMatchObject({ name: 'TransactionClosedError', code: 'TRANSACTION_CLOSED' })
      expect(error.message).toMatch(
        /the transaction begun at .*transactions\.test\.ts:\d+:\d+ has ended/,
      )
    }
  }
  expect(await names(db)).toEqual([])
})

describe('a callback that does not await', () => {
  test('a statement that fails rolls everything back, with its error', async () => {
    const db = await openDatabase()
    const unawaited: Promise<unknown>[] = []
    const error = await rejection(
      db.transaction(async (tx) => {
        for (const name of ['Ada', 'Ada', 'Alan'])
          unawaited.push(
            add(tx, name)
              .execute()
              .catch(() => 'failed'),
          )
      }),
    )
    expect(error).toMatchObject({ code: 'SQLITE_CONSTRAINT_UNIQUE' })
    expect(await Promise.all(unawaited)).toContain('failed')
    expect(await names(db)).toEqual([])
  })

  test('statements that succeed has them committed', async () => {
    const db = await openDatabase()
    await db.transaction(async (tx) => {
      for (const name of ['Ada', 'Alan']) void add(tx, name).execute()
    })
    expect(await names(db)).toEqual(['Ada', 'Alan'])
  })

  test('a nested transaction rolls everything back, and says which one', async () => {
    const db = await openDatabase()
    const { promise, resolve } = deferred()
    let nested: Promise<Error> | undefined
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Ada')
        nested = rejection(
          tx.transaction(async (tx2) => {
            await add(tx2, 'Alan')
            await promise
            await add(tx2, 'Grace')
          }),
        )
        await new Promise(setImmediate)
      }),
    )
    resolve()
    expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(error.message).toMatch(
      /^The callback of the transaction begun at \S+ returned before this had run: the nested transaction begun at \S+transactions\.test\.ts:\d+:\d+ \(savepoint keelson_1\)\./,
    )
    const late = (await nested)!
    expect(late).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(late.message).toMatch(/^Cannot run `insert into .*: the nested transaction begun at/)
    expect(late).not.toHaveProperty('suppressed')
    expect(await names(db)).toEqual([])
  })

  test('a nested transaction that has nothing left to do tells that one too', async () => {
    const db = await openDatabase()
    const { promise, resolve } = deferred()
    let nested: Promise<Error> | undefined
    await rejection(
      db.transaction(async (tx) => {
        nested = rejection(tx.transaction(() => promise))
        await new Promise(setImmediate)
      }),
    )
    resolve()
    expect((await nested)!.message).toMatch(
      /^Cannot run the rest of the callback: the nested transaction begun at/,
    )
  })

  test('a statement that waits for a nested transaction has the statement refused, not autocommitted', async () => {
    const db = await openDatabase()
    const { promise, resolve } = deferred()
    const refused: Promise<Error>[] = []
    const error = await rejection(
      db.transaction(async (tx) => {
        refused.push(
          rejection(tx.transaction(() => promise)),
          rejection(add(tx, 'Ada')),
          rejection(tx.transaction(async () => {})),
        )
        await new Promise(setImmediate)
      }),
    )
    resolve()
    expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    for (const each of await Promise.all(refused))
      expect(each).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(await names(db)).toEqual([])
  })

  test('others that failed cannot write any more once the callback has thrown', async () => {
    const db = await openDatabase()
    const { promise, resolve } = deferred()
    let late: Promise<Error> | undefined
    const error = await rejection(
      db.transaction(async (tx) => {
        const slow = async (): Promise<void> => {
          await promise
          await add(tx, 'late')
        }
        late = rejection(slow())
        await add(tx, 'Ada')
        await Promise.all([late, add(tx, 'Ada').execute()])
      }),
    )
    resolve()
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(await names(db)).toEqual([])
  })
})

describe('a transaction that SQLite rolls back by itself', () => {
  const orRollback = sql`insert or rollback into users (name, is_admin) values ('Ada', 0)`

  test('refuses further statements, and its commit throws with the first error as cause', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    let statement: Error | undefined
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Alan')
        await tx.run(orRollback).catch(() => {})
        statement = await rejection(add(tx, 'Grace'))
      }),
    )
    expect(statement).toMatchObject({
      code: 'TRANSACTION_ABORTED',
      cause: { code: 'SQLITE_CONSTRAINT_UNIQUE' },
    })
    expect(error).toMatchObject({
      code: 'TRANSACTION_ABORTED',
      cause: { code: 'SQLITE_CONSTRAINT_UNIQUE' },
    })
    expect(await names(db)).toEqual(['Ada'])
  })

  test('throws the error that did it when the callback does not catch it', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Alan')
        await tx.run(orRollback)
      }),
    )
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(error).not.toHaveProperty('suppressed')
    expect(await names(db)).toEqual(['Ada'])
  })

  test('does not go on when it happens in a nested transaction', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    let nested: Error | undefined
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Alan')
        nested = await rejection(tx.transaction((tx2) => tx2.run(orRollback)))
        await rejection(add(tx, 'Grace'))
      }),
    )
    expect(nested).toBeInstanceOf(DrizzleQueryError)
    expect(nested).not.toHaveProperty('suppressed')
    expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    expect(await names(db)).toEqual(['Ada'])
  })
})

test('a commit that fails rolls back, and the next transaction begins anew', async () => {
  const db = await openDatabase()
  await db.run(
    sql`create table child (user_id integer references users deferrable initially deferred)`,
  )
  const error = await rejection(
    db.transaction(async (tx) => {
      await add(tx, 'Ada')
      await tx.run(sql`insert into child values (99)`)
    }),
  )
  expect(error).toMatchObject({ code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  expect(await names(db)).toEqual([])
  await db.transaction((tx) => add(tx, 'Alan').execute())
  expect(await names(db)).toEqual(['Alan'])
})

describe('options', () => {
  test('choose how SQLite takes its locks: a deferred transaction lets another process write', async () => {
    const path = temporaryFile()
    const db = await openDatabase({ path, busyTimeoutMs: 50 })
    const other = new BetterSqlite3(path, { timeout: 0 })
    onTestFinished(() => void other.close())
    const write = (): unknown =>
      other.prepare("insert into users (name, is_admin) values ('other', 0)").run()
    await db.transaction(async () => expect(write).toThrow('locked'))
    await db.transaction(async () => expect(write).toThrow('locked'), { behavior: 'exclusive' })
    await db.transaction(async () => expect(write).not.toThrow(), { behavior: 'deferred' })
    expect(await names(db)).toEqual(['other'])
  })

  test('choose the database’s own behavior when they do not say', async () => {
    const path = temporaryFile()
    const db = await openDatabase({ path, behavior: 'deferred' })
    const other = new BetterSqlite3(path, { timeout: 0 })
    onTestFinished(() => void other.close())
    await db.transaction(
      async () =>
        void other.prepare("insert into users (name, is_admin) values ('other', 0)").run(),
    )
    expect(await names(db)).toEqual(['other'])
  })

  test('make a transaction read only, so that it keeps no writer waiting and cannot write', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    await db.transaction(
      async (tx) => {
        expect(await names(tx)).toEqual(['Ada'])
        await add(db, 'Alan')
        expect(await names(tx)).toEqual(['Ada'])
        expect(await rejection(add(tx, 'Grace'))).toMatchObject({
          cause: { code: 'SQLITE_READONLY' },
        })
      },
      { accessMode: 'read only' },
    )
    expect(await names(db)).toEqual(['Ada', 'Alan'])
  })

  test('are refused when unknown, impossible, or given to a nested transaction', async () => {
    const db = await openDatabase()
    const run = (config: object) => rejection(db.transaction(async () => {}, config as never))
    expect((await run({ behaviour: 'immediate' })).message).toContain('Did you mean `behavior`?')
    expect((await run({ behavior: 'serializable' })).message).toContain(
      'cannot use "serializable" as `behavior`',
    )
    expect((await run({ accessMode: 'readonly' })).message).toContain(
      'cannot use "readonly" as `accessMode`',
    )
    expect((await run({ accessMode: 'read only', behavior: 'immediate' })).message).toContain(
      "cannot begin 'immediate' and be 'read only'",
    )
    await db.transaction(async (tx) => {
      const nested = tx.transaction as unknown as Database['transaction']
      const error = await rejection(nested.call(tx, async () => {}, { behavior: 'immediate' }))
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'behavior' })
      expect(error.message).toContain('it is a savepoint')
    })
  })
})

test('a transaction that cannot begin leaves nothing behind', async () => {
  const path = temporaryFile()
  const db = await openDatabase({ path, busyTimeoutMs: 20 })
  const other = new BetterSqlite3(path)
  onTestFinished(() => void other.close())
  other.exec('begin immediate')
  for (let round = 0; round < 3; round++) {
    expect(await rejection(db.transaction(async () => {}))).toMatchObject({ code: 'SQLITE_BUSY' })
  }
  other.exec('rollback')
  await db.transaction((tx) => add(tx, 'Ada').execute())
  expect(await names(db)).toEqual(['Ada'])
  expect(await db.$client.close()).toEqual({ forced: [] })
})

test('a write on the database inside its own transaction gives up after busyTimeoutMs, naming the holder', async () => {
  const db = await openDatabase({ busyTimeoutMs: 50 })
  const error = await rejection(
    db.transaction(async (tx) => {
      await add(tx, 'inside')
      await add(db, 'outside')
    }),
  )
  expect(error).toMatchObject({ code: 'CONNECTION_BUSY' })
  expect(error.message).toMatch(/a transaction, open for .*transactions\.test\.ts/)
  expect(await names(db)).toEqual([])
})

test('closing the database rolls back a transaction that does not end in time', async () => {
  const path = temporaryFile()
  const db = await openDatabase({ path })
  const { promise, resolve } = deferred()
  const begun = deferred()
  const open = rejection(
    db.transaction(async (tx) => {
      await add(tx, 'Ada')
      begun.resolve()
      await promise
      await add(tx, 'Alan')
    }),
  )
  await begun.promise
  const { forced } = await db.$client.close({ deadlineMs: 10 })
  expect(forced).toHaveLength(1)
  resolve()
  expect(await open).toMatchObject({ code: 'DATABASE_CLOSED' })
  const again = drizzle(path, { schema })
  onTestFinished(() => again.$client.close().then(() => {}))
  expect(await names(again)).toEqual([])
  expect(await again.select().from(users).where(eq(users.name, 'Ada'))).toEqual([])
})
