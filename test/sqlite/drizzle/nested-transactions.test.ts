import { stream } from '@keelson/sqlite/drizzle'
import { sql } from 'drizzle-orm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deferred, names, openDatabase, rejection, users, type Database } from './fixture.ts'

const add = (db: Pick<Database, 'insert'>, name: string) => db.insert(users).values({ name })
type Tx = Parameters<Parameters<Database['transaction']>[0]>[0]

describe('a nested transaction', () => {
  test('keeps its writes with those of the outer one', async () => {
    const db = await openDatabase()
    const result = await db.transaction(async (tx) => {
      await add(tx, 'outer')
      return tx.transaction(async (tx2) => {
        await add(tx2, 'inner')
        return tx2.transaction(async (tx3) => {
          await add(tx3, 'innermost')
          return names(tx3)
        })
      })
    })
    expect(result).toEqual(['outer', 'inner', 'innermost'])
    expect(await names(db)).toEqual(result)
  })

  test('undoes its own writes alone when it throws, and the outer one goes on', async () => {
    const db = await openDatabase()
    const failure = new Error('inner')
    await db.transaction(async (tx) => {
      await add(tx, 'before')
      const error = await rejection(
        tx.transaction(async (tx2) => {
          await add(tx2, 'inner')
          await new Promise(setImmediate)
          throw failure
        }),
      )
      expect(error).toBe(failure)
      await add(tx, 'after')
    })
    expect(await names(db)).toEqual(['before', 'after'])
  })

  test('loses its writes when the outer one throws', async () => {
    const db = await openDatabase()
    await rejection(
      db.transaction(async (tx) => {
        await tx.transaction((tx2) => add(tx2, 'inner').execute())
        tx.rollback()
      }),
    )
    expect(await names(db)).toEqual([])
  })

  test('refuses its handle once it has ended, while the outer handle goes on', async () => {
    const db = await openDatabase()
    await db.transaction(async (tx) => {
      const leaked = await tx.transaction(async (tx2) => tx2)
      const error = await rejection(add(leaked, 'late'))
      expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' })
      expect(error.message).toMatch(
        /the nested transaction begun at \S+nested-transactions\.test\.ts:\d+:\d+ \(savepoint keelson_1\) has ended/,
      )
      await add(tx, 'outer')
    })
    expect(await names(db)).toEqual(['outer'])
  })

  test('leaves no savepoint behind, however often it fails', async () => {
    const db = await openDatabase()
    await db.transaction(async (tx) => {
      for (let round = 1; round <= 100; round++) {
        await tx.transaction(async (tx2) => tx2.rollback()).catch(() => {})
        const error = await rejection(tx.run(sql.raw(`rollback to keelson_${round}`)))
        expect(error.cause).toMatchObject({ message: `no such savepoint: keelson_${round}` })
      }
    })
  })
})

describe('nested transactions side by side', () => {
  const outcomes = [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const

  test.for(outcomes)(
    'keep exactly what succeeded (first %s, second %s), whatever the timing',
    async ([first, second]) => {
      const db = await openDatabase()
      for (let ticks = 0; ticks < 12; ticks++) {
        await db.delete(users)
        const branch = async (
          tx: Tx,
          name: string,
          succeeds: boolean,
          pause: number,
        ): Promise<void> => {
          for (let tick = 0; tick < pause; tick++) await Promise.resolve()
          await tx.transaction(async (tx2) => {
            await add(tx2, `${name}1`)
            for (let tick = 0; tick < pause; tick++) await Promise.resolve()
            await add(tx2, `${name}2`)
            if (!succeeds) throw new Error(name)
          })
        }
        const settled = await db.transaction((tx) =>
          Promise.allSettled([branch(tx, 'a', first, ticks), branch(tx, 'b', second, 11 - ticks)]),
        )
        expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([first, second])
        const kept = [...(first ? ['a1', 'a2'] : []), ...(second ? ['b1', 'b2'] : [])]
        expect((await names(db)).toSorted()).toEqual(kept)
      }
    },
  )

  test('run one after the other, in the order they were asked for', async () => {
    const db = await openDatabase()
    const order: string[] = []
    await db.transaction(async (tx) => {
      await Promise.all(
        ['a', 'b', 'c'].map((name) =>
          tx.transaction(async (tx2) => {
            order.push(`${name} begins`)
            await new Promise(setImmediate)
            await add(tx2, name)
            order.push(`${name} ends`)
          }),
        ),
      )
    })
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  })

  test('let a queue that moves on take longer than busyTimeoutMs', async () => {
    const db = await openDatabase({ busyTimeoutMs: 60 })
    // Time passes only when a transaction says so, however busy the machine is.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    await db.transaction((tx) =>
      Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          tx.transaction(async (tx2) => {
            await vi.advanceTimersByTimeAsync(50)
            await add(tx2, `${index}`)
          }),
        ),
      ),
    )
    expect(await names(db)).toEqual(['0', '1', '2', '3', '4', '5'])
  })
})

