import { ConnectionBusyError } from '@keelson/core'
import { sql as drizzleSql } from 'drizzle-orm'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'
import type { Store, StreamForms } from '../orm.ts'

/** A stream delivers every row or throws, and gives back what it held however it ends. */
export function streamCases({ it, open, failureOf, engine }: Contract): void {
  const openWith = async (rows: number): Promise<Store> => {
    // Long enough for any machine; a stream that gives nothing back fails instead of hanging.
    const db = await open({ waitMs: 20_000 })
    if (rows === 0) return db
    await db.add(
      ...Array.from({ length: rows }, (_, n) => ({ id: n + 1, name: `account ${n + 1}` })),
    )
    return db
  }

  /** A write, a transaction and a stream work at once: nothing is held any more. */
  const expectFree = async (db: Store): Promise<void> => {
    await db.add({ id: 10_000, name: 'written after the stream' })
    await db.transaction((tx) => tx.setBalance(10_000, 1))
    expect((await collect(db.stream(ids))).at(-1)).toEqual({ id: 10_000 })
  }

  const failingAt = (id: number): StreamForms<{ id: number }> => {
    const expression = engine.sql.failsAt('id', id)
    return {
      kysely: (db) =>
        db.selectFrom('account').select(sql.raw<number>(expression).as('id')).orderBy('account.id'),
      drizzle: (db, { account }) =>
        db
          .select({ id: drizzleSql<number>`${drizzleSql.raw(expression)}`.as('id') })
          .from(account)
          .orderBy(account.id),
    }
  }

  for (const chunkRows of [1, 10, 257, 5000]) {
    it(`delivers all rows in order when it fetches ${chunkRows} at a time`, async () => {
      const db = await openWith(257)
      expect(await collect(db.stream(ids, { chunkRows }))).toEqual(
        Array.from({ length: 257 }, (_, n) => ({ id: n + 1 })),
      )
      await expectFree(db)
    })
  }

  it('ends at once when there are no rows', async () => {
    const db = await openWith(0)
    expect(await collect(db.stream(ids))).toEqual([])
    await expectFree(db)
  })

  it('delivers the same rows as the query does', async () => {
    const db = await open()
    const moment = new Date('2026-11-20T12:34:56.789Z')
    const row = {
      id: 1,
      label: 'ä\n',
      whole: 1,
      big: 2 ** 53 - 1,
      ratio: 0.1,
      bytes: Buffer.from([0, 255]),
      flag: true,
      moment,
    }
    await db.query<unknown>({
      kysely: (kysely) =>
        kysely
          .insertInto('sample')
          .values([row, { id: 2 }])
          .execute(),
      drizzle: (drizzle, { sample }) => drizzle.insert(sample).values([row, { id: 2 }]),
    })
    const executed = await db.query<unknown[]>({
      kysely: (kysely) => kysely.selectFrom('sample').selectAll().orderBy('id').execute(),
      drizzle: (drizzle, { sample }) => drizzle.select().from(sample).orderBy(sample.id),
    })
    const streamed = await collect(
      db.stream<unknown>({
        kysely: (kysely) => kysely.selectFrom('sample').selectAll().orderBy('id'),
        drizzle: (drizzle, { sample }) => drizzle.select().from(sample).orderBy(sample.id),
      }),
    )
    expect(streamed).toEqual(executed)
    expect(streamed).toHaveLength(2)
  })

  it(
    'refuses an integer that a number would round, as the query does (S13)',
    ['failsAlone'],
    async () => {
      const db = await open({ waitMs: 20_000 })
      await db.run('insert into sample (id, big) values (1, 1), (2, 9007199254740993)')
      const failure = await failureOf(
        collect(
          db.stream<unknown>({
            kysely: (kysely) => kysely.selectFrom('sample').select('big').orderBy('id'),
            drizzle: (drizzle, { sample }) =>
              drizzle.select({ big: sample.big }).from(sample).orderBy(sample.id),
          }),
        ),
      )
      expect(failure).toMatchObject({ code: 'INT64_RANGE', column: 'big' })
      await expectFree(db)
    },
  )

  it('gives everything back when its loop is left', async () => {
    const db = await openWith(100)
    for (let round = 0; round < 20; round++) {
      const seen: number[] = []
      for await (const { id } of db.stream(ids)) {
        seen.push(id)
        if (seen.length === 3) break
      }
      expect(seen).toEqual([1, 2, 3])
      await db.setBalance(1, round)
    }
    await expectFree(db)
  })

  it('gives everything back when its consumer throws, and passes that error on', async () => {
    const db = await openWith(100)
    const mine = new Error('mine')
    const thrown = await rejectionOf(
      (async () => {
        for await (const { id } of db.stream(ids)) if (id === 5) throw mine
      })(),
    )
    expect(thrown).toBe(mine)
    await expectFree(db)
  })

  it('holds nothing before its first row is asked for', async () => {
    const db = await openWith(10)
    for (let n = 0; n < 20; n++) db.stream(ids)
    await expectFree(db)
  })

  it(
    "throws the engine's error when a row in the middle fails, after the rows before it",
    ['rowsOneByOne'],
    async () => {
      const db = await openWith(100)
      for (const chunkRows of [1, 7]) {
        const seen: number[] = []
        const failure = await failureOf(
          (async () => {
            for await (const { id } of db.stream(failingAt(50), { chunkRows })) seen.push(id)
          })(),
        )
        expect(failure).toSatisfy(engine.isEngineError)
        expect(failure.message).toMatch(engine.sql.failure)
        const delivered = 49 - (49 % chunkRows)
        expect(seen.slice(0, delivered)).toEqual(Array.from({ length: delivered }, (_, n) => n + 1))
        expect(seen.length).toBeLessThan(50)
      }
      await expectFree(db)
    },
  )

  it(
    'throws when a row in the middle fails, and never ends as if there were no more',
    ['failsAlone'],
    async () => {
      const db = await openWith(5000)
      const seen: number[] = []
      const thrown = await rejectionOf(
        (async () => {
          for await (const { id } of db.stream(failingAt(4500))) seen.push(id)
        })(),
      )
      expect(thrown).toBeInstanceOf(Error)
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, n) => n + 1))
      expect(seen.length).toBeLessThan(4500)
      await expectFree(db)
    },
  )

  it('throws when the query is wrong, and holds nothing', ['failsAlone'], async () => {
    const db = await openWith(10)
    const failure = await failureOf(
      collect(
        db.stream<unknown>({
          kysely: (kysely) => kysely.selectFrom('account').select(sql.raw('missing').as('missing')),
          drizzle: (drizzle, { account }) =>
            drizzle.select({ missing: drizzleSql`missing` }).from(account),
        }),
      ),
    )
    expect(failure).toSatisfy(engine.isEngineError)
    await expectFree(db)
  })

  it('ends with the reason of its signal, and gives everything back', ['failsAlone'], async () => {
    const db = await openWith(100)
    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const failure = await failureOf(
      (async () => {
        for await (const { id } of db.stream(ids, { chunkRows: 1, signal: controller.signal })) {
          seen.push(id)
          if (id === 3) controller.abort(reason)
        }
      })(),
    )
    expect(failure).toBe(reason)
    expect(seen).toEqual([1, 2, 3])
    await expectFree(db)
  })

  it('runs beside other streams, each at its own pace', ['concurrentStreams'], async () => {
    const db = await openWith(60)
    const slow = db.stream(ids, { chunkRows: 5 })[Symbol.asyncIterator]()
    const seen = [(await slow.next()).value?.id]
    const [first, second] = await Promise.all([
      collect(db.stream(ids, { chunkRows: 7 })),
      collect(db.stream(ids, { chunkRows: 1 })),
    ])
    for (let next = await slow.next(); next.done !== true; next = await slow.next())
      seen.push(next.value.id)
    expect(first).toEqual(second)
    expect(seen).toEqual(first.map(({ id }) => id))
    await expectFree(db)
  })

  it('runs with twenty others at once, each complete', ['concurrentStreams'], async () => {
    const db = await openWith(100)
    const lengths = await Promise.all(
      Array.from({ length: 20 }, async () => (await collect(db.stream(ids))).length),
    )
    expect(lengths).toEqual(Array.from({ length: 20 }, () => 100))
    await expectFree(db)
  })

  it(
    'keeps nobody from reading and writing, and sees the state it began with (S7b)',
    ['concurrentStreams'],
    async () => {
      const db = await openWith(30)
      const seen: number[] = []
      for await (const { id } of db.stream(ids, { chunkRows: 3 })) {
        seen.push(id)
        await db.setBalance(id, 7)
        await db.add({ id: 1000 + id, name: 'new' })
        await db.transaction((tx) => tx.setBalance(id, 8))
        expect(await db.names()).toHaveLength(30 + id)
      }
      expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
      await expectFree(db)
    },
  )

  it('runs beside the very query that it streams', ['concurrentStreams'], async () => {
    const db = await openWith(20)
    const seen: number[] = []
    for await (const { id } of db.stream(ids, { chunkRows: 1 })) {
      seen.push(id)
      const again = await db.query<{ id: number }[]>({
        kysely: (kysely) => kysely.selectFrom('account').select('id').orderBy('id').execute(),
        drizzle: (drizzle, { account }) =>
          drizzle.select({ id: account.id }).from(account).orderBy(account.id),
      })
      expect(again).toHaveLength(20)
    }
    expect(seen).toHaveLength(20)
  })

  it('sees in a transaction what the transaction wrote, and lets it go on afterwards', async () => {
    const db = await openWith(20)
    await db.transaction(async (tx) => {
      await tx.add({ id: 21, name: 'inside' })
      expect(await collect(tx.stream(ids))).toHaveLength(21)
      for await (const { id } of tx.stream(ids)) if (id === 2) break
      await tx.add({ id: 22, name: 'inside' })
    })
    expect(await db.names()).toHaveLength(22)
    await expectFree(db)
  })

  it('owns the connection of its transaction: another statement fails and does not hang (S7)', async () => {
    const db = await openWith(20)
    await db.transaction(async (tx) => {
      for await (const { id } of tx.stream(ids)) {
        if (id !== 2) continue
        expect(await failureOf(tx.add({ id: 21, name: 'beside' }))).toBeInstanceOf(
          ConnectionBusyError,
        )
        break
      }
      await tx.add({ id: 22, name: 'after' })
    })
    expect((await db.names()).slice(20)).toEqual(['after'])
    await expectFree(db)
  })

  it(
    'undoes nothing of its transaction when it fails and the callback catches it',
    ['statementRollback'],
    async () => {
      const db = await openWith(20)
      await db.transaction(async (tx) => {
        await tx.add({ id: 21, name: 'before' })
        await failureOf(collect(tx.stream(failingAt(10))))
        await tx.add({ id: 22, name: 'after' })
      })
      expect(await db.names()).toHaveLength(22)
    },
  )

  it(
    'streams the rows of a statement that writes, and stores what it wrote (S10)',
    ['streamingOfWrites', 'returning'],
    async () => {
      const db = await openWith(0)
      expect(await collect(db.stream(insertReturning(1, 25)))).toEqual(
        Array.from({ length: 25 }, (_, n) => ({ id: n + 1 })),
      )
      expect(await db.names()).toHaveLength(25)
      await expectFree(db)
    },
  )

  it(
    'stores all that a streamed statement writes, also when its loop is left (S10)',
    ['streamingOfWrites', 'returning'],
    async () => {
      const db = await openWith(0)
      for await (const { id } of db.stream(insertReturning(1, 25), { chunkRows: 2 }))
        if (id === 3) break
      expect(await db.names()).toHaveLength(25)
      await expectFree(db)
    },
  )

  it(
    'stores nothing of a streamed statement that fails (S10)',
    ['failsAlone', 'streamingOfWrites', 'returning'],
    async () => {
      const db = await openWith(25)
      await failureOf(collect(db.stream(insertReturning(20, 10))))
      expect(await db.names()).toHaveLength(25)
      await expectFree(db)
    },
  )

  it(
    'streams writes inside a transaction, and undoes them with it',
    ['failsAlone', 'streamingOfWrites', 'returning'],
    async () => {
      const db = await openWith(0)
      await rejectionOf(
        db.transaction(async (tx) => {
          expect(await collect(tx.stream(insertReturning(1, 25)))).toHaveLength(25)
          expect(await tx.names()).toHaveLength(25)
          throw new Error('mine')
        }),
      )
      expect(await db.names()).toEqual([])
    },
  )
}

const ids: StreamForms<{ id: number }> = {
  kysely: (db) => db.selectFrom('account').select('id').orderBy('id'),
  drizzle: (db, { account }) => db.select({ id: account.id }).from(account).orderBy(account.id),
}

function insertReturning(from: number, count: number): StreamForms<{ id: number }> {
  const rows = Array.from({ length: count }, (_, n) => ({ id: from + n, name: 'streamed' }))
  return {
    kysely: (db) => db.insertInto('account').values(rows).returning('id'),
    drizzle: (db, { account }) => db.insert(account).values(rows).returning({ id: account.id }),
  }
}

async function collect<Row>(stream: AsyncIterable<Row>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const row of stream) rows.push(row)
  return rows
}
