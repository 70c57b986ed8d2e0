import { inTransaction, transaction, withTransactions } from '@keelson/transactions/kysely'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { describeOn, engines, open, outcomes, sqliteOurs, type Tables, turn } from './engines.ts'

const nesting = engines.filter(({ hasSavepoints }) => hasSavepoints)

describeOn(engines, 'scopes', (engine) => {
  test('T1: plain db belongs to the transaction that is open around it', async () => {
    const { db, add, names } = await open(engine)
    const failure = new Error('no')
    const thrown = await rejection(
      transaction(db, async () => {
        await add('a')
        expect(await names()).toBe('a')
        throw failure
      }),
    )
    expect(thrown).toBe(failure)
    expect(await names()).toBe('')
  })

  test('T1: two databases do not mix', async () => {
    const one = await open(engine)
    const other = await open(engine)
    await transaction(one.db, async () => {
      await one.add('kept')
      expect(inTransaction(other.db)).toBe(false)
      await transaction(other.db, async () => {
        await other.add('undone')
        await one.add('kept too')
        throw new Error('no')
      }).catch(() => {})
    })
    expect([await one.names(), await other.names()]).toEqual(['kept,kept too', ''])
  })

  test('T1: db with a schema, plugins or a connection of its own joins, too', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      await add('a', db.withoutPlugins())
      await db.connection().execute((connection) => add('b', connection))
      throw new Error('no')
    }).catch(() => {})
    expect(await names()).toBe('')
  })

  test('a connection of its own outlives the transactions on it, and nobody else has it meanwhile', async () => {
    const { db, add, names } = await open(engine)
    const connectionOf = (handle: Kysely<Tables>): Promise<object> =>
      handle.getExecutor().provideConnection(async (connection) => connection)
    const others: Promise<unknown>[] = []
    await db.connection().execute(async (own) => {
      const connection = await connectionOf(own)
      await add('alone', own)
      await own.transaction().execute((tx) => add('committed', tx))
      if (engine.hasPool)
        others.push(connectionOf(db).then((other) => expect(other).not.toBe(connection)))
      await own
        .transaction()
        .execute(async (tx) => {
          await add('undone', tx)
          throw new Error('no')
        })
        .catch(() => {})
      await transaction(own, () => add('within', own))
      const controlled = await own.startTransaction().execute()
      await add('controlled', controlled)
      await controlled.commit().execute()
      await add('after', own)
      expect(await connectionOf(own)).toBe(connection)
    })
    await Promise.all(others)
    expect(await names()).toBe('after,alone,committed,controlled,within')
  })

  test('T2: a handle stays with its transaction, and is refused in another one and after the end', async () => {
    const { db, add, names } = await open(engine)
    const other = await open(engine)
    let kept: Kysely<Tables>
    await transaction(db, async (tx) => {
      kept = tx
      await add('a', tx)
    })
    expect((await rejection(add('late', kept!))).name).toBe('TransactionClosedError')
    await transaction(other.db, async () => {
      expect((await rejection(add('late', kept))).name).toBe('TransactionClosedError')
    })
    expect(await names()).toBe('a')
  })

  test('T2: a handle works where the async context was lost', async () => {
    const { db, add, names } = await open(engine)
    let run: (() => void) | undefined
    const ready = new Promise<void>((resolve) => (run = resolve))
    let handle: Kysely<Tables> | undefined
    const outside = ready.then(async () => {
      expect(inTransaction(db)).toBe(false)
      await add('by handle', handle!)
    })
    await transaction(db, async (tx) => {
      handle = tx
      run!()
      await outside
      throw new Error('no')
    }).catch(() => {})
    expect(await names()).toBe('')
  })

  test('T5: statements of one connection run in the order in which they were asked for', async () => {
    const { db, sent } = await open(engine)
    const marks = Array.from({ length: 200 }, (_, n) => n)
    await transaction(db, async () => {
      await Promise.all(
        marks.map((n) =>
          db
            .selectFrom('item')
            .select('name')
            .where('name', '=', `${n}`)
            .limit(n + 1)
            .execute(),
        ),
      )
      sent()
    })
    await transaction(db, async () => {
      await Promise.all(
        marks.map((n) =>
          db
            .insertInto('item')
            .values({ name: `n${n}` })
            .execute(),
        ),
      )
    })
    const rows = await db
      .selectFrom('item')
      .select('name')
      // MySQL would read the index of the names. DuckDB gives no numbers, but rows in their order.
      .$if(engine.kind !== 'duckdb', (query) => query.orderBy('id'))
      .execute()
    expect(rows.map(({ name }) => name)).toEqual(marks.map((n) => `n${n}`))
  })

  test('plain db.transaction() is ambient as well, and a transaction inside it is a part of it', async () => {
    const { db, add, names } = await open(
      engine,
      engine.hasSavepoints ? {} : { defaults: { propagation: 'required' } },
    )
    await db.transaction().execute(async (trx) => {
      await add('by db')
      await add('by trx', trx)
      await transaction(db, () => add('inside'))
      await transaction(trx, () => add('inside by handle'))
    })
    await db
      .transaction()
      .execute(async () => {
        await add('undone')
        throw new Error('no')
      })
      .catch(() => {})
    expect(await names()).toBe('by db,by trx,inside,inside by handle')
    expect(inTransaction(db)).toBe(false)
  })

  test('a controlled transaction is what its handle says, and its creator stays outside', async () => {
    const { db, add, names } = await open(engine)
    const trx = await db.startTransaction().execute()
    expect(inTransaction(db)).toBe(false)
    await add('a', trx)
    expect(inTransaction(trx)).toBe(true)
    await trx.rollback().execute()
    const again = await db.startTransaction().execute()
    await add('b', again)
    await again.commit().execute()
    expect(await names()).toBe('b')
  })

  test('an empty callback leaves nothing open', async () => {
    const { db, names, add } = await open(engine)
    for (let n = 0; n < 20; n++) await transaction(db, async () => {})
    await add('a')
    expect(await names()).toBe('a')
  })
})

