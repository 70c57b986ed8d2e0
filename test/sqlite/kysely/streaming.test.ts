import { ConnectionBusyError } from '@keelson/core'
import { sql, type Kysely } from 'kysely'
import { expect, test } from 'vitest'
import {
  addPersons,
  kyselyWithTables,
  names,
  recorder,
  rejection,
  temporaryFile,
  type Schema,
} from './fixture.ts'

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const rows: T[] = []
  for await (const row of stream) rows.push(row)
  return rows
}

test('streams every row, in order, for any chunk size', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 25)
  const expected = await db.selectFrom('person').selectAll().orderBy('id').execute()
  for (const chunkSize of [1, 7, 25, 1000]) {
    expect(
      await collect(db.selectFrom('person').selectAll().orderBy('id').stream(chunkSize)),
    ).toEqual(expected)
  }
  expect(await collect(db.selectFrom('pet').selectAll().stream())).toEqual([])
})

test('delivers `chunkSize` rows at a time', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 5)
  const compiled = db.selectFrom('person').select('id').compile()
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
    const error = await rejection(collect(db.selectFrom('person').selectAll().stream(chunkSize)))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'chunkSize' })
  }
})

test('S7: a query on a transaction while it streams fails at once and names the stream', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  await db.transaction().execute(async (trx) => {
    for await (const { id } of trx.selectFrom('person').select('id').stream(1)) {
      const error = await rejection(
        trx.updateTable('person').set({ age: 1 }).where('id', '=', id).execute(),
      )
      expect(error).toBeInstanceOf(ConnectionBusyError)
      expect(error.message).toMatch(
        /has a stream open .*: `select "id" from "person"`\. Read the stream to its end/,
      )
    }
    expect(await names(trx)).toHaveLength(3)
  })
})

test('S7: a query on db.connection() while it streams fails at once and names the stream', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  await db.connection().execute(async (connection) => {
    for await (const _ of connection.selectFrom('person').select('id').stream(1)) {
      await expect(names(connection)).rejects.toThrow('select "id" from "person"')
    }
    expect(await names(connection)).toHaveLength(3)
  })
})

test('S7: a query that was waiting when the stream began fails too, and never runs', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  await db.transaction().execute(async (trx) => {
    const rows = trx.selectFrom('person').select('id').stream(1)[Symbol.asyncIterator]()
    const first = rows.next()
    const waiting = rejection(trx.insertInto('person').values({ name: 'never' }).execute())
    await first
    expect(await waiting).toBeInstanceOf(ConnectionBusyError)
    await rows.return?.()
    expect(await names(trx)).not.toContain('never')
  })
})

test('S7: a second stream, a savepoint and a commit on a streaming transaction fail, and the stream goes on', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  const trx = await db.startTransaction().execute()
  const rows: number[] = []
  for await (const { id } of trx.selectFrom('person').select('id').stream(1)) {
    rows.push(id)
    await expect(collect(trx.selectFrom('pet').selectAll().stream())).rejects.toBeInstanceOf(
      ConnectionBusyError,
    )
    await expect(trx.savepoint('s').execute()).rejects.toBeInstanceOf(ConnectionBusyError)
    await expect(trx.commit().execute()).rejects.toBeInstanceOf(ConnectionBusyError)
  }
  expect(rows).toEqual([1, 2, 3])
  await trx.commit().execute()
})

test('queries of one transaction still queue without a stream', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async (trx) => {
    const results = await Promise.allSettled(
      ['a', 'b', 'a', 'c'].map((name) => trx.insertInto('person').values({ name }).execute()),
    )
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
  })
  expect(await names(db)).toEqual(['a', 'b', 'c'])
})

test('S7b: a stream on db lets everything else on db run, and sees its snapshot', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 3)
  let rows = 0
  for await (const { id } of db.selectFrom('person').select('id').stream(1)) {
    rows++
    await db
      .insertInto('person')
      .values({ name: `beside ${id}` })
      .execute()
  }
  expect(rows).toBe(3)
  expect(await names(db)).toHaveLength(6)
})

