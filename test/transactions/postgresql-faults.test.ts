import { setTimeout as sleep } from 'node:timers/promises'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool, type PoolConfig } from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import type { Tables } from './model/engines.ts'

const fromServer = async (): Promise<string> => (await postgres()).createDatabase()

/** A database whose pool is the test's to look at. */
async function open(config: PoolConfig = {}) {
  const connectionString = await fromServer()
  const pool = new Pool({ connectionString, max: 3, ...config })
  // What happens to idle connections is the pool's, and its owner's, to hear.
  pool.on('error', () => {})
  const outside = new Pool({ connectionString, max: 1 })
  onTestFinished(() => outside.end())
  await outside.query('create table item (name text primary key)')
  const db = new Kysely<Tables>({ dialect: withTransactions(new PostgresDialect({ pool })) })
  onTestFinished(() => db.destroy())
  const add = (name: string) => db.insertInto('item').values({ name }).execute()
  const names = async (): Promise<string> => {
    const { rows } = await outside.query('select name from item order by name')
    return rows.map((row) => row.name as string).join()
  }
  const pid = async (): Promise<number> => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
    return rows[0]!.pid
  }
  const kill = (backend: number) =>
    outside.query('select pg_terminate_backend($1, 5000)', [backend])
  const atRest = (): void => {
    expect(pool.waitingCount).toBe(0)
    expect(pool.idleCount).toBe(pool.totalCount)
  }
  return { connectionString, pool, outside, db, add, names, pid, kill, atRest }
}

describe('a backend that is killed', () => {
  test('T24: rejects the transaction that was idle, at each of its statements, and the pool replaces it', async () => {
    const { db, add, names, pid, kill, atRest } = await open()
    for (let before = 0; before <= 4; before++) {
      const steps = ['a', 'b', 'c', 'd'].map((name) => () => add(name + before))
      const error = await rejection(
        transaction(db, async () => {
          const backend = await pid()
          for (const [index, step] of steps.entries()) {
            if (index === before) await kill(backend)
            await step()
          }
          if (before === steps.length) await kill(backend)
        }),
      )
      // Before COMMIT: the loss is known already, and nothing was sent, or it is found out while COMMIT is under way.
      if (before === steps.length)
        expect(['TRANSACTION_ABORTED', 'COMMIT_OUTCOME_UNKNOWN']).toContain(error['code'])
      else expect(String(error)).toMatch(/terminat|Connection|not queryable/)
      expect(await names()).toBe('')
      await transaction(db, async () => {})
      atRest()
    }
  })

  test('T24: takes a nested one and everything around it along, however much is caught', async () => {
    const { db, add, names, pid, kill, atRest } = await open()
    const caught: Error[] = []
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        const backend = await pid()
        await transaction(db, async () => {
          await add('b')
          await kill(backend)
          await add('c')
        }).catch((lost: Error) => void caught.push(lost))
        await add('d').catch((lost: Error) => void caught.push(lost))
      }),
    )
    expect(caught).toHaveLength(2)
    expect([caught[1], error]).toMatchObject(
      ['TRANSACTION_ABORTED', 'TRANSACTION_ABORTED'].map((code) => ({ code, cause: caught[0] })),
    )
    expect(await names()).toBe('')
    await transaction(db, () => add('e'))
    expect(await names()).toBe('e')
    atRest()
  })

  test('T24: does not end the process, idle or in a statement', async () => {
    const program = startProgram(
      new URL('programs/killed-backend.ts', import.meta.url),
      await fromServer(),
    )
    const said: string[] = []
    for (let line = await program.line(); line !== undefined; line = await program.line())
      said.push(line)
    const { code, stderr } = await program.end()
    expect(said, stderr).toEqual([
      'idle: rejected',
      'idle until commit: rejected',
      'in a statement: rejected',
      'in a nested one: rejected',
      'afterwards: committed',
    ])
    expect(code, stderr).toBe(0)
    expect(stderr).not.toMatch(/unhandled|uncaught/i)
  })
})

