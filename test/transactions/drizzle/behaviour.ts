/** What transactions do on every driver, by the rules T1 to T40. */
import { describeError } from '@keelson/core'
import {
  afterCommit,
  afterRollback,
  beforeCommit,
  currentTransaction,
  inTransaction,
  outside,
  transaction,
  withRollback,
} from '@keelson/transactions/drizzle'
import { eq, sql } from 'drizzle-orm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { type Db, type DriverUnderTest, engineMessage, open, outcomes, turn } from './drivers.ts'

const fail = async (): Promise<never> => {
  throw new Error('no')
}

export function describeBehaviour(driver: DriverUnderTest): void {
  describe.skipIf(driver.isMissing === true)(`transactions on ${driver.name}`, () => {
    describeAll(driver)
  })
}

function describeAll(driver: DriverUnderTest): void {
  afterEach(() => void vi.useRealTimers())
  describe(`joining on ${driver.name}`, () => joining(driver))
  describe(`scopes on ${driver.name}`, () => scopes(driver))
  describe.runIf(driver.hasSavepoints)(`nesting on ${driver.name}`, () => nesting(driver))
  describe(`failures on ${driver.name}`, () => failures(driver))
  describe(`hooks on ${driver.name}`, () => hooks(driver))
  describe(`propagation on ${driver.name}`, () => propagation(driver))
  describe(`options on ${driver.name}`, () => options(driver))
  describe(`limits on ${driver.name}`, () => limits(driver))
}

function joining(driver: DriverUnderTest): void {
  test('T1: plain db belongs to the transaction that is open around it, whatever it is asked', async () => {
    const { db, table, add, names, execute } = await open(driver)
    const prepared = db.select().from(table).orderBy(table.name).prepare('names')
    const failure = new Error('no')
    const thrown = await rejection(
      transaction(db, async () => {
        await add('a')
        await execute("insert into item values ('b')")
        expect(await names()).toBe('a,b')
        expect(await prepared.execute()).toEqual([{ name: 'a' }, { name: 'b' }])
        expect(await db.$count(table)).toBe(2)
        expect(await db.query.item.findMany({ columns: { name: true } })).toHaveLength(2)
        expect(await db.query.item.findFirst({ where: eq(table.name, 'b') })).toEqual({ name: 'b' })
        const insert = db.insert(table).values({ name: 'c' })
        if (driver.kind === 'mysql') await insert
        else expect(await insert.returning({ name: table.name })).toEqual([{ name: 'c' }])
        throw failure
      }),
    )
    expect(thrown).toBe(failure)
    expect(await names()).toBe('')
    expect(await prepared.execute()).toEqual([])
  })

  test('T1: a query that joined a join keeps missing rows null', async () => {
    const { db, table, add } = await open(driver)
    const other = db
      .select({ other: sql<string>`${table.name}`.as('other') })
      .from(table)
      .where(eq(table.name, 'none'))
      .as('missing')
    const query = db
      .select({ name: table.name, other: other.other })
      .from(table)
      .leftJoin(other, sql`true`)
    await add('a')
    const rows = await query
    expect(await transaction(db, async () => query)).toEqual(rows)
  })

  test('T1: two databases do not mix', async () => {
    const one = await open(driver)
    const other = await open(driver)
    await transaction(one.db, async () => {
      await one.add('kept')
      expect(inTransaction(other.db)).toBe(false)
      await transaction(other.db, async () => {
        await other.add('undone')
        await one.add('kept too')
        await fail()
      }).catch(() => {})
    })
    expect([await one.names(), await other.names()]).toEqual(['kept,kept too', ''])
  })

  test.runIf(driver.kind === 'sqlite')('a batch in a transaction is a part of it', async () => {
    const { db, table, names } = await open(driver)
    const batch = (...extra: string[]): Promise<unknown[]> =>
      db.batch([
        db.insert(table).values({ name: `a${extra.length}` }),
        db.select().from(table).orderBy(table.name),
        ...extra.map((name) => db.insert(table).values({ name })),
        db.query.item.findMany(),
      ])
    await transaction(db, async () => {
      const [, rows, last] = await batch()
      expect([rows, last]).toEqual([[{ name: 'a0' }], [{ name: 'a0' }]])
      expect((await rejection(batch('a0'))).name).toBe('DrizzleQueryError')
      expect(await names()).toBe('a0')
      await fail()
    }).catch(() => {})
    expect(await names()).toBe('')
    expect((await batch('b'))[1]).toEqual([{ name: 'a1' }])
    expect(await names()).toBe('a1,b')
  })

  test("Drizzle's own db.transaction() is ambient as well, with a transaction inside it a part of it", async () => {
    const { db, add, names } = await open(
      driver,
      driver.hasSavepoints ? {} : { defaults: { propagation: 'required' } },
    )
    await db.transaction(async (tx: Db) => {
      await add('by db')
      await add('by tx', tx)
      await transaction(db, () => add('inside'))
      await tx.transaction((inner: Db) => add('inside by handle', inner))
      expect(inTransaction(db)).toBe(true)
    })
    await db
      .transaction(async () => {
        await add('undone')
        await fail()
      })
      .catch(() => {})
    expect(await names()).toBe('by db,by tx,inside,inside by handle')
    expect(inTransaction(db)).toBe(false)
  })

  test("tx.rollback() is Drizzle's own, and undoes the transaction", async () => {
    const { db, add, names } = await open(driver)
    const error = await rejection(
      transaction(db, async (tx: Db) => {
        await add('a')
        tx.rollback()
      }),
    )
    expect(error.constructor.name).toBe('TransactionRollbackError')
    expect(await names()).toBe('')
  })
}

