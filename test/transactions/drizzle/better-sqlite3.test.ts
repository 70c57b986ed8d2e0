import {
  afterCommit,
  afterRollback,
  beforeCommit,
  currentTransaction,
  inTransaction,
  outside,
  transaction,
  withRollback,
  withTransactions,
} from '@keelson/transactions/drizzle'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { type Db, item } from './drivers.ts'

function open() {
  const raw = new Database(temporaryFile())
  onTestFinished(() => void raw.close())
  const statements: string[] = []
  const db = withTransactions(
    drizzle(raw, {
      logger: { logQuery: (query) => void statements.push(query) },
      schema: { item },
    }),
  )
  db.run(sql`create table item (name text not null unique)`)
  statements.length = 0
  return {
    raw,
    db,
    add: (name: string, on: Db = db): void => void on.insert(item).values({ name }).run(),
    names: (on: Db = db): string =>
      on
        .select()
        .from(item)
        .orderBy(item.name)
        .all()
        .map((row: { name: string }) => row.name)
        .join(),
    sent: () => statements.splice(0),
  }
}

function thrownBy(fn: () => unknown): Error & Record<string, unknown> {
  try {
    fn()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('It was expected to fail, and did not.')
}

function caught(fn: () => unknown): void {
  try {
    fn()
  } catch {}
}

const fail = (): never => {
  throw new Error('no')
}

describe('joining on better-sqlite3', () => {
  test('T1, T27: plain db belongs to the transaction, which takes the right to write at once', () => {
    const { db, add, names, sent } = open()
    const prepared = db.select().from(item).prepare()
    const failure = new Error('no')
    const thrown = thrownBy(() =>
      transaction(db, (tx) => {
        add('a')
        add('b', tx)
        expect(prepared.all()).toHaveLength(2)
        expect(db.query.item.findMany().sync()).toHaveLength(2)
        expect(names()).toBe('a,b')
        throw failure
      }),
    )
    expect(thrown).toBe(failure)
    expect(sent()[0]).toBe('begin immediate')
    expect(names()).toBe('')
  })

  test('returns what the callback returned, and stays synchronous', () => {
    const { db, add } = open()
    const result: number = transaction(db, () => {
      add('a')
      return db.select().from(item).all().length
    })
    expect(result).toBe(1)
    expect(db.query.item.findFirst().sync()).toEqual({ name: 'a' })
    expect(db.select().from(item).prepare().execute().sync()).toEqual([{ name: 'a' }])
  })

  test('a query that is awaited outside is what it was', async () => {
    const { db, add } = open()
    add('a')
    expect(await db.select().from(item)).toEqual([{ name: 'a' }])
    expect(await db.$count(item)).toBe(1)
    expect(await db.query.item.findMany()).toEqual([{ name: 'a' }])
  })

  test("Drizzle's own db.transaction() and tx.transaction() are the same", () => {
    const { db, add, names, sent } = open()
    db.transaction((tx) => {
      add('a')
      caught(() =>
        tx.transaction(() => {
          add('undone')
          fail()
        }),
      )
      db.transaction((inner) => add('b', inner))
    })
    expect(sent()).toEqual([
      'begin immediate',
      expect.stringMatching(/^insert/),
      'savepoint "keelson_1"',
      expect.stringMatching(/^insert/),
      'rollback to savepoint "keelson_1"',
      'release savepoint "keelson_1"',
      'savepoint "keelson_2"',
      expect.stringMatching(/^insert/),
      'release savepoint "keelson_2"',
      'commit',
    ])
    expect(names()).toBe('a,b')
  })

  const matrix = [true, false].flatMap((outer) => [true, false].map((inner) => ({ outer, inner })))
  test.for(matrix)('T14: outer succeeds $outer, inner succeeds $inner', ({ outer, inner }) => {
    const { db, add, names } = open()
    caught(() =>
      transaction(db, () => {
        add('outer')
        caught(() =>
          transaction(db, () => {
            add('inner')
            if (!inner) fail()
          }),
        )
        if (!outer) fail()
      }),
    )
    expect(names()).toBe(!outer ? '' : inner ? 'inner,outer' : 'outer')
  })

  test('T2: a handle stays with its transaction', () => {
    const { db, add, names } = open()
    let kept: Db
    transaction(db, (tx) => {
      kept = tx
      transaction(db, () => add('inside', tx))
    })
    expect(thrownBy(() => add('late', kept)).name).toBe('TransactionClosedError')
    expect(thrownBy(() => kept.transaction(() => {})).name).toBe('TransactionClosedError')
    expect(names()).toBe('inside')
  })
})

describe('T31: what is async on better-sqlite3', () => {
  test('an async function is refused before anything is begun, at every depth', () => {
    const { db, add, names, sent } = open()
    const body = vi.fn<() => Promise<void>>()
    const asyncBody = async (): Promise<void> => body()
    // @ts-expect-error -- refused by the types, too
    expect(thrownBy(() => transaction(db, asyncBody)).name).toBe('AsyncCallbackError')
    expect(thrownBy(() => db.transaction(asyncBody)).name).toBe('AsyncCallbackError')
    expect(sent()).toEqual([])
    transaction(db, (tx) => {
      add('a')
      // @ts-expect-error -- refused by the types, too
      expect(thrownBy(() => transaction(db, asyncBody)).name).toBe('AsyncCallbackError')
      expect(thrownBy(() => (tx as Db).transaction(asyncBody)).name).toBe('AsyncCallbackError')
      add('b')
    })
    expect(body).not.toHaveBeenCalled()
    expect(names()).toBe('a,b')
  })

  test('a promise that is returned is rolled back, what it goes on to do is refused, its rejection is heard', async () => {
    const { db, add, names } = open()
    const unheard = vi.fn<(error: unknown) => void>()
    process.on('unhandledRejection', unheard)
    onTestFinished(() => void process.off('unhandledRejection', unheard))
    let late: Error | undefined
    const body = (): any =>
      (async () => {
        add('before')
        await Promise.resolve()
        late = thrownBy(() => add('after'))
        fail()
      })()
    expect(thrownBy(() => transaction(db, body)).name).toBe('AsyncCallbackError')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(late?.name).toBe('TransactionClosedError')
    expect(unheard).not.toHaveBeenCalled()
    expect(names()).toBe('')
  })

  test('a statement beside the transaction that is open is refused', () => {
    const { db, add, names } = open()
    transaction(db, () => {
      add('a')
      expect(thrownBy(() => outside(db, () => add('b'))).name).toBe('ConnectionBusyError')
      const query = db.select().from(item).prepare()
      const sent = (): unknown => outside(db, () => query.execute().sync())
      expect(thrownBy(sent).name).toBe('ConnectionBusyError')
      expect(query.execute().sync()).toEqual([{ name: 'a' }])
      const inner = (): void => outside(db, () => transaction(db, () => add('c')))
      expect(thrownBy(inner).name).toBe('ConnectionBusyError')
    })
    expect(names()).toBe('a')
  })

  test('T13: a handle does not lead back into its transaction from outside it', () => {
    const { db, add, names } = open()
    transaction(db, (tx) => {
      add('a', tx)
      const sent = thrownBy(() => outside(tx, (plain) => add('b', plain)))
      expect(sent.name).toBe('ConnectionBusyError')
      const notSupported = { propagation: 'notSupported' } as const
      const run = thrownBy(() => transaction(tx, (plain) => add('c', plain), notSupported))
      expect(run.name).toBe('ConnectionBusyError')
    })
    expect(names()).toBe('a')
  })

  test("what propagation says for all is said of Drizzle's own transactions, too, whose handle works outside", () => {
    const { raw, names } = open()
    const db = withTransactions(drizzle(raw), { defaults: { propagation: 'supports' } })
    db.transaction((tx) => tx.insert(item).values({ name: 'a' }).run())
    expect(names()).toBe('a')
  })

  test('a statement that is awaited inside comes too late, and is refused', async () => {
    const { db } = open()
    let late: Promise<Error> | undefined
    transaction(db, () => {
      late = rejection(db.insert(item).values({ name: 'a' }))
    })
    expect((await late)?.name).toBe('TransactionClosedError')
  })
})

describe('failures on better-sqlite3', () => {
  test('T15: what joined and failed takes everything with it', () => {
    const { db, add, names } = open()
    const error = thrownBy(() =>
      transaction(db, () => {
        add('a')
        caught(() => transaction(db, fail, { propagation: 'required' }))
      }),
    )
    expect(error.name).toBe('UnexpectedRollbackError')
    expect(names()).toBe('')
  })

  test('T17: when SQLite rolls back on its own, nothing that follows is carried out', () => {
    const { db, add, names } = open()
    add('a')
    let first: unknown
    const error = thrownBy(() =>
      transaction(db, () => {
        add('b')
        caught(() =>
          transaction(db, () => {
            first = thrownBy(() => db.run(sql`insert or rollback into item values ('a')`))
            add('c')
          }),
        )
        expect(thrownBy(() => add('d')).name).toBe('TransactionAbortedError')
      }),
    )
    expect(error.name).toBe('TransactionAbortedError')
    expect(error['cause']).toBe((first as Error).cause ?? first)
    expect(names()).toBe('a')
    transaction(db, () => add('next'))
    expect(names()).toBe('a,next')
  })

  test('T19: a constraint that fails at COMMIT undoes everything', () => {
    const { raw, db, add, names } = open()
    raw.pragma('foreign_keys = on')
    raw.exec('create table part (item text references item (name) deferrable initially deferred)')
    const error = thrownBy(() =>
      transaction(db, () => {
        add('a')
        db.run(sql`insert into part values ('nobody')`)
      }),
    )
    expect(error['code']).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    transaction(db, () => add('next'))
    expect(names()).toBe('next')
  })

  test('T21: an error of the user survives whatever becomes of the rollback', () => {
    const { raw, db } = open()
    const failure = new Error('no')
    const error = thrownBy(() =>
      transaction(db, () => {
        transaction(db, () => {
          raw.exec('release "keelson_1"')
          throw failure
        })
      }),
    )
    expect(error).toBe(failure)
    expect((error['suppressed'] as Error[])[0]!.message).toMatch(/no such savepoint/)
  })

  test('T22: a BEGIN that fails leaves nothing behind', () => {
    const { raw, db, add, names } = open()
    const other = new Database(raw.name)
    onTestFinished(() => void other.close())
    raw.pragma('busy_timeout = 0')
    other.exec('begin immediate')
    for (let n = 0; n < 200; n++)
      expect(thrownBy(() => transaction(db, () => add('a')))['code']).toBe('SQLITE_BUSY')
    other.exec('rollback')
    transaction(db, () => add('b'))
    expect(names()).toBe('b')
  })

  test('T40: control statements as text are refused', () => {
    const { db, names, add } = open()
    transaction(db, () => {
      add('a')
      expect(thrownBy(() => db.run(sql`commit`))['cause']).toMatchObject({
        name: 'TransactionControlError',
      })
    })
    expect(names()).toBe('a')
  })
})

describe('options and hooks on better-sqlite3', () => {
  test.for([
    { isolationLevel: 'read committed' },
    { retry: 3 },
    { timeoutMs: 10 },
    { signal: AbortSignal.timeout(1) },
    { misspelt: true },
  ])('T26: %o is refused before anything is sent', (given) => {
    const { db, add, sent } = open()
    const error = thrownBy(() => transaction(db, () => add('a'), given as object))
    expect(error).toMatchObject({ name: 'TransactionOptionsError', option: Object.keys(given)[0] })
    expect(sent()).toEqual([])
  })

  test('T26: read only is kept, and is over with the transaction', () => {
    const { raw, db, add, names } = open()
    const error = thrownBy(() => transaction(db, () => add('a'), { accessMode: 'read only' }))
    expect(error['code']).toBe('SQLITE_READONLY')
    expect(raw.pragma('query_only', { simple: true })).toBe(0)
    add('b')
    expect(names()).toBe('b')
  })

  test("T26: Drizzle's behavior is carried out", () => {
    const { db, sent } = open()
    for (const behavior of ['deferred', 'immediate', 'exclusive'] as const)
      db.transaction(() => {}, { behavior })
    expect(sent().filter((each) => each.startsWith('begin'))).toEqual([
      'begin deferred',
      'begin immediate',
      'begin exclusive',
    ])
  })

  test('T29: propagation', () => {
    const { db } = open()
    const depth = (propagation: any): number | undefined =>
      transaction(db, () => currentTransaction(db)?.depth, { propagation })
    expect([depth('nested'), depth('required'), depth('supports'), depth('never')]).toEqual([
      0,
      0,
      undefined,
      undefined,
    ])
    expect(thrownBy(() => depth('mandatory')).name).toBe('TransactionPropagationError')
    transaction(db, () => {
      expect([depth('nested'), depth('required'), depth('mandatory')]).toEqual([1, 0, 0])
      expect(depth('notSupported')).toBeUndefined()
      expect(thrownBy(() => depth('never')).name).toBe('TransactionPropagationError')
      expect(thrownBy(() => depth('requiresNew')).name).toBe('TransactionDeadlockError')
      const durable = (): void => transaction(db, () => {}, { durable: true })
      expect(thrownBy(durable).name).toBe('TransactionPropagationError')
    })
  })

  test('T35, T37: hooks run in their order, and are dropped with a part that fails', () => {
    const { db, names, add } = open()
    const log: string[] = []
    transaction(db, (_tx, { afterCommit: after }) => {
      after(() => log.push(`1 ${inTransaction(db)} ${names()}`))
      caught(() =>
        transaction(db, () => {
          afterCommit(db, () => log.push('dropped'))
          afterRollback(db, () => log.push('undone'))
          fail()
        }),
      )
      transaction(db, () => afterCommit(db, () => transaction(db, () => add('2'))))
      beforeCommit(db, () => add('before'))
    })
    expect(log).toEqual(['undone', '1 false before'])
    expect(names()).toBe('2,before')
  })

  test('T36: a hook that fails, or is async, after the commit does not make it look undone', () => {
    const { db, add, names } = open()
    const error = thrownBy(() =>
      transaction(db, () => {
        afterCommit(db, async () => {})
        afterCommit(db, fail)
        add('a')
        return 'result'
      }),
    )
    expect(error).toMatchObject({ name: 'AfterCommitError', result: 'result' })
    expect((error['errors'] as Error[]).map(({ name }) => name)).toEqual([
      'AsyncCallbackError',
      'Error',
    ])
    expect(names()).toBe('a')
  })

  test('commitIf decides by the result', () => {
    const { db, add, names } = open()
    expect(transaction(db, () => add('a'), { commitIf: () => false })).toBeUndefined()
    expect(names()).toBe('')
  })

  test('T38: withRollback undoes everything, with transactions inside as they are', () => {
    const { db, add, names } = open()
    const log: string[] = []
    const inside = withRollback(db, () => {
      transaction(
        db,
        (_tx, scope) => {
          scope.afterCommit(() => log.push('committed'))
          expect(scope.depth).toBe(0)
          add('a')
        },
        { durable: true },
      )
      return names()
    })
    expect([inside, names(), log]).toEqual(['a', '', ['committed']])
  })
})
