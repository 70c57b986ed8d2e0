import {
  afterCommit,
  afterRollback,
  beforeCommit,
  inTransaction,
  transaction,
} from '@keelson/transactions/kysely'
import { expect, test } from 'vitest'
import { held } from '../../support/held.ts'
import { rejection } from '../../support/rejection.ts'
import {
  describeOn,
  duckdb,
  engines,
  open,
  postgresql,
  sqliteKysely,
  sqliteOurs,
  turn,
} from './engines.ts'

describeOn(engines, 'hooks', (engine) => {
  test('T35: run in their order after the commit, outside, and may begin a transaction', async () => {
    const { db, add, names } = await open(engine)
    const log: string[] = []
    await transaction(db, async (_tx, scope) => {
      scope.afterCommit(async () => {
        log.push(`first: ${inTransaction(db)} ${await names()}`)
        await transaction(db, () => add('b'))
      })
      await afterCommit(db, () => log.push('second'))
      await beforeCommit(db, async () => {
        log.push(`before: ${inTransaction(db)}`)
        await add('before')
      })
      await add('a')
      log.push('body')
    })
    expect(log).toEqual(['body', 'before: true', 'first: false a,before', 'second'])
    expect(await names()).toBe('a,b,before')
  })

  test('T35: without a transaction afterCommit and beforeCommit run at once', async () => {
    const { db } = await open(engine)
    const log: string[] = []
    await afterCommit(db, () => log.push('after'))
    await beforeCommit(db, () => log.push('before'))
    await afterRollback(db, () => log.push('never'))
    expect(log).toEqual(['after', 'before'])
  })

  test('T35: nothing is registered in a transaction that has ended', async () => {
    const { db } = await open(engine)
    let late: Promise<void> | undefined
    let register: (() => void) | undefined
    const ended = new Promise<void>((resolve) => (register = resolve))
    await transaction(db, async () => {
      late = ended.then(() => afterCommit(db, () => {}))
    })
    register!()
    expect((await rejection(late!)).name).toBe('TransactionClosedError')
  })

  test('T35: a hook before the commit that fails undoes the transaction', async () => {
    const { db, add, names } = await open(engine)
    const failure = new Error('no')
    const log: string[] = []
    const error = await rejection(
      transaction(db, async (_tx, scope) => {
        scope.beforeCommit(() => Promise.reject(failure))
        scope.afterCommit(() => log.push('committed'))
        scope.afterRollback(() => log.push('rolled back'))
        await add('a')
      }),
    )
    expect(error).toBe(failure)
    expect(log).toEqual(['rolled back'])
    expect(await names()).toBe('')
  })

  test('T36: a hook that fails after the commit does not make it look undone', async () => {
    const { db, add, names } = await open(engine)
    const log: string[] = []
    const failure = new Error('mail server')
    const body = async (): Promise<string> => {
      await add(`a${log.length}`)
      await afterCommit(db, () => Promise.reject(failure))
      await afterCommit(db, () => log.push('second'))
      return 'result'
    }
    for (const run of [() => transaction(db, body), () => db.transaction().execute(body)]) {
      const error = await rejection(run())
      expect(error).toMatchObject({
        name: 'AfterCommitError',
        committed: true,
        result: 'result',
        errors: [failure],
        cause: failure,
      })
    }
    expect(log).toEqual(['second', 'second'])
    expect(await names()).toBe('a0,a1')
  })

  test('T37: a rollback drops them, and runs those that wait for it', async () => {
    const { db } = await open(engine)
    const log: string[] = []
    for (const run of [
      (fn: () => Promise<void>) => transaction(db, fn),
      (fn: () => Promise<void>) => db.transaction().execute(fn),
    ]) {
      await run(async () => {
        await afterCommit(db, () => log.push('committed'))
        await afterRollback(db, () => log.push('rolled back'))
        throw new Error('no')
      }).catch(() => {})
    }
    expect(log).toEqual(['rolled back', 'rolled back'])
  })
})

