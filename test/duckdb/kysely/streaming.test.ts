import { ConnectionBusyError } from '@keelson/core'
import { StreamCutShortError } from '@keelson/duckdb'
import { sql, type Kysely } from 'kysely'
import { expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { open } from '../fixture.ts'
import {
  addPersons,
  collect,
  file,
  kysely,
  kyselyWithTables,
  names,
  recorder,
  type Schema,
} from './fixture.ts'

const ids = (db: Kysely<Schema>) => db.selectFrom('person').select('id').orderBy('id')

/** A row that cannot be computed, long after the first ones. */
const failing = sql<{
  n: number
}>`select case when i = 400000 then error('row 400000') else i end as n from range(500000) r(i)`

test('streams every row, in order, for any chunk size', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 5000)
  const expected = await db.selectFrom('person').selectAll().orderBy('id').execute()
  expect(expected).toHaveLength(5000)
  for (const chunkSize of [1, 7, 2048, 2049, 10_000])
    expect(
      await collect(db.selectFrom('person').selectAll().orderBy('id').stream(chunkSize)),
    ).toEqual(expected)
  expect(await collect(db.selectFrom('pet').selectAll().stream())).toEqual([])
})

test('delivers `chunkSize` rows at a time', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 5)
  const compiled = ids(db).compile()
  const sizes = await db.getExecutor().provideConnection(async (connection) => {
    const chunks: number[] = []
    for await (const { rows } of connection.streamQuery(compiled, 2)) chunks.push(rows.length)
    return chunks
  })
  expect(sizes).toEqual([2, 2, 1])
})

test('refuses a chunk size that is no number of rows', async () => {
  const db = await kyselyWithTables()
  for (const chunkSize of [0, -1, 1.5, Number.NaN]) {
    const error = await rejection(collect(ids(db).stream(chunkSize)))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'chunkSize' })
  }
})

test('a stream that DuckDB ends early throws instead of ending', async () => {
  const db = kysely()
  let rows = 0
  const error = await rejection(
    (async () => {
      for await (const _ of db.getExecutor().stream<{ n: number }>(failing.compile(db), 1000))
        rows++
    })(),
  )
  expect(error).toBeInstanceOf(Error)
  expect(error.message).not.toBe('')
  expect(rows).toBeLessThan(500)
  expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
})

test('a stream that fails dooms its transaction', async () => {
  const db = await kyselyWithTables()
  let first: unknown
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ name: 'Ada' }).execute()
      first = await rejection(
        collect(trx.getExecutor().stream<{ n: number }>(failing.compile(trx), 1000)),
      )
    }),
  )
  expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
  expect(error.cause).toBe(first)
  expect(await names(db)).toEqual([])
})

test('S7: a query on a transaction while it streams fails at once and names the stream', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  await db.transaction().execute(async (trx) => {
    for await (const { id } of ids(trx).stream(1)) {
      const error = await rejection(
        trx.updateTable('person').set({ age: 1 }).where('id', '=', id).execute(),
      )
      expect(error).toBeInstanceOf(ConnectionBusyError)
      expect(error.message).toMatch(
        /has a stream open .*: `select "id" from "person" order by "id"`\. Read the stream to its end/,
      )
    }
    // It was refused before it was sent, so that it does not doom the transaction.
    expect(await names(trx)).toHaveLength(3)
  })
})

test('S7: a query on db.connection() while it streams fails at once and names the stream', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  await db.connection().execute(async (connection) => {
    for await (const _ of ids(connection).stream(1)) {
      await expect(names(connection)).rejects.toThrow('select "id" from "person"')
    }
    expect(await names(connection)).toHaveLength(3)
  })
})

test('S7: a query that was waiting when the stream began fails too, and never runs', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  await db.transaction().execute(async (trx) => {
    const rows = ids(trx).stream(1)[Symbol.asyncIterator]()
    const first = rows.next()
    const waiting = rejection(trx.insertInto('person').values({ name: 'never' }).execute())
    await first
    expect(await waiting).toBeInstanceOf(ConnectionBusyError)
    await rows.return?.()
    expect(await names(trx)).not.toContain('never')
  })
})

test('S7: a second stream and a commit on a streaming transaction fail, and the stream goes on', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  const trx = await db.startTransaction().execute()
  const rows: number[] = []
  for await (const { id } of ids(trx).stream(1)) {
    rows.push(id)
    await expect(collect(trx.selectFrom('pet').selectAll().stream())).rejects.toBeInstanceOf(
      ConnectionBusyError,
    )
    await expect(trx.commit().execute()).rejects.toBeInstanceOf(ConnectionBusyError)
  }
  expect(rows).toEqual([1, 2, 3])
  await trx.commit().execute()
})

test('queries of one transaction still queue without a stream', async () => {
  const db = await kyselyWithTables()
  await db
    .transaction()
    .execute((trx) =>
      Promise.all(
        ['a', 'b', 'c'].map((name) => trx.insertInto('person').values({ name }).execute()),
      ),
    )
  expect(await names(db)).toEqual(['a', 'b', 'c'])
})

