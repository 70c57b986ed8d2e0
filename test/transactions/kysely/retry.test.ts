import { setTimeout as sleep } from 'node:timers/promises'
import { afterCommit, type RetryOptions, transaction } from '@keelson/transactions/kysely'
import {
  handleAll,
  retry,
  ConstantBackoff,
  circuitBreaker,
  ConsecutiveBreaker,
  wrap,
} from 'cockatiel'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { held } from '../../support/held.ts'
import { rejection } from '../../support/rejection.ts'
import {
  duckdb,
  open,
  postgresql,
  sqliteKysely,
  sqliteOurs,
  turn,
  type KyselyEngine,
  type Opened,
} from './engines.ts'

/** Raises one counter from several transactions at once, each reading before it writes. */
async function raise(opened: Opened, isolationLevel: string, writers: number): Promise<number[]> {
  const attempts: number[] = []
  await Promise.all(
    Array.from({ length: writers }, () =>
      transaction(
        opened.db,
        async (_tx, { attempt }) => {
          const { rows } = await sql<{ n: number }>`select n from counter`.execute(opened.db)
          await sleep(1)
          await sql`update counter set n = ${Number(rows[0]!.n) + 1}`.execute(opened.db)
          attempts.push(attempt)
        },
        { isolationLevel, retry: { attempts: 60, maxDelayMs: 30 } },
      ),
    ),
  )
  return attempts
}

test.for<[KyselyEngine, string]>([
  [postgresql, 'serializable'],
  [postgresql, 'repeatable read'],
  [duckdb, 'snapshot'],
  [sqliteOurs, 'serializable'],
])('T34: counted by many at once on %o, in %s, no step is lost', async ([engine, level]) => {
  const opened = await open(engine)
  await sql`create table counter (n integer)`.execute(opened.db)
  await sql`insert into counter values (0)`.execute(opened.db)
  const attempts = await raise(opened, level, 8)
  const { rows } = await sql<{ n: number }>`select n from counter`.execute(opened.db)
  expect(Number(rows[0]!.n)).toBe(8)
  expect(attempts).toHaveLength(8)
  if (engine.hasPool) expect(Math.max(...attempts)).toBeGreaterThan(1)
  await sql`drop table counter`.execute(opened.db)
})

describe('retry', () => {
  /** An error that PostgreSQL would tell a transaction which has lost against another one. */
  const lost = sql`do $$ begin raise exception 'lost' using errcode = '40001'; end $$`

  test('T32: runs the whole callback again, in a new transaction with hooks of its own', async () => {
    const { db, add, names } = await open(postgresql)
    const log: string[] = []
    await transaction(
      db,
      async (_tx, { attempt }) => {
        await add(`attempt${attempt}`)
        await afterCommit(db, () => log.push(`${attempt}`))
        if (attempt < 3) await lost.execute(db)
      },
      { retry: 3 },
    )
    expect(await names()).toBe('attempt3')
    expect(log).toEqual(['3'])
  })

  test('T34: the last error tells how often it was tried, and each attempt is reported', async () => {
    const { db, add, names } = await open(postgresql)
    const seen: number[] = []
    const error = await rejection(
      transaction(
        db,
        async () => {
          await add('a')
          await lost.execute(db)
        },
        {
          retry: {
            attempts: 4,
            maxDelayMs: 2,
            onRetry: (_error, { attempt }) => seen.push(attempt),
          },
        },
      ),
    )
    expect(error).toMatchObject({ code: '40001' })
    expect(error['attempts']).toBe(4)
    expect(error['retriesExhausted']).toBe(true)
    expect(seen).toEqual([2, 3, 4])
    expect(await names()).toBe('')
  })

  test('T33: what would fail again is not tried again', async () => {
    for (const engine of [sqliteOurs, sqliteKysely, postgresql, duckdb]) {
      const { db, add } = await open(engine)
      await add('a')
      let attempts = 0
      await rejection(
        transaction(
          db,
          () => {
            attempts++
            return add('a')
          },
          { retry: 5 },
        ),
      )
      expect(attempts, engine.name).toBe(1)
      attempts = 0
      await rejection(
        transaction(db, async () => void (await Promise.reject(new Error(`${attempts++}`))), {
          retry: 5,
        }),
      )
      expect(attempts).toBe(1)
    }
  })

  test('T34: no attempt begins after the deadline', async () => {
    const { db } = await open(postgresql)
    const attemptsWithin = async (deadlineMs: number): Promise<number> => {
      let attempts = 0
      await rejection(
        transaction(
          db,
          async () => {
            attempts++
            await sleep(30)
            await lost.execute(db)
          },
          { retry: { attempts: 3, deadlineMs, maxDelayMs: 1 } },
        ),
      )
      return attempts
    }
    expect(await attemptsWithin(20)).toBe(1)
    expect(await attemptsWithin(50_000)).toBe(3)
  })

  test('what onRetry throws ends no retry, and what `when` throws does not take the place of the error', async () => {
    const { db, add, names } = await open(sqliteOurs)
    const lost = new Error('lost')
    const run = (retry: RetryOptions): Promise<void> =>
      transaction(
        db,
        async (_tx, { attempt }) => {
          await add('a')
          if (attempt === 1) throw lost
        },
        { retry: { maxDelayMs: 1, minDelayMs: 1, ...retry } },
      )
    const broken = (): never => {
      throw new Error('broken')
    }
    expect(await rejection(run({ when: broken }))).toBe(lost)
    expect((lost as { suppressed?: unknown }).suppressed).toMatchObject([{ message: 'broken' }])
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    await run({ when: () => true, onRetry: broken })
    expect((await warned).message).toContain('onRetry')
    expect(await names()).toBe('a')
  })

  test('T30: an abort between two attempts rejects with its reason', async () => {
    const { db } = await open(sqliteOurs)
    const abort = new AbortController()
    const reason = new Error('enough')
    const lost = new Error('lost')
    const error = await rejection(
      transaction(db, () => Promise.reject(lost), {
        signal: abort.signal,
        retry: {
          when: () => true,
          minDelayMs: 60_000,
          maxDelayMs: 60_000,
          onRetry: () => setTimeout(() => abort.abort(reason), 1),
        },
      }),
    )
    expect(error).toBe(reason)
    expect(error['suppressed']).toEqual([lost])
  })

  test('an error that is not the usual kind is retried on request', async () => {
    const { db, names, add } = await open(sqliteOurs)
    await transaction(
      db,
      async (_tx, { attempt }) => {
        await add('a')
        if (attempt === 1) throw new RangeError('again')
      },
      { retry: { when: (error) => error instanceof RangeError } },
    )
    expect(await names()).toBe('a')
  })
})