function scopes(driver: DriverUnderTest): void {
  test('T2: a handle stays with its transaction: refused in another one, and after the end', async () => {
    const { db, add, names } = await open(driver)
    const other = await open(driver)
    let kept: Db
    await transaction(db, async (tx: Db) => {
      kept = tx
      await add('a', tx)
    })
    expect((await rejection(add('late', kept))).name).toBe('TransactionClosedError')
    if (driver.hasSavepoints)
      expect((await rejection(kept.transaction(async () => {}))).name).toBe(
        'TransactionClosedError',
      )
    await transaction(other.db, async () => {
      expect((await rejection(add('late', kept))).name).toBe('TransactionClosedError')
    })
    await transaction(db, async () => {
      expect((await rejection(add('late', kept))).name).toBe('TransactionClosedError')
    })
    expect(await names()).toBe('a')
  })

  test('T2: a handle works where the async context was lost', async () => {
    const { db, add, names } = await open(driver)
    let run: (() => void) | undefined
    const ready = new Promise<void>((resolve) => (run = resolve))
    let handle: Db
    const lost = ready.then(async () => {
      expect(inTransaction(db)).toBe(false)
      expect(inTransaction(handle)).toBe(true)
      await add('by handle', handle)
    })
    await transaction(db, async (tx: Db) => {
      handle = tx
      run!()
      await lost
      expect(await names()).toBe('by handle')
      await fail()
    }).catch(() => {})
    expect(await names()).toBe('')
  })

  test('T5: statements of one connection run in the order in which they were asked for', async () => {
    const { db, table, add } = await open(driver)
    // MySQL gives them in the order of the names, the others in that of their arrival.
    const marks = Array.from({ length: 100 }, (_, n) => `n${n + 100}`)
    await transaction(db, async (tx: Db) => {
      await Promise.all(marks.map((name, n) => add(name, n % 2 === 0 ? db : tx)))
    })
    const rows: { name: string }[] = await db.select().from(table)
    expect(rows.map(({ name }) => name)).toEqual(marks)
  })

  test('T10: a branch that goes on after the end is refused, and reaches nothing', async () => {
    const { db, add, names } = await open(driver)
    const late: unknown[] = []
    let end: (() => void) | undefined
    const ended = new Promise<void>((resolve) => (end = resolve))
    let branch: Promise<void> | undefined
    await transaction(db, async (tx: Db) => {
      branch = ended.then(async () => {
        late.push(await rejection(add('by db')), await rejection(add('by tx', tx)))
      })
      await fail()
    }).catch(() => {})
    end!()
    await branch
    expect(late.map((error) => (error as Error).name)).toEqual([
      'TransactionClosedError',
      'TransactionClosedError',
    ])
    expect(await names()).toBe('')
  })

  test('T11: statements that were not awaited are all in, or none and an error says so', async () => {
    const { db, table, names } = await open(driver)
    await transaction(db, async () => {
      for (const name of ['a', 'b', 'c'])
        void db
          .insert(table)
          .values({ name })
          .then(() => {})
    }).catch((error: Error) => expect(error.name).toBe('TransactionClosedError'))
    expect(['', 'a,b,c']).toContain(await names())
  })

  test('T40: control statements as text are refused', async () => {
    const { db, add, names, execute } = await open(driver)
    await transaction(db, async () => {
      await add('a')
      for (const text of ['commit', 'ROLLBACK', '/* x */ begin'])
        expect((await rejection(execute(text))).name).toMatch(
          /TransactionControlError|DrizzleError/,
        )
      await add('b')
    })
    expect(await names()).toBe('a,b')
  })

  test('T39: what is known of the transaction', async () => {
    const { db, add } = await open(driver)
    expect(currentTransaction(db)).toBeUndefined()
    await transaction(db, async (tx: Db, scope) => {
      await add('a')
      expect(scope).toMatchObject({ depth: 0, attempt: 1, statements: 1, savepoint: undefined })
      expect(currentTransaction(tx)).toMatchObject({ id: scope.id, depth: 0 })
      if (!driver.hasSavepoints) return
      await transaction(db, async (_tx: Db, inner) => {
        expect(inner).toMatchObject({ depth: 1, savepoint: 'keelson_1' })
        expect(currentTransaction(db)).toMatchObject({ id: inner.id })
      })
    })
  })
}