describe('a statement of the outer handle while a nested transaction is open', () => {
  test('waits until it has ended, and is not undone with it', async () => {
    const db = await openDatabase()
    await db.transaction(async (tx) => {
      const { promise, resolve } = deferred()
      const nested = tx.transaction(async (tx2) => {
        await add(tx2, 'inner')
        await promise
        throw new Error('inner')
      })
      const outer = add(tx, 'outer').execute()
      resolve()
      await rejection(nested)
      expect(await outer).toEqual({ changes: 1, lastInsertRowid: 1 })
    })
    expect(await names(db)).toEqual(['outer'])
  })

  test('keeps its place between nested transactions', async () => {
    const db = await openDatabase()
    await db.transaction((tx) =>
      Promise.all([
        tx.transaction((tx2) => add(tx2, 'first').execute()),
        add(tx, 'second').execute(),
        tx.transaction((tx2) => add(tx2, 'third').execute()),
        add(tx, 'fourth').execute(),
      ]),
    )
    expect(await names(db)).toEqual(['first', 'second', 'third', 'fourth'])
  })

  test('does not hang when the nested one awaits it: it gives up after busyTimeoutMs and names the nested one', async () => {
    const db = await openDatabase({ busyTimeoutMs: 50 })
    await db.transaction(async (tx) => {
      const error = await rejection(
        tx.transaction(async (tx2) => {
          await add(tx2, 'inner')
          await add(tx, 'outer')
        }),
      )
      expect(error).toMatchObject({ name: 'ConnectionBusyError', code: 'CONNECTION_BUSY' })
      expect(error.message).toMatch(
        /^Gave up after waiting \d+ ms to run `insert into "users" .*`\. .* waits for the nested transaction begun at \S+nested-transactions\.test\.ts:\d+:\d+ \(savepoint keelson_1\) to end\./,
      )
      expect(await rejection(tx.transaction(() => tx.transaction(async () => {})))).toMatchObject({
        code: 'CONNECTION_BUSY',
      })
      await add(tx, 'after')
    })
    expect(await names(db)).toEqual(['after'])
  })
})

test('waiting leaves no timer behind, whether it ends well or not', async () => {
  const db = await openDatabase()
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const { promise, resolve } = deferred()
  const waiting: PromiseLike<unknown>[] = []
  await rejection(
    db.transaction(async (tx) => {
      await Promise.all([tx.transaction(async () => {}), add(tx, 'first')])
      expect(timers()).toBe(before)
      waiting.push(
        tx.transaction(() => promise),
        add(tx, 'second').execute(),
      )
      expect(timers()).toBe(before + 1)
      await new Promise(setImmediate)
    }),
  )
  resolve()
  await Promise.allSettled(waiting)
  expect(timers()).toBe(before)
  expect(await names(db)).toEqual([])
})

describe('a nested transaction that cannot be undone', () => {
  test('keeps its error, carries the other one, and lets nothing be committed', async () => {
    const db = await openDatabase()
    const failure = new Error('inner')
    let statement: Error | undefined
    const error = await rejection(
      db.transaction(async (tx) => {
        await add(tx, 'before')
        const inner = await rejection(
          tx.transaction(async (tx2) => {
            await add(tx2, 'inner')
            await tx2.run(sql`release keelson_1`)
            throw failure
          }),
        )
        expect(inner).toBe(failure)
        expect(inner['suppressed']).toEqual([
          expect.objectContaining({ message: 'no such savepoint: keelson_1' }),
        ])
        statement = await rejection(add(tx, 'after'))
        expect(await rejection(stream(tx, tx.select().from(users)).next())).toBe(statement)
        expect(await rejection(tx.transaction(async () => {}))).toBe(statement)
      }),
    )
    expect(statement).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    expect((error.cause as Error).message).toBe('no such savepoint: keelson_1')
    expect(await names(db)).toEqual([])
  })
})

test('nested transactions of two transactions do not meet', async () => {
  const db = await openDatabase()
  await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      db.transaction(async (tx) => {
        await add(tx, name)
        await tx.transaction(async (tx2) => {
          await new Promise(setImmediate)
          await add(tx2, `${name}${name}`)
        })
      }),
    ),
  )
  expect(await names(db)).toEqual(['a', 'aa', 'b', 'bb', 'c', 'cc'])
})