describe('a connection that is lost between COMMIT and its answer', () => {
  test.each([
    { when: 'before', committed: '' },
    { when: 'after', committed: 'a' },
  ] as const)(
    'T20: leaves the outcome unknown, and is not tried again: cut $when COMMIT',
    async ({ when, committed }) => {
      const { connectionString, names } = await open()
      const proxy = await cuttingProxy(connectionString)
      const pool = new Pool({ connectionString: proxy.connectionString, max: 2 })
      pool.on('error', () => {})
      const db = new Kysely<Tables>({ dialect: withTransactions(new PostgresDialect({ pool })) })
      onTestFinished(() => db.destroy())
      const cut = proxy.cutAtCommit(when)
      let attempts = 0
      const error = await rejection(
        transaction(
          db,
          async () => {
            attempts++
            await db.insertInto('item').values({ name: 'a' }).execute()
          },
          { retry: { attempts: 3, when: () => true } },
        ),
      )
      await cut
      expect(error.name).toBe('CommitOutcomeUnknownError')
      expect(error.message).toMatch(/was committed, or it was not/)
      expect(error.cause).toBeInstanceOf(Error)
      expect(attempts).toBe(1)
      await vi.waitFor(async () => expect(await names()).toBe(committed), { timeout: 30_000 })
      // It works again with a new connection.
      await transaction(db, () => db.insertInto('item').values({ name: 'b' }).execute())
      expect(await names()).toBe(committed === '' ? 'b' : 'a,b')
      expect(pool.idleCount).toBe(pool.totalCount)
    },
  )
})

describe('a pool that has no connection left', () => {
  test('T29: as many transactions as it has connections, each of which wants a second one, are told', async () => {
    const { db, add, names, atRest } = await open({ max: 3 })
    const told = await Promise.allSettled(
      ['a', 'b', 'c'].map((name) =>
        transaction(db, async () => {
          await add(name)
          // All have their first one.
          await sleep(50)
          await transaction(db, () => add(`${name}2`), { propagation: 'requiresNew' })
        }),
      ),
    )
    const failed = told.filter((each) => each.status === 'rejected')
    expect(failed.length).toBeGreaterThan(0)
    for (const { reason } of failed)
      expect(reason).toMatchObject({ name: 'TransactionDeadlockError' })
    const kept = told.flatMap((each, index) => (each.status === 'fulfilled' ? ['abc'[index]!] : []))
    expect(await names()).toBe(kept.flatMap((name) => [name, `${name}2`]).join())
    await Promise.all(['x', 'y', 'z'].map((name) => transaction(db, () => add(name))))
    atRest()
  })

  test('T29: the only connection of a pool cannot be had twice', async () => {
    const { db, add, names, atRest } = await open({ max: 1 })
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        await transaction(db, () => add('b'), { propagation: 'requiresNew' })
      }),
    )
    expect(error.name).toBe('TransactionDeadlockError')
    expect(await names()).toBe('')
    await transaction(db, () => add('c'))
    atRest()
  })

  test('T30: acquireTimeoutMs ends the wait, and what comes late is given back', async () => {
    const { db, add, pool, atRest } = await open({ max: 1 })
    const client = await pool.connect()
    const told = await Promise.all(
      [1, 2, 3].map((n) =>
        rejection(transaction(db, () => add(`n${n}`), { acquireTimeoutMs: 30 })),
      ),
    )
    for (const error of told) {
      expect(error.name).toBe('TransactionAcquireTimeoutError')
      expect(error.message).toMatch(/30 ms \(acquireTimeoutMs\)/)
    }
    client.release()
    await vi.waitFor(atRest, { timeout: 30_000 })
    await transaction(db, () => add('a'))
    atRest()
  })
})

describe('a BEGIN that fails', () => {
  test('T22: two hundred times, costs the pool no connection', async () => {
    const { db, add, names, pool, outside, atRest } = await open({ max: 3 })
    // The connection is lost right before BEGIN: acquired, and not yet used.
    let isKilling = true
    pool.on('acquire', (client) => {
      if (isKilling)
        (
          client as unknown as { connection: { stream: { destroy(): void } } }
        ).connection.stream.destroy()
    })
    for (let n = 0; n < 200; n++) await rejection(transaction(db, () => add(`n${n}`)))
    isKilling = false
    expect(await names()).toBe('')
    // All of them, at the same time.
    let running = 0
    let start = (): void => {}
    const all = new Promise<void>((resolve) => (start = resolve))
    await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        transaction(db, async () => {
          await add(name)
          if (++running === 3) start()
          await all
        }),
      ),
    )
    expect(await names()).toBe('a,b,c')
    atRest()
    const { rows } = await outside.query(
      'select count(*)::int as n from pg_stat_activity where datname = current_database()',
    )
    expect(rows[0].n).toBe(4)
  })
})
