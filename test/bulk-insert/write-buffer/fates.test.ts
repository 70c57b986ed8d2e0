import { createWriteBuffer, RowError, RowsRejectedError } from '@keelson/bulk-insert/kysely'
import { type Kysely, sql } from 'kysely'
import { describe, expect, test, vi } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { expectBalance, open, row, rows, setups } from './fixture.ts'

describe.for(setups)('$engine, wrapped: $isWrapped', (setup) => {
  test('B1: add() resolves with the fate of its row, or rejects with the error of its row', async () => {
    const { buffer, ids } = await open(setup)
    const events = buffer()
    const [first, second, third] = await Promise.allSettled([
      events.add(row(1)),
      events.add(row(2, 'refused')),
      events.add(row(3)),
    ])
    expect([first, third]).toEqual([
      { status: 'fulfilled', value: { status: 'written' } },
      { status: 'fulfilled', value: { status: 'written' } },
    ])
    expect(second).toMatchObject({ status: 'rejected' })
    expect(String((second as PromiseRejectedResult).reason)).toMatch(/check/i)
    expect(await ids()).toEqual([1, 3])
  })

  test('B2: every row is in exactly one of written, rejected, spilled and pending, at every moment', async () => {
    const { buffer } = await open(setup)
    const events = buffer({
      flushRows: 3,
      onRejected: () => expectBalance(events.stats),
    })
    expectBalance(events.stats)
    const all: Promise<unknown>[] = []
    for (let id = 1; id <= 20; id++) {
      all.push(events.add(row(id, id % 7 === 0 ? 'refused' : 'kept')).catch(() => {}))
      expectBalance(events.stats)
    }
    expect(events.stats).toMatchObject({ accepted: 20, written: 0, pending: 20 })
    for (const each of all) {
      await each
      expectBalance(events.stats)
    }
    expect(events.stats).toMatchObject({
      accepted: 20,
      written: 18,
      inserted: 18,
      rejected: 2,
      lost: 0,
      pending: 0,
      bytes: 0,
    })
  })

  test('B11: rows that were there count as skipped or updated, as the engine counts them', async () => {
    const { db, buffer, ids } = await open(setup)
    await db.insertInto('event').values(rows(1, 3)).execute()
    const skipping = buffer({ onConflict: 'skip' })
    // All of a batch have one fate, or the engine does not say which row has which.
    expect(await skipping.addMany(rows(1, 2))).toEqual([
      { status: 'skipped' },
      { status: 'skipped' },
    ])
    expect(await skipping.addMany(rows(3, 4))).toEqual([
      { status: 'committed' },
      { status: 'committed' },
    ])
    expect(await skipping.close()).toMatchObject({
      written: 4,
      inserted: 1,
      updated: 0,
      skipped: 3,
    })
    const updating = buffer({ onConflict: { target: 'id', update: 'all' } })
    expect(await updating.add(row(4, 'new'))).toEqual({ status: 'updated' })
    expect(await updating.close()).toMatchObject({ written: 1, inserted: 0, updated: 1 })
    expect(await ids()).toEqual([1, 2, 3, 4])
  })

  test('an update that counts sees each of several rows of one key', async () => {
    const { db, buffer } = await open(setup)
    const events = buffer({
      onConflict: {
        target: 'id',
        update: ({ ref, eb }) => ({
          body: eb(ref('event.body'), '||' as never, ref('excluded.body')) as never,
        }),
      },
    })
    await events.addMany([row(1, 'a'), row(2, 'b'), row(1, 'c'), row(1, 'd'), row(2, 'e')])
    const all = await db.selectFrom('event').select(['id', 'body']).orderBy('id').execute()
    expect(all).toEqual([row(1, 'acd'), row(2, 'be')])
  })

  test('the last of several rows of one key stays', async () => {
    const { db, buffer } = await open(setup)
    const events = buffer({ onConflict: { target: 'id', update: ['body'] } })
    await events.addMany([row(1, 'a'), row(2, 'b'), row(1, 'c'), row(1, 'd')])
    const all = await db.selectFrom('event').select(['id', 'body']).orderBy('id').execute()
    expect(all).toEqual([row(1, 'd'), row(2, 'b')])
    expect((await events.close()).written).toBe(4)
  })
})

