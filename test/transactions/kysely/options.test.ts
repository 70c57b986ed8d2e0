import { setTimeout as sleep } from 'node:timers/promises'
import {
  transaction,
  withTransactions,
  type TransactionOptions,
} from '@keelson/transactions/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { held } from '../../support/held.ts'
import { rejection } from '../../support/rejection.ts'
import {
  describeOn,
  duckdb,
  engines,
  open,
  pglite,
  postgresql,
  sqliteKysely,
  sqliteOurs,
} from './engines.ts'

afterEach(() => void vi.useRealTimers())

describeOn(engines, 'options', (engine) => {
  test('T26: an option that nobody reads, or of an impossible value, is refused before anything is sent', async () => {
    const { db, sent } = await open(engine)
    const wrong: [string, object][] = [
      ['isolation', { isolation: 'serializable' }],
      ['isolationLevel', { isolationLevel: 'serialisable; drop table item' }],
      ['propagation', { propagation: 'sometimes' }],
      ['accessMode', { accessMode: 'readonly' }],
      ['timeoutMs', { timeoutMs: -1 }],
      ['retry', { retry: 0 }],
      ['retry', { retry: { attempt: 3 } }],
      ['signal', { signal: {} }],
      ['policy', { policy: {} }],
      ['policy', { policy: { aquire: { execute() {} } } }],
    ]
    for (const [option, options] of wrong) {
      const error = await rejection(transaction(db, async () => {}, options as TransactionOptions))
      expect(error, option).toMatchObject({ name: 'TransactionOptionsError', option })
    }
    expect(sent()).toEqual([])
    expect(() =>
      withTransactions(new DuckDBDialect({ path: ':memory:' }), {
        defaults: { propagatoin: 'required' } as never,
      }),
    ).toThrow('Did you mean `propagation`?')
  })

  test('T26: a level that the engine does not have is an error', async () => {
    const { db, sent } = await open(engine)
    const unknown = ['postgresql', 'mysql'].includes(engine.kind) ? 'snapshot' : 'repeatable read'
    const error = await rejection(transaction(db, async () => {}, { isolationLevel: unknown }))
    expect(error).toMatchObject({ name: 'TransactionOptionsError', option: 'isolationLevel' })
    expect(sent()).toEqual([])
  })

  test('T26: read only is what it says, and over with the transaction', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    const read = await transaction(db, () => names(), { accessMode: 'read only' })
    expect(read).toBe('a')
    expect(
      (await rejection(transaction(db, () => add('b'), { accessMode: 'read only' }))).message,
    ).toMatch(/read.?only/i)
    await add('c')
    expect(await names()).toBe('a,c')
  })

  test('T30: a transaction that takes too long is undone, and says how long and what came last', async () => {
    const { db, add, names } = await open(engine)
    // Time passes only when the transaction says so, however busy the machine is.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    let late: Promise<Error> | undefined
    const error = await rejection(
      transaction(
        db,
        async () => {
          await add('a')
          await vi.advanceTimersByTimeAsync(40)
          late = rejection(add('b'))
          await late
        },
        { timeoutMs: 40 },
      ),
    )
    vi.useRealTimers()
    expect(error).toMatchObject({ name: 'TransactionTimeoutError', limitMs: 40, elapsedMs: 40 })
    expect(error.message).toMatch(/insert into ["`]item/)
    await vi.waitFor(() => expect(late).toBeDefined())
    expect((await late!).name).toBe('TransactionTimeoutError')
    expect(await names()).toBe('')
    await transaction(db, () => add('next'))
    expect(await names()).toBe('next')
  })

  test('T30: an abort rejects with its reason at every statement, and leaves nothing', async () => {
    const { db, add, names } = await open(engine)
    for (let at = 0; at < 4; at++) {
      const abort = new AbortController()
      const reason = new Error(`aborted at ${at}`)
      const error = await rejection(
        transaction(
          db,
          async (_tx, { signal }) => {
            for (let n = 0; n < 3; n++) {
              if (n === at) abort.abort(reason)
              await add(`${at}.${n}`)
            }
            if (at === 3) abort.abort(reason)
            expect(signal.aborted).toBe(true)
            await sleep(1)
          },
          { signal: abort.signal },
        ),
      )
      expect(error).toBe(reason)
      expect(await names()).toBe('')
    }
  })

  test('commitIf decides by the result, which is returned all the same', async () => {
    const { db, add, names } = await open(engine)
    for (const status of [200, 500]) {
      const result = await transaction(
        db,
        async () => {
          await add(`${status}`)
          return { status }
        },
        { commitIf: (response) => response.status < 400 },
      )
      expect(result).toEqual({ status })
    }
    expect(await names()).toBe('200')
  })

  test('T29: propagation says what happens outside and inside', async () => {
    const { db, add, names } = await open(engine)
    const run = (propagation: TransactionOptions['propagation']) =>
      transaction(db, async (_tx, { depth }) => depth, { propagation })
    const outsideOf = await Promise.all(
      (['nested', 'required', 'requiresNew', 'supports', 'notSupported', 'never'] as const).map(
        run,
      ),
    )
    expect(outsideOf).toEqual([0, 0, 0, -1, -1, -1])
    expect((await rejection(run('mandatory'))).name).toBe('TransactionPropagationError')
    await transaction(db, async () => {
      await add('a')
      expect(await Promise.all((['required', 'supports', 'mandatory'] as const).map(run))).toEqual([
        0, 0, 0,
      ])
      expect(await run('notSupported')).toBe(-1)
      expect((await rejection(run('never'))).name).toBe('TransactionPropagationError')
      const durable = await rejection(transaction(db, async () => {}, { durable: true }))
      expect(durable.name).toBe('TransactionPropagationError')
      if (engine.hasSavepoints) expect(await run('nested')).toBe(1)
      else expect((await rejection(run('nested'))).name).toBe('SavepointsNotSupportedError')
    })
    expect(await names()).toBe('a')
  })

  test('T26, T32: what only the outermost can have is refused inside, unless it is the same', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      await add('a')
      const inner = { propagation: engine.hasSavepoints ? 'nested' : 'required' } as const
      const options: [string, TransactionOptions][] = [
        ['accessMode', { accessMode: 'read only' }],
        ['retry', { retry: 3 }],
        ['acquireTimeoutMs', { acquireTimeoutMs: 5 }],
      ]
      for (const [option, given] of options) {
        const error = await rejection(transaction(db, async () => {}, { ...inner, ...given }))
        expect(error).toMatchObject({ name: 'TransactionOptionsError', option })
      }
      await transaction(db, () => add('b'), { ...inner, accessMode: 'read write' })
    })
    expect(await names()).toBe('a,b')
  })
})