test('S7b: in memory, where there is one connection, a write beside a stream fails and names it', async () => {
  const db = await kyselyWithTables({ path: ':memory:', busyTimeoutMs: 50 })
  await addPersons(db, 3)
  for await (const _ of db.selectFrom('person').select('id').stream(1)) {
    const error = await rejection(db.insertInto('person').values({ name: 'beside' }).execute())
    expect(error).toBeInstanceOf(ConnectionBusyError)
    expect(error.message).toContain('select "id" from "person"')
    break
  }
  expect(await names(db)).toHaveLength(3)
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
  const pragma = sql<{ name: string }>`pragma table_info(person)`.compile(db)
  expect(await collect(db.getExecutor().stream(pragma, 10))).toMatchObject([
    { rows: [{ name: 'id' }, { name: 'name' }, { name: 'age' }] },
  ])
})

test('refuses to stream a statement that returns no rows', async () => {
  const db = await kyselyWithTables()
  const error = await rejection(collect(db.insertInto('person').values({ name: 'Ada' }).stream()))
  expect(error).toMatchObject({ code: 'NO_ROWS_TO_STREAM' })
  expect(await names(db)).toEqual([])
})

/** Leaves the database in a state in which everything can be done. */
async function expectFree(db: Kysely<Schema>): Promise<void> {
  await db.transaction().execute((trx) => trx.deleteFrom('pet').execute())
  await sql`vacuum`.execute(db)
}

test('frees everything when the consumer leaves early, throws, or calls return()', async () => {
  for (const path of [temporaryFile(), ':memory:']) {
    const db = await kyselyWithTables({ path, busyTimeoutMs: 200, readers: 1 })
    await addPersons(db, 10)
    const stream = () => db.selectFrom('person').select('id').stream(2)
    for await (const _ of stream()) break
    await expectFree(db)

    const throwing = async (): Promise<void> => {
      for await (const _ of stream()) throw new Error('mine')
    }
    await expect(throwing()).rejects.toThrow('mine')
    await expectFree(db)

    const iterator = stream()[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.return?.()
    await expectFree(db)
  }
})

test('a stream of a transaction that is left early leaves the transaction usable', async () => {
  const db = await kyselyWithTables()
  await addPersons(db, 10)
  await db.transaction().execute(async (trx) => {
    for await (const _ of trx.selectFrom('person').select('id').stream(2)) break
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
  })
  expect(await names(db)).toContain('Ada')
})

test("a stream that fails midway throws the engine's error and frees everything", async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 200 })
  await addPersons(db, 10)
  const failing = db
    .selectFrom('person')
    .select(sql<number>`abs(case when id = 5 then -9223372036854775808 else id end)`.as('value'))
    .orderBy('id')
  const seen: number[] = []
  const error = await rejection(
    (async () => {
      for await (const { value } of failing.stream(2)) seen.push(value)
    })(),
  )
  expect(error.message).toContain('integer overflow')
  expect(seen).toEqual([1, 2, 3, 4])
  await expectFree(db)
})

test('an aborted signal ends the stream with its reason and frees everything', async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 200 })
  await addPersons(db, 10)
  const controller = new AbortController()
  const reason = new Error('enough')
  const seen: number[] = []
  const error = await rejection(
    (async () => {
      for await (const { id } of db
        .selectFrom('person')
        .select('id')
        .orderBy('id')
        .stream({ chunkSize: 1, signal: controller.signal })) {
        seen.push(id)
        if (seen.length === 3) controller.abort(reason)
      }
    })(),
  )
  expect(error).toBe(reason)
  expect(seen).toEqual([1, 2, 3])
  await expectFree(db)
})

test('an aborted signal ends the wait of a stream, and what it would have inserted is never inserted', async () => {
  const db = await kyselyWithTables()
  const controller = new AbortController()
  await db.transaction().execute(async () => {
    const insert = db.insertInto('person').values({ name: 'never' }).returning('id')
    const waiting = rejection(collect(insert.stream({ chunkSize: 1, signal: controller.signal })))
    await new Promise(setImmediate)
    controller.abort(new Error('too slow'))
    expect((await waiting).message).toBe('too slow')
  })
  await db.transaction().execute(async () => {})
  expect(await names(db)).toEqual([])
})

test("tells Kysely's log of a stream once, as a stream", async () => {
  const { log, lines } = recorder()
  const streams: unknown[] = []
  const db = await kyselyWithTables(
    { path: temporaryFile() },
    {
      log: (event) => {
        log(event)
        if (event.level === 'query' && event.isStream === true) streams.push(event.query.sql)
      },
    },
  )
  await addPersons(db, 3)
  lines.length = 0
  await collect(db.selectFrom('person').select('id').stream(1))
  expect(lines).toEqual(['select "id" from "person"'])
  expect(streams).toEqual(lines)
})
