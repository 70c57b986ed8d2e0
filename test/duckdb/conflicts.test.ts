import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '@keelson/core'
import type { DuckDBDatabase, DuckDBSession } from '@keelson/duckdb'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { runs, seed } from '../support/runs.ts'
import { column, open, run, value } from './fixture.ts'

async function withCounters(count: number): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', pool: { max: 12 } })
  await run(
    database,
    'create table counter (id integer primary key, n integer not null)',
    `insert into counter select range, 0 from range(${count})`,
  )
  return database
}

interface Pair {
  readonly database: DuckDBDatabase
  readonly first: DuckDBSession
  readonly second: DuckDBSession
}

/** Two transactions that have both seen the same state of the data. */
async function pair(): Promise<Pair> {
  const database = await withCounters(3)
  const [first, second] = [database.connect(), database.connect()]
  for (const session of [first, second]) {
    await session.begin()
    await run(session, 'select count(*) from counter')
  }
  return { database, first, second }
}

describe('two transactions that write the same', () => {
  const conflicts: [string, string, string, string][] = [
    [
      'update, update',
      'update counter set n = 1 where id = 1',
      'update counter set n = 2 where id = 1',
      'serialization',
    ],
    [
      'delete, delete',
      'delete from counter where id = 1',
      'delete from counter where id = 1',
      'serialization',
    ],
    [
      'upsert, upsert of a row',
      'insert into counter values (1, 5) on conflict do update set n = 5',
      'insert into counter values (1, 6) on conflict do update set n = 6',
      'serialization',
    ],
    [
      'alter, insert',
      'alter table counter add column note varchar',
      'insert into counter values (7, 7)',
      'serialization',
    ],
    ['drop, insert', 'drop table counter', 'insert into counter values (7, 7)', 'serialization'],
    [
      'create, create',
      'create table fresh (a integer)',
      'create table fresh (a integer)',
      'serialization',
    ],
    [
      'create, create if not exists',
      'create table fresh (a integer)',
      'create table if not exists fresh (a integer)',
      'serialization',
    ],
    [
      'update, create index',
      'update counter set n = 5',
      'create index by_n on counter (n)',
      'serialization',
    ],
  ]

  test.for(conflicts)(
    '%s: the second fails with an error that can be retried',
    async ([, one, other, category]) => {
      const { database, first, second } = await pair()
      await first.execute(one)
      const error = await rejection(async () => {
        await second.execute(other)
        await first.commit()
        await second.commit()
      })
      expect(describeError(error), error.message).toMatchObject({
        engine: 'duckdb',
        category,
        retryable: true,
      })
      await second.rollback()
      if (first.inTransaction) await first.commit()
      await database.transaction(async (tx) => void (await tx.execute('select 1')))
      expect(database.poolStats).toMatchObject({ inUse: 0, closedBroken: 0 })
    },
  )

  test('insert of one key: the commit of the second fails with an error that can be retried', async () => {
    const { database, first, second } = await pair()
    await run(first, 'insert into counter values (9, 1)')
    await run(second, 'insert into counter values (9, 2)')
    await first.commit()
    const error = await rejection(second.commit())
    expect(describeError(error)).toMatchObject({
      category: 'serialization',
      retryable: true,
      transactionFate: 'rolledBack',
    })
    expect(second.inTransaction).toBe(false)
    expect(await value(database, 'select n from counter where id = 9')).toBe(1)
  })

  test('a constraint that is broken by one alone is nothing to retry', async () => {
    const database = await withCounters(1)
    const error = await rejection(database.execute('insert into counter values (0, 0)'))
    expect(describeError(error)).toMatchObject({ category: 'unique', retryable: false })
  })

  test('the cause tells of a statement that came after the conflict', async () => {
    const { first, second } = await pair()
    await run(first, 'update counter set n = 1 where id = 1')
    const error = await rejection(second.execute('update counter set n = 2 where id = 1'))
    const later = await rejection(second.commit())
    expect(later.cause).toBe(error)
    expect(describeError(later)).toMatchObject({ retryable: true, transactionFate: 'rolledBack' })
    await first.rollback()
  })
})