function nesting(driver: DriverUnderTest): void {
  const bodies = [
    { a: true, b: true, left: 'a1,a2,b1,b2' },
    { a: true, b: false, left: 'a1,a2' },
    { a: false, b: true, left: 'b1,b2' },
    { a: false, b: false, left: '' },
  ]
  for (const api of ['transaction(db)', 'tx.transaction()'] as const) {
    test.for(bodies)(
      `T3: siblings side by side do not touch each other, by ${api}: a $a, b $b`,
      async ({ a, b, left }) => {
        const { db, add, names } = await open(driver)
        const part = (tx: Db, name: string, succeeds: boolean): Promise<string> => {
          const body = async (): Promise<string> => {
            await add(`${name}1`)
            await turn()
            await add(`${name}2`)
            if (!succeeds) throw new RangeError(name)
            return name
          }
          return api === 'transaction(db)' ? transaction(db, body) : tx.transaction(body)
        }
        const ends = await transaction(db, (tx: Db) =>
          outcomes([part(tx, 'a', a), part(tx, 'b', b)]),
        )
        expect(ends).toEqual([a ? 'a' : 'RangeError', b ? 'b' : 'RangeError'])
        expect(await names()).toBe(left)
      },
    )
  }

  test('T4: what a transaction writes beside an open nested one is not undone with that one', async () => {
    const { db, add, names } = await open(driver)
    await transaction(db, async (tx: Db) => {
      await Promise.allSettled([
        transaction(db, async () => {
          await add('child')
          await turn()
          await fail()
        }),
        turn().then(() => add('by db')),
        turn().then(() => add('by tx', tx)),
      ])
    })
    expect(await names()).toBe('by db,by tx')
  })

  test('T4: a nested one that waits for a statement around it is told who holds it', async () => {
    const { db, add, names } = await open(driver)
    const error = await rejection(
      transaction(
        db,
        async () => {
          let start: (() => void) | undefined
          const started = new Promise<void>((resolve) => (start = resolve))
          const around = started.then(() => add('around'))
          await transaction(db, async () => {
            start!()
            await around
          })
        },
        { waitTimeoutMs: 50 },
      ),
    )
    expect(error.name).toBe('TransactionWaitTimeoutError')
    expect(error.message).toMatch(
      /a nested transaction, open for \d+ ms, begun at .*behaviour\.ts:\d+/,
    )
    expect(await names()).toBe('')
  })

  test('T2: the handle of a transaction, used inside a nested one, works there', async () => {
    const { db, add, names } = await open(driver)
    await transaction(db, async (tx: Db) => {
      await transaction(db, async () => {
        await add('undone', tx)
        await transaction(tx, () => add('undone, too'))
        await fail()
      }).catch(() => {})
      await add('kept', tx)
    })
    expect(await names()).toBe('kept')
  })

  test('T6, T7: each savepoint has a name of its own and is released, also after it was rolled back', async () => {
    if (driver.logs === undefined) return
    const { db, add, sent } = await open(driver)
    await transaction(db, async () => {
      await transaction(db, () => add('a'))
      await transaction(db, async () => {
        await add('b')
        await fail()
      }).catch(() => {})
    })
    const insert = expect.stringMatching(/^insert/)
    expect(sent().map((each) => each.replaceAll('`', '"'))).toEqual([
      driver.logs.begin,
      'savepoint "keelson_1"',
      insert,
      'release savepoint "keelson_1"',
      'savepoint "keelson_2"',
      insert,
      'rollback to savepoint "keelson_2"',
      'release savepoint "keelson_2"',
      'commit',
    ])
  })

  test('ten levels keep what the innermost that failed has not undone', async () => {
    const { db, add, names } = await open(driver)
    const level = async (n: number): Promise<void> => {
      await add(`n${n}`)
      if (n === 9) return
      await transaction(db, () => level(n + 1)).catch(() => {})
      if (n === 5) await fail()
    }
    await transaction(db, () => level(0))
    expect(await names()).toBe('n0,n1,n2,n3,n4')
  })

  const matrix = [true, false].flatMap((outer) => [true, false].map((inner) => ({ outer, inner })))
  test.for(matrix)(
    'T14: outer succeeds $outer, inner succeeds $inner',
    async ({ outer, inner }) => {
      const { db, add, names } = await open(driver)
      await transaction(db, async () => {
        await add('outer')
        await transaction(db, async () => {
          await add('inner')
          if (!inner) await fail()
        }).catch(() => {})
        await add('outer 2')
        if (!outer) await fail()
      }).catch(() => {})
      expect(await names()).toBe(!outer ? '' : inner ? 'inner,outer,outer 2' : 'outer,outer 2')
    },
  )

  test('T14: a failed statement in a nested one leaves the one around it alone', async () => {
    const { db, add, names } = await open(driver)
    await add('a')
    await transaction(db, async () => {
      await add('b')
      await transaction(db, () => add('a')).catch(() => {})
      await add('c')
    })
    expect(await names()).toBe('a,b,c')
  })
}