describeOn(nesting, 'nested scopes', (engine) => {
  const bodies = [
    { a: true, b: true, left: 'a1,a2,b1,b2' },
    { a: true, b: false, left: 'a1,a2' },
    { a: false, b: true, left: 'b1,b2' },
    { a: false, b: false, left: '' },
  ]

  test.for(bodies)(
    'T3: siblings side by side do not touch each other: a $a, b $b',
    async ({ a, b, left }) => {
      const { db, add, names } = await open(engine)
      const part = (name: string, succeeds: boolean) =>
        transaction(db, async () => {
          await add(`${name}1`)
          await turn()
          await add(`${name}2`)
          if (!succeeds) throw new RangeError(name)
          return name
        })
      const ends = await transaction(db, () => outcomes([part('a', a), part('b', b)]))
      expect(ends).toEqual([a ? 'a' : 'RangeError', b ? 'b' : 'RangeError'])
      expect(await names()).toBe(left)
    },
  )

  test('T4: what a transaction writes beside an open nested one is not undone with that one', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      await Promise.allSettled([
        transaction(db, async () => {
          await add('child')
          await turn()
          throw new Error('no')
        }),
        turn().then(() => add('PARENT')),
      ])
    })
    expect(await names()).toBe('PARENT')
  })

  test('T4: a nested one that waits for a statement around it is told so, with who holds it and since where', async () => {
    const { db, add, names } = await open(engine)
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
      /a nested transaction, open for \d+ ms, begun at .*scopes\.test\.ts:\d+/,
    )
    expect(error.message).toContain('waitTimeoutMs')
    expect(await names()).toBe('')
  })

  test('T2: the handle of a transaction, used inside a nested one, works there', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async (tx) => {
      await transaction(db, async () => {
        await add('undone', tx)
        await transaction(tx, () => add('undone, too'))
        throw new Error('no')
      }).catch(() => {})
      await add('kept', tx)
    })
    expect(await names()).toBe('kept')
  })

  test('T6, T7: each savepoint has a name of its own and is released, also after it was rolled back', async () => {
    const { db, add, sent } = await open(engine)
    await transaction(db, async () => {
      await transaction(db, () => add('a'))
      await transaction(db, async () => {
        await add('b')
        throw new Error('no')
      }).catch(() => {})
    })
    const release = engine.kind === 'mysql' ? 'release savepoint' : 'release'
    expect(sent().map((each) => each.replaceAll('`', '"'))).toEqual([
      ...(engine.name === 'PGlite' ? [] : [engine.begin]),
      'savepoint "keelson_1"',
      expect.stringMatching(/^insert/),
      `${release} "keelson_1"`,
      'savepoint "keelson_2"',
      expect.stringMatching(/^insert/),
      'rollback to "keelson_2"',
      `${release} "keelson_2"`,
      ...(engine.name === 'PGlite' ? [] : ['commit']),
    ])
  })

  test('T7: thousands of nested ones that fail leave nothing behind', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      for (let n = 0; n < 1_000; n++)
        await transaction(db, async () => {
          throw new Error('no')
        }).catch(() => {})
      await add('a')
    })
    expect(await names()).toBe('a')
  })

  test('db.transaction() and db.startTransaction() inside a transaction are savepoints', async () => {
    const { db, add, names } = await open(engine)
    await transaction(db, async () => {
      await db
        .transaction()
        .execute(async (trx) => {
          await add('undone', trx)
          await add('undone by db')
          throw new Error('no')
        })
        .catch(() => {})
      await db.transaction().execute((trx) => add('kept', trx))
      const controlled = await db.startTransaction().execute()
      await add('controlled', controlled)
      await controlled.commit().execute()
      const other = await db.startTransaction().execute()
      await add('controlled, undone', other)
      await other.rollback().execute()
    })
    expect(await names()).toBe('controlled,kept')
  })

  test('the savepoints of a controlled transaction go on working', async () => {
    const { db, add, names } = await open(engine)
    const trx = await db.startTransaction().execute()
    await add('a', trx)
    const step = await trx.savepoint('step').execute()
    await add('b', step)
    const back = await step.rollbackToSavepoint('step').execute()
    await transaction(back, () => add('c'))
    await back.commit().execute()
    expect(await names()).toBe('a,c')
  })

  test('ten levels keep what the innermost that failed has not undone', async () => {
    const { db, add, names } = await open(engine)
    const level = async (n: number): Promise<void> => {
      await add(`n${n}`)
      if (n === 9) return
      await transaction(db, () => level(n + 1)).catch(() => {})
      if (n === 5) throw new Error('no')
    }
    await transaction(db, () => level(0))
    expect(await names()).toBe('n0,n1,n2,n3,n4')
  })
})

