import { drizzle } from '@keelson/duckdb/drizzle'
import { describeError } from '@keelson/core'
import { DrizzleQueryError, eq, sql, TransactionRollbackError } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import {
  closeAfterTest,
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
  ['a file', (): Promise<Database> => openDatabase({ path: temporaryFile() })],
  ['memory', () => openDatabase()],
] as const)('in %s, a transaction', ([, open]) => {
  test('commits what an async callback did, and resolves with what it returned', async () => {
    const db = await open()
    const result = await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      await new Promise(setImmediate)
      const { rowCount } = await add(tx, 'Alan')
      return rowCount
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
    expect(error).not.toHaveProperty('suppressed')
    expect(await names(db)).toEqual([])
  })

  test('sees its own writes, and others do not before the commit', async () => {
    const db = await open()
    await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      expect(await names(tx)).toEqual(['Ada'])
      expect(await tx.query.users.findMany({ columns: { name: true } })).toEqual([{ name: 'Ada' }])
      expect(await tx.$count(users)).toBe(1)
      expect((await tx.execute(sql`select name from users`)).rows).toEqual([{ name: 'Ada' }])
      expect(await names(db)).toEqual([])
    })
    expect(await names(db)).toEqual(['Ada'])
  })

  test('keeps a write from outside apart, and does not take it along when it rolls back', async () => {
    const db = await open()
    await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'inside')
        await add(db, 'outside')
        tx.rollback()
      }),
    )
    expect(await names(db)).toEqual(['outside'])
  })

  test('runs beside others: each commits or rolls back alone', async () => {
    const db = await open()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) =>
        db.transaction(async (tx) => {
          await add(tx, `${n}`)
          await new Promise(setImmediate)
          if (n % 2 === 1) tx.rollback()
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect((await names(db)).toSorted()).toEqual(
      [0, 2, 4, 6, 8, 10, 12, 14, 16, 18].map(String).toSorted(),
    )
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

describe('a failed statement', () => {
  test('rejects the transaction with its very error when the callback lets it pass', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    let first: unknown
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Alan')
        await add(tx, 'Ada').catch((failure: unknown) => {
          first = failure
          throw failure
        })
      }),
    )
    expect(error).toBe(first)
    expect(error).toBeInstanceOf(DrizzleQueryError)
    expect(error).not.toHaveProperty('suppressed')
    expect(describeError(error)).toMatchObject({ engine: 'duckdb', category: 'unique' })
    expect(await names(db)).toEqual(['Ada'])
  })

  test('that is caught refuses those that follow, and the commit, with it as the cause', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    const caught: Error[] = []
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Alan')
        caught.push(await rejection(add(tx, 'Ada')))
        caught.push(await rejection(add(tx, 'Grace')))
        caught.push(await rejection(tx.query.users.findMany()))
      }),
    )
    expect(caught[0]).toBeInstanceOf(DrizzleQueryError)
    for (const refusal of [caught[1]!, caught[2]!, error]) {
      expect(refusal).toMatchObject({
        name: 'TransactionAbortedError',
        code: 'TRANSACTION_ABORTED',
      })
      expect(refusal.cause).toBe(caught[0]!.cause)
    }
    expect(await names(db)).toEqual(['Ada'])
  })

  test('dooms the transaction also when it could not even be understood', async () => {
    const db = await openDatabase()
    for (const statement of [
      sql`selct 1`,
      sql`select * from nowhere`,
      sql`select missing from users`,
    ]) {
      const error = await rejection(
        db.transaction(async (tx) => {
          await add(tx, 'Ada')
          await rejection(tx.execute(statement))
        }),
      )
      expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    }
    expect(await names(db)).toEqual([])
  })

  test('that was refused before it was sent dooms nothing', async () => {
    const db = await openDatabase()
    await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      expect(await rejection(tx.execute(sql`select 1; select 2`))).toMatchObject({
        code: 'MULTIPLE_STATEMENTS',
      })
      expect(await rejection(tx.execute(sql`commit`))).toMatchObject({
        code: 'TRANSACTION_CONTROL',
      })
      await add(tx, 'Alan')
    })
    expect(await names(db)).toEqual(['Ada', 'Alan'])
  })
})