describe('policy', () => {
  test("cockatiel's policies run the whole root transaction", async () => {
    const { db, add, names } = await open(sqliteOurs)
    let calls = 0
    const policy = wrap(
      retry(handleAll, { maxAttempts: 3, backoff: new ConstantBackoff(1) }),
      circuitBreaker(handleAll, { halfOpenAfter: 1_000, breaker: new ConsecutiveBreaker(10) }),
    )
    const result = await transaction(
      db,
      async () => {
        await add('a')
        if (++calls < 3) throw new Error('again')
        return 'done'
      },
      { policy },
    )
    expect(result).toBe('done')
    expect(await names()).toBe('a')
  })

  test('one around acquiring hears nothing of what the transaction does', async () => {
    const { db, add } = await open(sqliteOurs)
    const seen: string[] = []
    const policy = {
      acquire: {
        async execute<R>(fn: (context: { signal: AbortSignal }) => PromiseLike<R> | R): Promise<R> {
          seen.push('asked')
          const result = await fn({ signal: new AbortController().signal })
          seen.push('acquired')
          return result
        },
      },
    }
    await transaction(db, () => add('a'), { policy })
    await rejection(transaction(db, () => Promise.reject(new Error('no')), { policy }))
    expect(seen).toEqual(['asked', 'acquired', 'asked', 'acquired'])
  })

  test('one that would run everything again does not run again what was committed', async () => {
    const { db, add, names } = await open(sqliteOurs)
    let calls = 0
    const error = await rejection(
      transaction(
        db,
        async () => {
          await add(`a${++calls}`)
          await afterCommit(db, () => Promise.reject(new Error('mail server')))
        },
        { policy: retry(handleAll, { maxAttempts: 3, backoff: new ConstantBackoff(1) }) },
      ),
    )
    expect(error).toMatchObject({ name: 'AfterCommitError', committed: true })
    expect(await names()).toBe('a1')
  })

  test('one around acquiring that has given up begins nothing afterwards', async () => {
    const { db, add, names } = await open(sqliteKysely)
    const [begun, end] = [held(), held()]
    const first = transaction(db, () => {
      begun.resolve()
      return end.promise
    })
    await begun.promise
    const gaveUp = new Error('gave up')
    const acquire = {
      async execute<R>(fn: () => PromiseLike<R> | R): Promise<R> {
        return Promise.race([fn(), turn().then(() => Promise.reject(gaveUp))])
      },
    }
    const error = await rejection(transaction(db, () => add('late'), { policy: { acquire } }))
    expect(error).toBe(gaveUp)
    end.resolve()
    await first
    await transaction(db, () => add('next'))
    expect(await names()).toBe('next')
  })
})
