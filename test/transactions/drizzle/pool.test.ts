import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '@keelson/core'
import { outside, transaction, withTransactions } from '@keelson/transactions/drizzle'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Pool, type PoolClient } from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { endHeard, endOnceAsleep } from '../../support/postgres.ts'
import { rejection } from '../../support/rejection.ts'
import { type Db, newPool, pgItem } from './drivers.ts'

async function pooled(max: number) {
  const pool = await newPool(max)
  const clients: PoolClient[] = []
  pool.on('connect', (client) => void clients.push(client))
  const db = withTransactions(drizzle(pool))
  await db.execute(sql`create table item (name text not null unique)`)
  const add = (name: string, on: Db = db): Promise<unknown> => on.insert(pgItem).values({ name })
  const names = async (): Promise<string> =>
    (await db.select().from(pgItem).orderBy(pgItem.name)).map(({ name }) => name).join()
  const isClean = async (): Promise<void> => {
    await vi.waitFor(
      () => {
        expect(pool.waitingCount).toBe(0)
        expect(pool.idleCount).toBe(pool.totalCount)
      },
      { timeout: 10_000, interval: 5 },
    )
    for (const each of await Promise.all(Array.from({ length: max }, () => pool.connect()))) {
      expect(each.getTransactionStatus()).toBe('I')
      each.release()
    }
  }
  return { pool, clients, db, add, names, isClean }
}

async function pidIn(db: Db): Promise<number> {
  const { rows } = await db.execute(sql`select pg_backend_pid() as pid`)
  return rows[0].pid
}

describe('connections', () => {
  test('T22: 200 transactions that cannot begin cost no connection', async () => {
    const { pool, db, add, names, isClean } = await pooled(2)
    const other = new Pool({ ...pool.options, max: 1 })
    onTestFinished(() => other.end())
    await pool.query('create role reader login')
    for (let n = 0; n < 200; n++) {
      const given =
        n % 2 === 0 ? { isolationLevel: 'chaos' } : { signal: AbortSignal.abort(new Error()) }
      await rejection(transaction(db, async () => {}, given))
    }
    // Sessions of which PostgreSQL has ended the backend: BEGIN itself fails.
    for (let n = 0; n < 20; n++) {
      const client = await pool.connect()
      client.on('error', () => {})
      const { rows } = await client.query('select pg_backend_pid() as pid')
      client.release()
      await other.query('select pg_terminate_backend($1, 5000)', [rows[0].pid])
      await transaction(db, () => add(`n${n}`)).catch(() => {})
    }
    await transaction(db, () => add('last'))
    expect(await names()).toContain('last')
    await isClean()
  })

  test('T24: a backend that is killed while its transaction waits rejects the transaction, not the process', async () => {
    const { pool, clients, db, add, names, isClean } = await pooled(2)
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        await endHeard(pool, clients, await pidIn(db))
      }),
    )
    expect(describeError(error).category).toBe('connection')
    expect(await names()).toBe('')
    await isClean()
  })

  test('T24: one that is killed under a statement rejects it, and the pool replaces the connection', async () => {
    const { pool, db, add, names, isClean } = await pooled(2)
    let ended: Promise<void> | undefined
    const error = await rejection(
      transaction(db, async () => {
        const pid = await pidIn(db)
        ended = endOnceAsleep(pool, pid)
        await db.execute(sql`select pg_sleep(50)`)
      }),
    )
    expect(describeError(error).category).toBe('connection')
    await ended
    await transaction(db, () => add('next'))
    expect(await names()).toBe('next')
    await isClean()
  })

  test("T21: the user's error survives a rollback that fails", async () => {
    const { pool, db, isClean } = await pooled(2)
    const failure = new Error('no')
    const error = await rejection(
      transaction(db, async () => {
        await pool.query('select pg_terminate_backend($1, 5000)', [await pidIn(db)])
        throw failure
      }),
    )
    expect(error).toBe(failure)
    await isClean()
  })

  test('T30: a statement that runs is cancelled by the timeout', async () => {
    const { db, add, names, isClean } = await pooled(2)
    const start = performance.now()
    const error = await rejection(
      transaction(
        db,
        async () => {
          await add('a')
          await db.execute(sql`select pg_sleep(50)`)
        },
        { timeoutMs: 100 },
      ),
    )
    expect(error.name).toBe('TransactionTimeoutError')
    expect(performance.now() - start).toBeLessThan(40_000)
    expect(await names()).toBe('')
    await isClean()
  })

  test('acquireTimeoutMs and a signal end the wait for a connection, and one that comes late is given back', async () => {
    const { pool, db, isClean } = await pooled(1)
    const held = await pool.connect()
    const timed = await rejection(transaction(db, async () => {}, { acquireTimeoutMs: 30 }))
    expect(timed.name).toBe('TransactionAcquireTimeoutError')
    const abort = new AbortController()
    const aborted = rejection(transaction(db, async () => {}, { signal: abort.signal }))
    const reason = new Error('enough')
    abort.abort(reason)
    expect(await aborted).toBe(reason)
    held.release()
    await isClean()
  })
})

describe('T29: a second connection', () => {
  test('fails at once where the pool has one, naming the rule', async () => {
    const { db, add, names, isClean } = await pooled(1)
    await transaction(db, async () => {
      await add('a')
      const inner = await rejection(transaction(db, () => add('b'), { propagation: 'requiresNew' }))
      expect(inner.name).toBe('TransactionDeadlockError')
      expect(inner.message).toContain('pool size >= transactions + 1')
      expect((await rejection(outside(db, () => add('c')))).name).toBe('TransactionDeadlockError')
    })
    expect(await names()).toBe('a')
    await isClean()
  })

  test('is refused to the last of those who wait for each other, and the others go on', async () => {
    const { db, add, names, isClean } = await pooled(2)
    let arrived = 0
    let start: (() => void) | undefined
    const both = new Promise<void>((resolve) => (start = resolve))
    const one = (name: string): Promise<unknown> =>
      transaction(db, async () => {
        await add(name)
        if (++arrived === 2) start!()
        await both
        await transaction(db, () => add(`${name} new`), { propagation: 'requiresNew' })
      })
    const settled = await Promise.allSettled([one('a'), one('b')])
    const failed = settled.filter((each) => each.status === 'rejected')
    expect(failed).toHaveLength(1)
    expect((failed[0]!.reason as Error).name).toBe('TransactionDeadlockError')
    expect((await names()).split(',')).toHaveLength(2)
    await isClean()
  })

  test('is waited for where somebody else has it', async () => {
    const { pool, db, add, names, isClean } = await pooled(2)
    const held = await pool.connect()
    setTimeout(() => held.release(), 50)
    await transaction(db, async () => {
      await add('a')
      await transaction(db, () => add('b'), { propagation: 'requiresNew' })
    })
    expect(await names()).toBe('a,b')
    await isClean()
  })
})

test('T33: transactions that lose against each other are run again until the sum is right', async () => {
  const { db } = await pooled(4)
  await db.execute(sql`create table counter (n int not null)`)
  await db.execute(sql`insert into counter values (0)`)
  const increment = (): Promise<void> =>
    transaction(
      db,
      async () => {
        const { rows } = await db.execute(sql`select n from counter`)
        await sleep(1)
        await db.execute(sql`update counter set n = ${(rows[0] as { n: number }).n + 1}`)
      },
      { isolationLevel: 'serializable', retry: { attempts: 50, minDelayMs: 1, maxDelayMs: 20 } },
    )
  await Promise.all(Array.from({ length: 12 }, increment))
  expect((await db.execute(sql`select n from counter`)).rows).toEqual([{ n: 12 }])
})