test('a handle that is used after the end is refused, and nothing is sent', async () => {
  const db = await openDatabase()
  const handles = [] as Pick<Database, 'select' | 'insert' | 'query' | 'execute' | 'transaction'>[]
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
      () => tx.execute(sql`delete from users`),
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
  test('a statement that fails rolls everything back, with its very error', async () => {
    const db = await openDatabase()
    const unawaited: Promise<unknown>[] = []
    const error = await rejection(
      db.transaction(async (tx) => {
        for (const name of ['Ada', 'Ada'])
          unawaited.push(
            add(tx, name)
              .execute()
              .catch((failure: Error) => failure.cause),
          )
      }),
    )
    expect(error.message).toMatch(/duplicate key/i)
    expect(await unawaited[1]).toBe(error)
    expect(await names(db)).toEqual([])
  })

  test('statements that succeed has them committed, none of them afterwards', async () => {
    const db = await openDatabase()
    const seen: number[] = []
    await db.transaction(async (tx) => {
      for (const name of ['Ada', 'Alan'])
        void add(tx, name)
          .execute()
          .then(() => seen.push(seen.length))
    })
    expect(seen).toHaveLength(2)
    expect(await names(db)).toEqual(['Ada', 'Alan'])
  })

  test('others that failed cannot write any more once the callback has thrown', async () => {
    const db = await openDatabase()
    const { promise, resolve } = deferred()
    let late: Promise<Error> | undefined
    const failure = new Error('no')
    const error = await rejection(
      db.transaction(async (tx) => {
        const slow = async (): Promise<void> => {
          await promise
          await add(tx, 'late')
        }
        late = rejection(slow())
        await add(tx, 'Ada')
        throw failure
      }),
    )
    resolve()
    expect(error).toBe(failure)
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(await names(db)).toEqual([])
  })
})

describe('a nested transaction', () => {
  test('is refused before anything is sent, and the transaction around it goes on', async () => {
    const log: string[] = []
    const db = await openDatabase({}, { logger: { logQuery: (query) => void log.push(query) } })
    let called = false
    await db.transaction(async (tx) => {
      await add(tx, 'Ada')
      log.length = 0
      const error = await rejection(
        tx.transaction(async (tx2) => {
          called = true
          await add(tx2, 'Alan')
        }),
      )
      expect(error).toMatchObject({
        name: 'SavepointsNotSupportedError',
        code: 'SAVEPOINTS_NOT_SUPPORTED',
      })
      expect(error.message).toMatch(
        /^Cannot begin a transaction inside the transaction begun at \S+transactions\.test\.ts:\d+:\d+: DuckDB has no savepoints, .* Use the handle you have/,
      )
      expect(log).toEqual([])
      await add(tx, 'Grace')
    })
    expect(called).toBe(false)
    expect(await names(db)).toEqual(['Ada', 'Grace'])
  })

  test('rejects the transaction around it when nobody catches the refusal', async () => {
    const db = await openDatabase()
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'Ada')
        await tx.transaction((tx2) => add(tx2, 'Alan').execute())
      }),
    )
    expect(error).toMatchObject({ code: 'SAVEPOINTS_NOT_SUPPORTED' })
    expect(await names(db)).toEqual([])
  })
})