test('S7b: a stream on db lets everything else on db run, and sees its snapshot', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  const seen: number[] = []
  for await (const { id } of ids(db).stream(1)) {
    seen.push(id)
    await db
      .insertInto('person')
      .values({ name: `beside ${id}` })
      .execute()
  }
  expect(seen).toEqual([1, 2, 3])
  expect(await names(db)).toHaveLength(6)
})

test('S10: streams INSERT ... RETURNING, UPDATE ... RETURNING and raw statements', async () => {
  const db = await kyselyWithTables()
  const inserted = db
    .insertInto('person')
    .values([{ name: 'Ada' }, { name: 'Alan' }])
    .returning('name')
  expect(await collect(inserted.stream(1))).toEqual([{ name: 'Ada' }, { name: 'Alan' }])
  const updated = db.updateTable('person').set({ age: 36 }).returning('age')
  expect(await collect(updated.stream(1))).toEqual([{ age: 36 }, { age: 36 }])
  const described = sql<{ column_name: string }>`describe person`.compile(db)
  expect(await collect(db.getExecutor().stream(described, 10))).toMatchObject([
    { rows: [{ column_name: 'id' }, { column_name: 'name' }, { column_name: 'age' }] },
  ])
})

test('refuses to stream a statement that returns no rows', async () => {
  const db = await kyselyWithTables()
  const error = await rejection(collect(db.insertInto('person').values({ name: 'Ada' }).stream()))
  expect(error).toMatchObject({ code: 'NO_ROWS_TO_STREAM' })
  expect(await names(db)).toEqual([])
})

test('frees everything when the consumer leaves early, throws, or calls return()', async () => {
  const database = await open({ path: file(), pool: { max: 1, acquireTimeoutMs: 2000 } })
  const db = await kyselyWithTables({ database })
  await addPersons(db, 5000)
  const expectFree = async (): Promise<void> => {
    expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
    await db.transaction().execute((trx) => trx.deleteFrom('pet').execute())
  }
  for await (const _ of ids(db).stream(2)) break
  await expectFree()

  const throwing = async (): Promise<void> => {
    for await (const _ of ids(db).stream(2)) throw new Error('mine')
  }
  await expect(throwing()).rejects.toThrow('mine')
  await expectFree()

  const iterator = ids(db).stream(2)[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.return?.()
  await expectFree()
})

test('a stream of a transaction that is left early leaves the transaction usable', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 5000)
  await db.transaction().execute(async (trx) => {
    for await (const _ of ids(trx).stream(2)) break
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
  })
  expect(await names(db)).toContain('Ada')
})

test('an aborted signal ends the stream with its reason and frees everything', async () => {
  const database = await open({ path: file(), pool: { max: 1, acquireTimeoutMs: 2000 } })
  const db = await kyselyWithTables({ database })
  await addPersons(db, 10)
  const controller = new AbortController()
  const reason = new Error('enough')
  const seen: number[] = []
  const error = await rejection(
    (async () => {
      for await (const { id } of ids(db).stream({ chunkSize: 1, signal: controller.signal })) {
        seen.push(id)
        if (seen.length === 3) controller.abort(reason)
      }
    })(),
  )
  expect(error).toBe(reason)
  expect(seen).toEqual([1, 2, 3])
  await db.transaction().execute((trx) => trx.deleteFrom('pet').execute())
  expect(database.poolStats.inUse).toBe(0)
})

test('an aborted signal ends the wait of a stream, and what it would have inserted is never inserted', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 1 } })
  const controller = new AbortController()
  await db.transaction().execute(async () => {
    const insert = db.insertInto('person').values({ name: 'never' }).returning('id')
    const waiting = rejection(collect(insert.stream({ chunkSize: 1, signal: controller.signal })))
    await new Promise(setImmediate)
    controller.abort(new Error('too slow'))
    expect((await waiting).message).toBe('too slow')
  })
  expect(await names(db)).toEqual([])
})

test('destroy() ends a stream that nobody reads on, which then throws', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 5000)
  const rows = ids(db).stream(1)[Symbol.asyncIterator]()
  await rows.next()
  await db.destroy()
  const error = await rejection(
    (async () => {
      for (let next = await rows.next(); next.done !== true; next = await rows.next());
    })(),
  )
  expect(error).not.toBeInstanceOf(StreamCutShortError)
  expect(error).toMatchObject({ code: 'DATABASE_CLOSED' })
})

test("tells Kysely's log of a stream once, as a stream", async () => {
  const { log, lines } = recorder()
  const streams: unknown[] = []
  const db = await kyselyWithTables(
    { path: file() },
    {
      log: (event) => {
        log(event)
        if (event.level === 'query' && event.isStream === true) streams.push(event.query.sql)
      },
    },
  )
  await addPersons(db, 3)
  lines.length = 0
  await collect(ids(db).stream(1))
  expect(lines).toEqual(['select "id" from "person" order by "id"'])
  expect(streams).toEqual(lines)
})