describeOn([sqliteOurs, sqliteKysely, postgresql], 'hooks of nested ones', (engine) => {
  test('T35: move to the transaction around, in their order, or are dropped with a part that fails', async () => {
    const { db } = await open(engine)
    const log: string[] = []
    await transaction(db, async () => {
      await afterCommit(db, () => log.push('1'))
      await transaction(db, async () => {
        await afterCommit(db, () => log.push('2'))
        await transaction(db, async () => {
          await afterCommit(db, () => log.push('dropped'))
          await afterRollback(db, () => log.push('undone'))
          throw new Error('no')
        }).catch(() => {})
        await transaction(db, () => afterCommit(db, () => log.push('3')))
      })
      await afterCommit(db, () => log.push('4'))
      log.push('end of body')
    })
    expect(log).toEqual(['undone', 'end of body', '1', '2', '3', '4'])
  })

  test('T35: those of a part that succeeded go with the whole', async () => {
    const { db } = await open(engine)
    const log: string[] = []
    await transaction(db, async () => {
      await transaction(db, async () => {
        await afterCommit(db, () => log.push('committed'))
        await afterRollback(db, () => log.push('rolled back'))
      })
      throw new Error('no')
    }).catch(() => {})
    expect(log).toEqual(['rolled back'])
  })
})

test('hooks of a part that has joined are those of the whole', async () => {
  const { db } = await open(duckdb)
  const log: string[] = []
  await transaction(db, async () => {
    await transaction(db, () => afterCommit(db, () => log.push('joined')), {
      propagation: 'required',
    })
    expect(log).toEqual([])
  })
  expect(log).toEqual(['joined'])
})

test('a hook that fails after the commit of an inner transaction names that one, whatever becomes of the outer', async () => {
  const { db } = await open(postgresql)
  const error = await rejection(
    transaction(db, () =>
      transaction(
        db,
        async () => {
          await afterCommit(db, () => Promise.reject(new Error('no')))
        },
        { propagation: 'requiresNew' },
      ),
    ),
  )
  expect(error.name).toBe('AfterCommitError')
  expect(error.message).toMatch(/^The transaction begun at .*hooks\.test\.ts:\d+.* was committed/)
})

describeOn(engines, 'hooks and the connection', (engine) => {
  test('what a hook writes after a rollback does not wait for the transaction that is over', async () => {
    const { db, add, names } = await open(engine, { defaults: { acquireTimeoutMs: 1_000 } })
    const failure = new Error('no')
    let runs = 0
    const body = async (): Promise<void> => {
      await add('undone')
      await afterRollback(db, () => add(`kept${runs++}`))
      throw failure
    }
    for (const run of [() => transaction(db, body), () => db.transaction().execute(body)]) {
      expect(await rejection(run())).toBe(failure)
      expect((failure as { suppressed?: unknown }).suppressed).toBeUndefined()
    }
    expect(await names()).toBe('kept0,kept1')
  })

  test.each(['committed', 'rolled back'])(
    "whoever gets the connection of a transaction that was %s is left alone when that one's hooks have run",
    async (end) => {
      const { db, add, names } = await open(engine)
      const [hook, over] = [held(), held()]
      const wait = (): Promise<void> => {
        hook.resolve()
        return over.promise
      }
      const first = db
        .transaction()
        .execute(async () => {
          await add('a')
          await (end === 'committed' ? afterCommit(db, wait) : afterRollback(db, wait))
          if (end !== 'committed') throw new Error('no')
        })
        .catch(() => {})
      await hook.promise
      await db.transaction().execute(async (trx) => {
        await add('b', trx)
        over.resolve()
        await first
        await turn()
        await add('c', trx)
      })
      expect(await names()).toBe(end === 'committed' ? 'a,b,c' : 'b,c')
    },
  )
})

test('without a transaction hooks of the scope are waited for, and what they throw is thrown', async () => {
  const { db } = await open(sqliteOurs)
  const failure = new Error('mail server')
  const log: string[] = []
  const run = (fail: boolean): Promise<string> =>
    transaction(
      db,
      async (_tx, scope) => {
        scope.afterCommit(async () => {
          await turn()
          log.push('sent')
          if (fail) throw failure
        })
        return 'result'
      },
      { propagation: 'supports' },
    )
  expect(await run(false)).toBe('result')
  expect(log).toEqual(['sent'])
  expect(await rejection(run(true))).toBe(failure)
})