test.for(['sqlite', 'postgresql', 'duckdb'] as const)(
  'B12: on %s a batch with more parameters than a statement can have is split, within its transaction',
  async (engine) => {
    const { db, buffer, sent } = await open({ engine })
    const events = buffer({ flushRows: 40_000, lingerMs: 1_000 })
    const all = events.addMany(rows(1, 40_000))
    await events.flush()
    await all
    expect(events.stats).toMatchObject({ written: 40_000, batches: 1 })
    const { n } = await db
      .selectFrom('event')
      .select(({ fn }) => fn.countAll().as('n'))
      .executeTakeFirstOrThrow()
    expect(Number(n)).toBe(40_000)
    expect(sent.filter((text) => /^rollback/i.test(text))).toEqual([])
  },
)

test('addMany() rejects once every row is decided, and says what became of each', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer()
  const error = await rejection(events.addMany([row(1), row(2, null), row(3)]))
  expect(error).toBeInstanceOf(RowsRejectedError)
  expect(error).toMatchObject({
    code: 'ROWS_REJECTED',
    message: expect.stringMatching(
      /^1 of 3 rows of addMany\(\) were not written, the first because: .*NOT NULL/,
    ),
    fates: [{ status: 'written' }, { status: 'rejected' }, { status: 'written' }],
  })
  expect(await ids()).toEqual([1, 3])
  expect(await events.addMany([])).toEqual([])
})

test('a row is copied when it is added', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer()
  const reused = row(0)
  const all = [1, 2, 3].map((id) => {
    reused.id = id
    return events.add(reused)
  })
  await Promise.all(all)
  expect(await ids()).toEqual([1, 2, 3])
})

test('what is no row is rejected before it is accepted', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const onRejected = vi.fn()
  const events = buffer({ onRejected })
  for (const wrong of [null, 5, [], 'text', undefined]) {
    const error = await rejection(events.add(wrong as never))
    expect(error).toBeInstanceOf(RowError)
    expect(error['code']).toBe('NOT_A_ROW')
  }
  expect(onRejected).toHaveBeenCalledTimes(5)
  expect(events.stats.accepted).toBe(0)
})

test('nobody has to await add() when onLost hears of what is not written', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const onLost = vi.fn()
  const events = buffer({ onLost })
  void events.add(row(1))
  void events.add(row(2, null))
  void events.addMany([row(3, null)])
  await events.flush()
  await events.close()
  void events.add(row(4))
  expect(onLost.mock.calls.map(([{ row }]) => row.id)).toEqual([2, 3, 4])
})

test.for(['postgresql', 'duckdb'] as const)(
  'an update that counts sees a row of one key also where only %s can tell that it is one',
  async (engine) => {
    const { db } = await open({ engine })
    await sql`drop table if exists visit`.execute(db)
    await sql`create table visit (id uuid primary key, n integer)`.execute(db)
    const buffer = createWriteBuffer(db as unknown as Kysely<any>, 'visit', {
      onConflict: { target: 'id', update: { n: sql`visit.n + excluded.n` } },
    })
    const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
    await buffer.addMany([
      { id, n: 1 },
      { id: id.toUpperCase(), n: 2 },
      { id, n: 3 },
    ])
    const { written, rejected } = await buffer.close()
    expect({ written, rejected }).toEqual({ written: 3, rejected: 0 })
    const { rows: read } = await sql<{ n: number }>`select n from visit`.execute(db)
    expect(read).toEqual([{ n: 6 }])
    await sql`drop table visit`.execute(db)
  },
)