function failures(driver: DriverUnderTest): void {
  test('T15: what joined and failed takes everything with it, and the caller is told', async () => {
    const { db, add, names } = await open(driver)
    const failure = new Error('no')
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        const joined = transaction(db, () => Promise.reject(failure), { propagation: 'required' })
        await joined.catch(() => {})
        await add('b')
      }),
    )
    expect(error).toMatchObject({ name: 'UnexpectedRollbackError', cause: failure })
    expect(await names()).toBe('')
  })

  for (const api of ['transaction()', 'db.transaction()'] as const) {
    test(`T16, T18: a failed statement that is caught costs what the engine says, by ${api}`, async () => {
      const { db, add, names } = await open(driver)
      await add('a')
      let after: unknown = 'sent'
      const body = async (): Promise<string> => {
        await add('b')
        await add('a').catch(() => {})
        after = await add('c').then(
          () => 'sent',
          (error: Error) => error,
        )
        return 'SUCCESS'
      }
      const run: Promise<string> =
        api === 'transaction()' ? transaction(db, body) : db.transaction(body)
      if (driver.failsWhole) {
        const error = await rejection(run)
        expect(error.name).toBe('TransactionAbortedError')
        expect(describeError(error['cause']).category).toBe('unique')
        expect(after).toMatchObject({ name: 'TransactionAbortedError', cause: error['cause'] })
        expect(await names()).toBe('a')
      } else {
        expect(await run).toBe('SUCCESS')
        expect(await names()).toBe('a,b,c')
      }
    })
  }

  test.runIf(driver.kind === 'sqlite')(
    'T17: when SQLite rolls back on its own, nothing that follows is carried out',
    async () => {
      const { db, add, names, execute } = await open(driver)
      await add('a')
      const refused: string[] = []
      const error = await rejection(
        transaction(db, async () => {
          await add('b')
          await transaction(db, async () => {
            await execute("insert or rollback into item values ('a')").catch(() => {})
            refused.push((await rejection(add('c'))).name)
          }).catch(() => {})
          refused.push((await rejection(add('d'))).name)
        }),
      )
      expect(error.name).toBe('TransactionAbortedError')
      expect(engineMessage(error)).toMatch(/UNIQUE/)
      expect(refused).toEqual(['TransactionAbortedError', 'TransactionAbortedError'])
      expect(await names()).toBe('a')
      await transaction(db, () => add('next'))
      expect(await names()).toBe('a,next')
    },
  )

  test.runIf(driver.kind === 'sqlite' || driver.kind === 'postgresql')(
    'T19: a constraint that fails at COMMIT undoes everything, and the next transaction works',
    async () => {
      const { db, add, names, execute } = await open(driver)
      if (driver.kind === 'sqlite') await execute('pragma foreign_keys = on')
      await execute('drop table if exists part')
      await execute(
        'create table part (item text references item (name) deferrable initially deferred)',
      )
      const error = await rejection(
        transaction(db, async () => {
          await add('a')
          await execute("insert into part values ('nobody')")
        }),
      )
      if (driver.kind === 'postgresql') await execute('drop table if exists part')
      expect(describeError(error).category).toBe('foreignKey')
      await transaction(db, () => add('next'))
      expect(await names()).toBe('next')
    },
  )

  test('T23: the next transaction finds a clean connection, whatever became of the one before', async () => {
    const { db, add, names } = await open(driver)
    await add('a')
    const ends = [
      () => transaction(db, fail),
      () => transaction(db, () => add('a')),
      () => transaction(db, async () => void add('a').catch(() => {})),
      () => transaction(db, async () => add('a').catch(() => {})),
      () => db.transaction(() => add('a')),
      () => db.transaction(fail),
    ]
    for (const [n, end] of ends.entries()) {
      await end().catch(() => {})
      await transaction(db, () => add(`next${n}`))
    }
    expect((await names()).split(',')).toHaveLength(ends.length + 1)
  })
}

