import { outside, transaction } from '@keelson/transactions/kysely'
import { sql, type Transaction } from 'kysely'
import { expect, test } from 'vitest'
import { microtasks } from '../../support/event-loop.ts'
import { rejection } from '../../support/rejection.ts'
import {
  describeOn,
  duckdb,
  engines,
  open,
  postgresql,
  sqliteKysely,
  sqliteOurs,
  type Tables,
  turn,
} from './engines.ts'

describeOn(engines, 'the end of a transaction', (engine) => {
  test('T9: a statement that is sent while it rolls back or commits is refused, or is a part of it', async () => {
    const { db, add, names } = await open(engine)
    for (let depth = 0; depth < 24; depth++) {
      let late: Promise<string> | undefined
      await transaction(db, async () => {
        await add(`x${depth}`)
        void (async () => {
          await microtasks(depth)
          late = add(`late${depth}`).then(
            () => 'sent',
            (error: Error) => error.name,
          )
        })()
        throw new Error('no')
      }).catch(() => {})
      await turn()
      await turn()
      expect(['sent', 'TransactionClosedError']).toContain(await late)
      expect(await names(), `after ${depth} microtasks`).toBe('')
    }
  })

  test('T10: a branch that goes on after the rollback never reaches the pool', async () => {
    const { db, add, names } = await open(engine)
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const goesOn = async (): Promise<Error> => {
      await add('b1')
      await ended
      return rejection(add('b2'))
    }
    let branch: Promise<Error> | undefined
    await transaction(db, async () => {
      branch = goesOn()
      await Promise.all([turn().then(() => Promise.reject(new Error('a fails'))), branch])
    }).catch(() => {})
    end()
    const refused = await branch!
    expect(refused.name).toBe('TransactionClosedError')
    expect(refused.message).toMatch(/begun at .*closing\.test\.ts:\d+.*outside\(db, fn\)/)
    expect(await names()).toBe('')
  })

  test('T11: statements that were not awaited are all in', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      void add('a')
      void add('b')
      void add('c')
    })
    expect(await names()).toBe('a,b,c')
  })

  test('T11: one of them that fails unseen undoes the transaction, and is what it throws', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    const error = await rejection(
      transaction(db, async () => {
        for (const name of ['b', 'a', 'c']) add(name).catch(() => {})
      }),
    )
    expect(error).toMatchObject({ message: expect.stringMatching(/unique|duplicate/i) })
    expect(await names()).toBe('a')
  })

  test('T12: a stream that is still open is ended, and its reader told', async () => {
    if (engine.name === 'PGlite') return
    const { db, add, names } = await open(engine)
    await add('a')
    await add('b')
    const stream = db.selectFrom('item').select('name').stream(1)[Symbol.asyncIterator]()
    await transaction(db, async () => {
      await add('c')
      expect((await stream.next()).done).toBe(false)
      expect((await rejection(add('d'))).name).toBe('ConnectionBusyError')
    })
    expect((await rejection(stream.next() as Promise<unknown>)).name).toBe('TransactionClosedError')
    expect(await names()).toBe('a,b,c')
  })

  test('a stream inside a transaction sees what that has written, and may be left early', async () => {
    if (engine.name === 'PGlite') return
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      for (const name of ['a', 'b', 'c']) await add(name)
      for await (const { name } of db.selectFrom('item').select('name').orderBy('name').stream(1)) {
        if (name === 'b') break
      }
      await add('d')
    })
    expect(await names()).toBe('a,b,c,d')
  })

  test('T40: text that would begin or end a transaction is refused', async () => {
    const { db, add, names } = await open(engine)
    const words = [
      'commit',
      ' ROLLBACK',
      '/* x */ begin',
      '-- y\nsavepoint z',
      'release z',
      'select 1; commit',
      'end',
    ]
    await transaction(db, async () => {
      await add('a')
      for (const text of words) {
        const error = await rejection(sql.raw(text).execute(db))
        expect(error.name, text).toBe('TransactionControlError')
      }
      await sql`select 'commit; rollback' as x`.execute(db)
      await add('b')
    })
    expect(await names()).toBe('a,b')
  })

  test('text that would begin a transaction is refused outside of one, too', async () => {
    const { db, add, names } = await open(engine)
    for (const text of ['begin', 'commit', 'rollback']) {
      const error = await rejection(sql.raw(text).execute(db))
      expect(error['code'], text).toBe('TRANSACTION_CONTROL')
    }
    await add('a')
    expect(await names()).toBe('a')
  })

  test('T40: text that ends a transaction behind a statement that creates something is refused', async () => {
    const { db, add, names } = await open(engine)
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        await sql.raw('create table more (n integer); commit').execute(db)
      }),
    )
    expect(error.name).toBe('TransactionControlError')
    expect(await names()).toBe('')
  })

  test('a controlled transaction whose commit fails is over', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    const trx = await db.startTransaction().execute()
    await add('b', trx)
    await add('a', trx).catch(() => {})
    const end = trx.commit().execute()
    if (!engine.failsWhole) return end
    expect((await rejection(end)).name).toBe('TransactionAbortedError')
    expect(trx.isRolledBack).toBe(true)
    await trx.rollback().execute()
    expect(await names()).toBe('a')
    await transaction(db, () => add('next'))
  })
})

test('T13: outside() runs on another connection, and outlives the transaction', async () => {
  const { db, add, names } = await open(postgresql)
  let background: Promise<void> | undefined
  await transaction(db, async () => {
    await add('undone')
    await outside(db, () => add('outside'))
    background = outside(db, async () => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      await add('background')
    })
    throw new Error('no')
  }).catch(() => {})
  await background
  expect(await names()).toBe('background,outside')
})

test.for([sqliteOurs, sqliteKysely])(
  'T13: outside() fails at once on $name, where one alone can write',
  async (engine) => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      await add('a')
      const error = await rejection(outside(db, () => add('outside')))
      expect(error.name).toBe('TransactionDeadlockError')
      expect(error.message).toContain('afterCommit')
    })
    expect(await names()).toBe('a')
  },
)

test('T13: outside() reads what is committed while SQLite writes', async () => {
  const { db, add, names } = await open(sqliteOurs)
  await add('a')
  await transaction(db, async () => {
    await add('b')
    expect(await outside(db, () => names())).toBe('a')
  })
})

describeOn([postgresql, duckdb], 'a handle outside its transaction', (engine) => {
  test('T13: what is done with it by outside() or notSupported is kept', async () => {
    const { db, add, names } = await open(engine)
    let n = 0
    const body = async (tx: Transaction<Tables>): Promise<void> => {
      await add('undone', tx)
      await outside(tx, (plain) => add(`outside${n}`, plain))
      const notSupported = { propagation: 'notSupported' } as const
      await transaction(tx, (plain) => add(`not supported${n}`, plain), notSupported)
      n++
      throw new Error('no')
    }
    await transaction(db, body).catch(() => {})
    await db
      .transaction()
      .execute(body)
      .catch(() => {})
    expect(await names()).toBe('not supported0,not supported1,outside0,outside1')
  })

  test('T40: text that would begin a transaction is refused there, too', async () => {
    const { db, add } = await open(engine)
    await transaction(db, async () => {
      await add('a')
      const error = await rejection(outside(db, () => sql`begin`.execute(db)))
      expect(error.name).toBe('TransactionControlError')
    })
  })
})