test('T27: SQLite takes the write lock at BEGIN unless it is told otherwise', async () => {
  for (const engine of [sqliteOurs, sqliteKysely]) {
    const { db, sent } = await open(engine)
    await transaction(db, async () => {})
    await transaction(db, async () => {}, { behavior: 'deferred' })
    await transaction(db, async () => {}, { behavior: 'exclusive' })
    const begins = sent().filter((each) => each.startsWith('begin'))
    expect(begins).toEqual(['begin immediate', 'begin deferred', 'begin exclusive'])
  }
  for (const engine of [pglite, postgresql, duckdb]) {
    const { db } = await open(engine)
    const error = await rejection(transaction(db, async () => {}, { behavior: 'immediate' }))
    expect(error).toMatchObject({ name: 'TransactionOptionsError', option: 'behavior' })
  }
})

test('T28: DuckDB refuses to nest before it sends anything, and the transaction goes on', async () => {
  const { db, add, names, sent } = await open(duckdb)
  await transaction(db, async () => {
    await add('a')
    sent()
    const error = await rejection(transaction(db, () => add('b')))
    expect(error.name).toBe('SavepointsNotSupportedError')
    expect(error.message).toContain("propagation: 'required'")
    expect(sent()).toEqual([])
    await add('c')
  })
  expect(await names()).toBe('a,c')
})

test('T28: with required as the default shared code composes on DuckDB', async () => {
  const { db, add, names } = await open(duckdb, { defaults: { propagation: 'required' } })
  await transaction(db, async () => {
    await transaction(db, () => add('a'))
    await db.transaction().execute((trx) => add('b', trx))
  })
  expect(await names()).toBe('a,b')

  const failure = new Error('no')
  const error = await rejection(
    transaction(db, async () => {
      await db
        .transaction()
        .execute(() => Promise.reject(failure))
        .catch(() => {})
      await add('c')
    }),
  )
  expect(error).toMatchObject({ name: 'UnexpectedRollbackError', cause: failure })
  expect(await names()).toBe('a,b')
})

describeOn(engines, 'limits', (engine) => {
  test('T30: a hook before the commit is a part of what timeoutMs is for', async () => {
    const { db, add, names } = await open(engine)
    const late = held()
    // Also where the limit is reached before the hook is registered.
    setTimeout(late.resolve, 400)
    const error = await rejection(
      transaction(
        db,
        async (_tx, scope) => {
          await add('a')
          scope.beforeCommit(() => late.promise)
        },
        { timeoutMs: 40 },
      ),
    )
    expect(error.name).toBe('TransactionTimeoutError')
    expect(await names()).toBe('')
    await late.promise
    await transaction(db, () => add('next'))
    expect(await names()).toBe('next')
  })

  test('commitIf that returns a promise commits nothing', async () => {
    const { db, add, names } = await open(engine)
    const commitIf = (async () => true) as never
    const error = await rejection(transaction(db, () => add('a'), { commitIf }))
    expect(error).toMatchObject({ name: 'TransactionOptionsError', option: 'commitIf' })
    expect(await names()).toBe('')
  })
})