/** As an application would: the whole transaction again, until nobody was in its way. */
async function retried<R>(
  database: DuckDBDatabase,
  work: (tx: DuckDBSession) => Promise<R>,
  retryAlso: (error: Error) => boolean = () => false,
): Promise<{ result: R; retries: number }> {
  for (let retries = 0; ; retries++) {
    try {
      return { result: await database.transaction(work), retries }
    } catch (error) {
      if (!describeError(error).retryable && !retryAlso(error as Error)) throw error
      await sleep(Math.random() * 2)
    }
  }
}

describe('many writers that retry', () => {
  test('lose no update of one row', async () => {
    const database = await withCounters(1)
    const increments = Array.from(
      { length: 400 },
      () => (tx: DuckDBSession) => tx.execute('update counter set n = n + 1 where id = 0'),
    )
    const workers = Array.from({ length: 4 }, async () => {
      let retries = 0
      for (let next = increments.pop(); next !== undefined; next = increments.pop())
        retries += (await retried(database, next)).retries
      return retries
    })
    const retries = (await Promise.all(workers)).reduce((sum, each) => sum + each, 0)
    expect(retries).toBeGreaterThan(0)
    expect(await value(database, 'select n from counter')).toBe(400)
    expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0, closedBroken: 0 })
  })

  test('lose no upsert of one new key', async () => {
    const database = await withCounters(0)
    const upsert = (tx: DuckDBSession) =>
      tx.execute(
        'insert into counter values ($1, 1) on conflict do update set n = counter.n + 1',
        [7],
      )
    // DuckDB calls a key that has just come a constraint error as well.
    const isDuplicate = (error: Error): boolean => /Duplicate key/.test(error.message)
    const workers = Array.from({ length: 8 }, async () => {
      for (let again = 0; again < 25; again++) await retried(database, upsert, isDuplicate)
    })
    await Promise.all(workers)
    expect(await column(database, 'select n from counter')).toEqual([200])
  })

  interface Move {
    readonly from: number
    readonly to: number
    readonly amount: number
    readonly isReading: boolean
    readonly isUndone: boolean
  }
  const plan: fc.Arbitrary<Move[]> = fc.array(
    fc.record({
      from: fc.nat(3),
      to: fc.nat(3),
      amount: fc.nat(9),
      isReading: fc.boolean(),
      isUndone: fc.boolean(),
    }),
    { minLength: 1, maxLength: 40 },
  )

  test('move amounts between rows without losing or inventing any', async () => {
    const check = async (moves: readonly Move[]): Promise<void> => {
      const database = await withCounters(4)
      const expected = [0, 0, 0, 0]
      const undo = new Error('undone')
      await Promise.all(
        moves.map(async ({ from, to, amount, isReading, isUndone }) => {
          const move = async (tx: DuckDBSession): Promise<void> => {
            const update = 'update counter set n = n + $1 where id = $2'
            if (isReading) {
              // A read alone is no claim: what was read is written only under the condition that it still stands.
              const n = Number(await value(tx, 'select n from counter where id = $1', [from]))
              const { changes } = await tx.execute(
                'update counter set n = $1 where id = $2 and n = $3',
                [n - amount, from, n],
              )
              expect(changes).toBe(1)
            } else await tx.execute(update, [-amount, from])
            await tx.execute(update, [amount, to])
            if (isUndone) throw undo
          }
          const outcome = retried(database, move)
          if (isUndone) expect(await rejection(outcome)).toBe(undo)
          else {
            await outcome
            expected[from]! -= amount
            expected[to]! += amount
          }
        }),
      )
      expect(await column(database, 'select n from counter order by id')).toEqual(expected)
      await database.close()
    }
    await fc.assert(fc.asyncProperty(plan, check), { seed, numRuns: runs(15, 1_000) })
  })
})