describe('options', () => {
  test('make a transaction read only, so that it cannot write', async () => {
    const db = await openDatabase()
    await add(db, 'Ada')
    const error = await rejection(
      db.transaction(
        async (tx) => {
          expect(await names(tx)).toEqual(['Ada'])
          await add(db, 'Alan')
          expect(await names(tx)).toEqual(['Ada'])
          await add(tx, 'Grace')
        },
        { accessMode: 'read only' },
      ),
    )
    expect(describeError(error)).toMatchObject({ category: 'readOnly' })
    await db.transaction((tx) => add(tx, 'Edsger').execute(), { accessMode: 'read write' })
    expect(await names(db)).toEqual(['Ada', 'Alan', 'Edsger'])
  })

  test('that DuckDB does not have are refused by name, and nothing begins', async () => {
    const db = await openDatabase()
    let calls = 0
    const run = (config: object) =>
      rejection(db.transaction(async () => void calls++, config as never))
    for (const isolationLevel of ['read committed', 'serializable', 'snapshot', '']) {
      const error = await run({ isolationLevel })
      expect(error).toMatchObject({ name: 'OptionError', option: 'isolationLevel' })
      expect(error.message).toBe(
        `transaction() cannot use ${JSON.stringify(isolationLevel)} as \`isolationLevel\`: every transaction of DuckDB ` +
          'sees a snapshot of the database, and there is no other level. Leave it out.',
      )
    }
    for (const deferrable of [true, false])
      expect(await run({ deferrable })).toMatchObject({ option: 'deferrable' })
    expect((await run({ accessMode: 'readonly' })).message).toContain(
      'cannot use "readonly" as `accessMode`',
    )
    expect((await run({ acessMode: 'read only' })).message).toContain('Did you mean `accessMode`?')
    expect(calls).toBe(0)
    await db.transaction(async () => void calls++, {
      isolationLevel: undefined,
      deferrable: undefined,
      accessMode: undefined,
    } as object)
    expect(calls).toBe(1)
  })

  test('cannot be set once it has begun', async () => {
    const db = await openDatabase()
    await db.transaction(async (tx) => {
      const error = await rejection(tx.setTransaction({ accessMode: 'read only' }))
      expect(error).toMatchObject({ name: 'OptionError', option: 'accessMode' })
      await add(tx, 'Ada')
    })
    expect(await names(db)).toEqual(['Ada'])
  })
})

test('a transaction whose row was changed by another meanwhile fails, and says that it can be run again', async () => {
  const db = await openDatabase()
  await add(db, 'Ada')
  const error = await rejection(
    db.transaction(async (tx) => {
      await names(tx)
      await db.update(users).set({ name: 'Augusta' })
      await tx.update(users).set({ name: 'A.' })
    }),
  )
  expect(describeError(error)).toMatchObject({ category: 'serialization', retryable: true })
  expect(await names(db)).toEqual(['Augusta'])
})

test('a commit that fails throws DuckDB’s error, and the next transaction begins anew', async () => {
  const db = await openDatabase()
  const error = await rejection(
    db.transaction(async (tx) => {
      await tx.insert(users).values({ id: 7, name: 'Ada' })
      await db.insert(users).values({ id: 7, name: 'Alan' })
    }),
  )
  expect(describeError(error)).toMatchObject({ engine: 'duckdb', retryable: true })
  await db.transaction((tx) => tx.update(users).set({ name: 'Grace' }).execute())
  expect(await names(db)).toEqual(['Grace'])
})

test('temporary tables and settings of a transaction stay on its connection', async () => {
  const db = await openDatabase()
  await db.transaction(async (tx) => {
    await tx.execute(sql`create temp table scratch (id integer)`)
    await tx.execute(sql`insert into scratch values (1)`)
    expect((await tx.execute(sql`select * from scratch`)).rows).toEqual([{ id: 1 }])
  })
  await rejection(db.execute(sql`select * from scratch`))
  expect(await rejection(db.execute(sql`create temp table scratch (id integer)`))).toMatchObject({
    code: 'SESSION_STATE',
  })
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
  closeAfterTest(again)
  expect(await again.select().from(users).where(eq(users.name, 'Ada'))).toEqual([])
})

test('a database of another driver of the process is one with it', async () => {
  const path = temporaryFile()
  const one = drizzle(path, { schema })
  const other = drizzle({ connection: path, schema })
  closeAfterTest(one)
  closeAfterTest(other)
  await createTables(one)
  await one.transaction(async (tx) => {
    await add(tx, 'Ada')
    expect(await names(other)).toEqual([])
  })
  expect(await names(other)).toEqual(['Ada'])
})