test.each([sqliteOurs, sqliteKysely, pglite, postgresql])(
  'T30: timeoutMs of a nested transaction goes on while it waits for its turn, on $name',
  async (engine) => {
    const { db, add, names } = await open(engine, { defaults: { waitTimeoutMs: 2_000 } })
    await transaction(db, async () => {
      const end = held()
      const sibling = transaction(db, () => end.promise)
      const error = await rejection(transaction(db, () => add('late'), { timeoutMs: 20 }))
      expect(error.name).toBe('TransactionTimeoutError')
      end.resolve()
      await sibling
      await add('a')
    })
    expect(await names()).toBe('a')
  },
)

test.each([sqliteKysely, pglite])(
  'T30: acquireTimeoutMs of one transaction may be longer than the default, on $name',
  async (engine) => {
    const { db, add, names } = await open(engine, { defaults: { acquireTimeoutMs: 30 } })
    const [begun, end] = [held(), held()]
    const first = transaction(db, () => {
      begun.resolve()
      return end.promise
    })
    await begun.promise
    const second = transaction(db, () => add('a'), { acquireTimeoutMs: 10_000 })
    const third = rejection(transaction(db, () => add('b')))
    expect((await third).name).toBe('TransactionAcquireTimeoutError')
    end.resolve()
    await Promise.all([first, second])
    expect(await names()).toBe('a')
  },
)

describe('pools', () => {
  async function pooled(max: number) {
    const { createDatabase } = await postgres()
    const pool = new Pool({ connectionString: await createDatabase(), max })
    const db = new Kysely<any>({ dialect: withTransactions(new PostgresDialect({ pool })) })
    onTestFinished(() => db.destroy())
    await sql`create table item (name text)`.execute(db)
    return db
  }

  test('T29: requiresNew commits on its own', async () => {
    const db = await pooled(2)
    await transaction(db, async () => {
      await transaction(db, () => db.insertInto('item').values({ name: 'kept' }).execute(), {
        propagation: 'requiresNew',
      })
      throw new Error('no')
    }).catch(() => {})
    expect(await db.selectFrom('item').selectAll().execute()).toEqual([{ name: 'kept' }])
  })

  test('T29: transactions that all wait for a second connection are told so, and none hangs', async () => {
    const db = await pooled(2)
    const inner = () => transaction(db, async () => {}, { propagation: 'requiresNew' })
    const all = await Promise.allSettled([1, 2].map(() => transaction(db, inner)))
    const refused = all.filter((each) => each.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ name: 'TransactionDeadlockError' })
      expect(reason.message).toMatch(/at least one connection more/)
    }
    await transaction(db, inner)
  })

  test('T30: acquireTimeoutMs bounds the wait for a connection, and what comes late is given back', async () => {
    const db = await pooled(1)
    let end = (): void => {}
    let holding: Promise<void> | undefined
    await new Promise<void>((begun) => {
      holding = transaction(db, () => {
        begun()
        return new Promise<void>((resolve) => (end = resolve))
      })
    })
    const error = await rejection(transaction(db, async () => {}, { acquireTimeoutMs: 30 }))
    expect(error.name).toBe('TransactionAcquireTimeoutError')
    end()
    await holding
    await transaction(db, async () => {})
  })

  test('T30: so is one that nobody waits for, when the callback has returned', async () => {
    const db = await pooled(2)
    let unheard: ReturnType<typeof rejection> | undefined
    const error = await rejection(
      transaction(
        db,
        async () => {
          unheard = rejection(sql`select pg_sleep(5)`.execute(db))
        },
        { timeoutMs: 100 },
      ),
    )
    expect(error.name).toBe('TransactionTimeoutError')
    expect((await unheard!)['code']).toBe('57014')
    await transaction(db, async () => {})
  })

  test('T30: the statement that runs into the limit is cancelled in the engine', async () => {
    const db = await pooled(2)
    const start = performance.now()
    const error = await rejection(
      transaction(db, () => sql`select pg_sleep(50)`.execute(db), { timeoutMs: 100 }),
    )
    expect(error.name).toBe('TransactionTimeoutError')
    const { rows } =
      await sql`select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()`.execute(
        db,
      )
    expect(rows).toEqual([])
    // Before the time that it was asked for.
    expect(performance.now() - start).toBeLessThan(40_000)
  })
})
