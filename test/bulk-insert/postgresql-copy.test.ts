import * as onDrizzle from '@keelson/bulk-insert/drizzle'
import * as onKysely from '@keelson/bulk-insert/kysely'
import { drizzle } from 'drizzle-orm/node-postgres'
import * as pg from 'drizzle-orm/pg-core'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { rejection } from '../support/rejection.ts'

const flight = pg.pgTable('flight', { id: pg.integer().primaryKey(), n: pg.integer() })

interface Calls {
  bulk(rows: readonly object[], options?: object): Promise<onKysely.BulkInsertReport>
  next(): Promise<unknown>
}

const orms: Readonly<Record<string, (pool: Pool) => Calls>> = {
  Kysely(pool) {
    const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
    return {
      bulk: (rows, options) => onKysely.bulkInsert(db, 'flight', rows, options),
      next: () => onKysely.nextSequence(db, 'invoice'),
    }
  },
  Drizzle(pool) {
    const db = drizzle(pool)
    return {
      bulk: (rows, options) => onDrizzle.bulkInsert(db, flight, rows as never, options),
      next: () => onDrizzle.nextSequence(db, 'invoice'),
    }
  },
}

describe.each(Object.entries(orms))('the client of pg, under %s', (_, callsOn) => {
  const rows = [1, 2, 3].map((id) => ({ id, n: id }))
  let pool: Pool
  let calls: Calls
  /** How often the client was given something else than text. */
  let submitted: number

  beforeEach(async () => {
    const { createDatabase } = await postgres()
    pool = new Pool({ connectionString: await createDatabase(), max: 1 })
    await pool.query('create table flight (id integer primary key, n integer)')
    for (const sql of onKysely.sequenceTableStatements('postgresql')) await pool.query(sql)
    const client = await pool.connect()
    const query = client.query.bind(client) as (...given: readonly unknown[]) => unknown
    submitted = 0
    client.query = ((...given: readonly unknown[]) => {
      const [first] = given as [{ readonly submit?: unknown }]
      if (typeof first.submit === 'function') submitted++
      return query(...given)
    }) as never
    client.release()
    calls = callsOn(pool)
  })

  afterEach(() => pool.end())

  test('is not asked for COPY where nothing is copied', async () => {
    const onConflict = { target: 'id', update: ['n'] }
    expect(await calls.bulk(rows, { onConflict })).toMatchObject({ inserted: 3, method: 'unnest' })
    expect(await calls.bulk(rows, { onConflict: 'skip' })).toMatchObject({ skipped: 3 })
    await calls.next()
    expect(submitted).toBe(0)
  })

  test('takes no value for a column that is always generated, as an insert does not', async () => {
    await pool.query('drop table flight')
    await pool.query('create table flight (id integer generated always as identity, n integer)')
    const error = await rejection(calls.bulk(rows))
    expect(error).toMatchObject({ rowIndex: 0, column: 'id', cause: { code: 'UNKNOWN_COLUMN' } })
    const report = await calls.bulk(rows.map(({ n }) => ({ n })))
    expect(report).toMatchObject({ inserted: 3, method: 'copy' })
  })

  test('waits for no timeout of a query that is over', async () => {
    const { createDatabase } = await postgres()
    const timed = new Pool({
      connectionString: await createDatabase(),
      max: 1,
      query_timeout: 77_000,
    })
    onTestFinished(() => timed.end())
    await timed.query('create table flight (id integer primary key, n integer)')
    const set = vi.spyOn(globalThis, 'setTimeout')
    const cleared = vi.spyOn(globalThis, 'clearTimeout')
    onTestFinished(() => void vi.restoreAllMocks())
    expect(await callsOn(timed).bulk(rows)).toMatchObject({ inserted: 3, method: 'copy' })
    await rejection(callsOn(timed).bulk(rows))
    const timers = set.mock.results.filter((_, at) => set.mock.calls[at]![1] === 77_000)
    expect(timers.length).toBeGreaterThan(4)
    const over = new Set(cleared.mock.calls.map(([timer]) => timer))
    expect(timers.filter(({ value }) => !over.has(value))).toEqual([])
  })

  test('is asked once, whatever the number of batches', async () => {
    const report = await calls.bulk(rows, { batchRows: 1 })
    expect(report).toMatchObject({ inserted: 3, method: 'copy', batches: 3 })
    expect(submitted).toBe(4)
  })
})