test('many transactions begun at once run one after the other where one can write', async () => {
  const { db, add, names } = await open(sqliteOurs)
  const all = Array.from({ length: 20 }, (_, n) =>
    transaction(db, async () => {
      await add(`n${String(n).padStart(2, '0')}`)
      await turn()
      if (n % 2 === 1) throw new Error('no')
    }),
  )
  await Promise.allSettled(all)
  expect((await names()).split(',')).toHaveLength(10)
})

describeOn(engines, 'an existing Kysely instance', (engine) => {
  test('is wrapped as a whole, over the same connections', async () => {
    const plain = new Kysely<Tables>({ dialect: await engine.dialect() })
    const db = withTransactions(
      plain,
      engine.hasSavepoints ? {} : { defaults: { propagation: 'required' } },
    )
    onTestFinished(() => plain.destroy())
    await sql`drop table if exists item`.execute(plain)
    await sql`create table item (name varchar(100))`.execute(plain)
    const add = (name: string): Promise<unknown> => db.insertInto('item').values({ name }).execute()
    await transaction(db, async () => {
      await add('kept')
      await transaction(db, () => add('nested'))
    })
    await transaction(db, async () => {
      await add('undone')
      throw new Error('no')
    }).catch(() => {})
    const rows = await db.selectFrom('item').select('name').orderBy('name').execute()
    expect(rows.map(({ name }) => name)).toEqual(['kept', 'nested'])
  })
})