function hooks(driver: DriverUnderTest): void {
  test('T35: run in their order after the commit, outside, and may begin a transaction', async () => {
    const { db, add, names } = await open(driver)
    const log: string[] = []
    await transaction(db, async (_tx: Db, scope) => {
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

  test('T35: without a transaction they run at once, and nothing is registered in one that has ended', async () => {
    const { db } = await open(driver)
    const log: string[] = []
    await afterCommit(db, () => log.push('after'))
    await beforeCommit(db, () => log.push('before'))
    await afterRollback(db, () => log.push('never'))
    expect(log).toEqual(['after', 'before'])
    let handle: Db
    await transaction(db, async (tx: Db) => void (handle = tx))
    const late = (async () => afterCommit(handle, () => {}))()
    expect((await rejection(late)).name).toBe('TransactionClosedError')
  })

  test('a query that is returned, and so awaited elsewhere, is sent where it was made', async () => {
    const { db, table, names } = await open(driver)
    const insert = (name: string): any => db.insert(table).values({ name })
    await transaction(db, async (_tx: Db, scope) => {
      scope.beforeCommit(() => insert('undone'))
      scope.beforeCommit(fail)
    }).catch(() => {})
    if (driver.hasPool) {
      await transaction(db, async () => {
        await outside(db, () => insert('a'))
        await transaction(db, () => insert('b'), { propagation: 'notSupported' })
        await fail()
      }).catch(() => {})
    }
    await transaction(db, () => insert('c'))
    expect(await names()).toBe(driver.hasPool ? 'a,b,c' : 'c')
  })

  test('T36: a hook that fails after the commit does not make it look undone', async () => {
    const { db, add, names } = await open(driver)
    const failure = new Error('mail server')
    const error = await rejection(
      db.transaction(async (tx: Db) => {
        await add('a')
        await afterCommit(tx, () => Promise.reject(failure))
        return 'result'
      }),
    )
    expect(error).toMatchObject({ name: 'AfterCommitError', committed: true, result: 'result' })
    expect(error['cause']).toBe(failure)
    expect(await names()).toBe('a')
  })

  test('T37: a rollback drops them, and runs those that wait for it', async () => {
    const { db } = await open(driver)
    const log: string[] = []
    await transaction(db, async () => {
      await afterCommit(db, () => log.push('committed'))
      await afterRollback(db, () => log.push('rolled back'))
      await fail()
    }).catch(() => {})
    expect(log).toEqual(['rolled back'])
  })
}

function propagation(driver: DriverUnderTest): void {
  test('T29: outside any transaction', async () => {
    const { db } = await open(driver)
    const within = (propagation: any): Promise<boolean> =>
      transaction(db, async () => inTransaction(db), { propagation })
    for (const begins of ['nested', 'required', 'requiresNew'])
      expect(await within(begins)).toBe(true)
    for (const plain of ['supports', 'notSupported', 'never'])
      expect(await within(plain)).toBe(false)
    expect((await rejection(within('mandatory'))).name).toBe('TransactionPropagationError')
  })

  test('T28, T29: inside a transaction', async () => {
    const { db } = await open(driver)
    await transaction(db, async (_tx: Db, scope) => {
      const depth = (propagation: any): Promise<number | undefined> =>
        transaction(db, async () => currentTransaction(db)?.depth, { propagation })
      if (driver.hasSavepoints) expect(await depth('nested')).toBe(1)
      else expect((await rejection(depth('nested'))).name).toBe('SavepointsNotSupportedError')
      for (const joins of ['required', 'supports', 'mandatory']) expect(await depth(joins)).toBe(0)
      expect(await depth('notSupported')).toBeUndefined()
      expect((await rejection(depth('never'))).name).toBe('TransactionPropagationError')
      const durable = transaction(db, async () => {}, { durable: true })
      expect((await rejection(durable)).name).toBe('TransactionPropagationError')
      expect(scope.depth).toBe(0)
    })
  })

  test.runIf(driver.hasPool)(
    'T13, T29: outside() and requiresNew have a connection of their own',
    async () => {
      const { db, add, names } = await open(driver)
      await transaction(db, async () => {
        await add('undone')
        await outside(db, () => add('outside'))
        await transaction(db, () => add('new'), { propagation: 'requiresNew' })
        expect(await outside(db, () => names())).toBe('new,outside')
        await fail()
      }).catch(() => {})
      expect(await names()).toBe('new,outside')
    },
  )

  test.runIf(driver.hasPool)('T13: a handle leads outside as plain db does', async () => {
    const { db, add, names } = await open(driver)
    await transaction(db, async (tx: Db) => {
      await add('undone', tx)
      await outside(tx, (plain) => add('outside', plain))
      const notSupported = { propagation: 'notSupported' } as const
      await transaction(tx, (plain: Db) => add('not supported', plain), notSupported)
      await fail()
    }).catch(() => {})
    expect(await names()).toBe('not supported,outside')
  })

  test.runIf(!driver.hasPool)(
    'T13, T29: outside() and requiresNew fail at once where nobody else can write',
    async () => {
      const { db, add, names } = await open(driver)
      // Whoever waited now would do so for ever.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      await transaction(db, async () => {
        await add('a')
        const name = 'TransactionDeadlockError'
        expect((await rejection(outside(db, () => add('b')))).name).toBe(name)
        const inner = transaction(db, () => add('c'), { propagation: 'requiresNew' })
        expect((await rejection(inner)).name).toBe(name)
        if (driver.hasReaders) expect(await outside(db, () => names())).toBe('')
        await add('d')
      })
      vi.useRealTimers()
      expect(await names()).toBe('a,d')
    },
  )

  test.runIf(!driver.hasPool && !driver.hasReaders)(
    'what others send meanwhile waits for the end of the transaction, and is not undone with it',
    async () => {
      const { db, add, names } = await open(driver)
      let open_: (() => void) | undefined
      const opened = new Promise<void>((resolve) => (open_ = resolve))
      const stranger = opened.then(() => add('stranger'))
      const other = opened.then(() => transaction(db, () => add('other')))
      await transaction(db, async () => {
        await add('undone')
        open_!()
        await turn()
        await turn()
        await fail()
      }).catch(() => {})
      await Promise.all([stranger, other])
      expect(await names()).toBe('other,stranger')
    },
  )
}

function options(driver: DriverUnderTest): void {
  const nowhere = [
    { isolationLevel: 'chaos' },
    { isolatonLevel: 'serializable' },
    { timeoutMs: -1 },
    ...(driver.kind === 'sqlite'
      ? [{ isolationLevel: 'read committed' }]
      : [{ behavior: 'immediate' }]),
    ...(driver.kind === 'duckdb'
      ? [{ isolationLevel: 'serializable' }]
      : [{ isolationLevel: 'snapshot' }]),
  ]
  test.for(nowhere)('T26: %o is refused before anything is sent', async (given) => {
    const { db, add, names, sent } = await open(driver)
    const error = await rejection(transaction(db, () => add('a'), given as object))
    expect(error).toMatchObject({ name: 'TransactionOptionsError', option: Object.keys(given)[0] })
    expect(sent()).toEqual([])
    await transaction(db, () => add('next'))
    expect(await names()).toBe('next')
  })

  test("T26: Drizzle's own configuration is carried out or refused, never ignored", async () => {
    const { db, add, names } = await open(driver)
    for (const config of [{ deferrable: true }, { withConsistentSnapshot: true }, { what: 1 }]) {
      const error = await rejection(db.transaction(() => add('a'), config))
      expect(error).toMatchObject({
        name: 'TransactionOptionsError',
        option: Object.keys(config)[0],
      })
    }
    if (driver.hasSavepoints) {
      const inner = await rejection(
        db.transaction((tx: Db) =>
          tx.transaction(() => add('a'), { isolationLevel: 'serializable' }),
        ),
      )
      expect(inner).toMatchObject({ name: 'TransactionOptionsError', option: 'isolationLevel' })
    }
    expect(await names()).toBe('')
  })

  test('T26: read only is kept, and is over with the transaction', async () => {
    const { db, add, names } = await open(driver)
    await add('a')
    const error = await rejection(
      transaction(
        db,
        async () => {
          expect(await names()).toBe('a')
          await add('b')
        },
        { accessMode: 'read only' },
      ),
    )
    expect(describeError(error).category).toBe('readOnly')
    await add('c')
    expect(await names()).toBe('a,c')
  })

  test.runIf(driver.kind === 'postgresql')(
    'T26: the isolation level is that of the transaction',
    async () => {
      const { db } = await open(driver)
      const level = async (): Promise<unknown> => {
        const result: any = await db.execute(sql`show transaction_isolation`)
        return (result.rows ?? result)[0].transaction_isolation
      }
      expect(await transaction(db, level, { isolationLevel: 'serializable' })).toBe('serializable')
      expect(await db.transaction(level, { isolationLevel: 'repeatable read' })).toBe(
        'repeatable read',
      )
      expect(await transaction(db, level)).toBe('read committed')
    },
  )

  test('commitIf decides by the result', async () => {
    const { db, add, names } = await open(driver)
    const run = (ok: boolean): Promise<boolean> =>
      transaction(db, () => add(`${ok}`).then(() => ok), { commitIf: (result) => result })
    expect([await run(false), await run(true)]).toEqual([false, true])
    expect(await names()).toBe('true')
  })
}

function limits(driver: DriverUnderTest): void {
  test('T30: timeoutMs rolls back, and refuses what the callback does afterwards', async () => {
    const { db, add, names } = await open(driver)
    // Time passes only when the transaction says so, however busy the machine is.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    let late: Promise<Error> | undefined
    const error = await rejection(
      transaction(
        db,
        async () => {
          await add('a')
          await vi.advanceTimersByTimeAsync(500)
          late = rejection(add('b'))
          await late
        },
        { timeoutMs: 500 },
      ),
    )
    expect(error).toMatchObject({ name: 'TransactionTimeoutError', limitMs: 500 })
    expect(error['lastSql']).toMatch(/^insert/)
    vi.useRealTimers()
    await vi.waitFor(() => expect(late).toBeDefined())
    expect((await late!).name).toBe('TransactionTimeoutError')
    expect(await names()).toBe('')
  })

  test('T30: an aborted signal rolls back with its reason', async () => {
    const { db, add, names } = await open(driver)
    const abort = new AbortController()
    const reason = new Error('enough')
    const error = await rejection(
      transaction(
        db,
        async () => {
          await add('a')
          abort.abort(reason)
          await turn()
          await add('b')
        },
        { signal: abort.signal },
      ),
    )
    expect(error).toBe(reason)
    expect(await names()).toBe('')
    const before = transaction(db, () => add('c'), { signal: AbortSignal.abort(reason) })
    expect(await rejection(before)).toBe(reason)
    expect(await names()).toBe('')
  })

  test('T32: retry runs the whole callback again', async () => {
    const { db, add, names } = await open(driver)
    const log: number[] = []
    await transaction(
      db,
      async (_tx: Db, scope) => {
        log.push(scope.attempt)
        await add(`a${scope.attempt}`)
        if (scope.attempt < 3) await fail()
      },
      { retry: { attempts: 3, minDelayMs: 1, when: () => true } },
    )
    expect(log).toEqual([1, 2, 3])
    expect(await names()).toBe('a3')
  })

  test.runIf(driver.hasSavepoints)(
    'T38: withRollback undoes everything, with transactions inside as they are',
    async () => {
      const { db, add, names } = await open(driver)
      const log: string[] = []
      const result = await withRollback(db, async () => {
        await add('a')
        await transaction(
          db,
          async (_tx: Db, scope) => {
            scope.afterCommit(() => log.push('committed'))
            expect(scope.depth).toBe(0)
            await add('b')
          },
          { durable: true },
        )
        await db.transaction(fail).catch(() => {})
        return names()
      })
      expect(result).toBe('a,b')
      expect(log).toEqual(['committed'])
      expect(await names()).toBe('')
    },
  )
}
