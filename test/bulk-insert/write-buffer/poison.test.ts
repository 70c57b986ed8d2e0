import { BufferStoppedError, createWriteBuffer } from '@keelson/bulk-insert/kysely'
import { type KyselyPlugin, sql } from 'kysely'
import { describe, expect, test, vi } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { busy, expectBalance, open, row, rows, setups, withFaults } from './fixture.ts'

describe.for(setups)('$engine, wrapped: $isWrapped', (setup) => {
  test('B8: rows that cannot be inserted are found, and the others are written in order', async () => {
    const { buffer, ids } = await open(setup)
    const onRejected = vi.fn()
    const events = buffer({ onRejected, lingerMs: 1_000 })
    const poison = new Map<number, string | null>([
      [1, 'refused'],
      [17, null],
      [18, 'refused'],
      [64, null],
    ])
    const all = rows(1, 64).map((each) =>
      events.add(row(each.id, poison.has(each.id) ? poison.get(each.id)! : 'kept')),
    )
    void events.flush()
    const settled = await Promise.allSettled(all)
    const failed = settled.flatMap(({ status }, at) => (status === 'rejected' ? [at + 1] : []))
    expect(failed).toEqual([1, 17, 18, 64])
    expect(onRejected.mock.calls.map(([{ row }]) => row.id)).toEqual([1, 17, 18, 64])
    expect(onRejected.mock.calls[1]![0].column).toBe('body')
    expect(await ids()).toEqual(rows(1, 64).flatMap(({ id }) => (poison.has(id) ? [] : [id])))
    expect(events.stats).toMatchObject({ accepted: 64, written: 60, rejected: 4, lost: 0 })
  })

  test('B8: a poison row costs at most 2 x log2(n) statements', async () => {
    const { buffer, sent, ids } = await open(setup)
    const events = buffer({ lingerMs: 1_000 })
    const all = rows(1, 256).map((each) => events.add(each.id === 200 ? row(200, 'refused') : each))
    await events.flush()
    await Promise.allSettled(all)
    expect(await ids()).toHaveLength(255)
    const inserts = sent.filter((text) => /insert into/i.test(text)).length
    expect(inserts).toBeLessThanOrEqual(2 * Math.log2(256) + 2)
  })

  test('B9: a missing table stops the buffer, which keeps its rows and goes on when that is put right', async () => {
    const { db, buffer, ids } = await open(setup)
    const onStopped = vi.fn()
    const events = buffer({ onStopped, lingerMs: 0 })
    await sql`alter table event rename to elsewhere`.execute(db)
    const all = rows(1, 5).map((each) => events.add(each))
    const error = await rejection(events.flush())
    expect(error).toBeInstanceOf(BufferStoppedError)
    expect(error.message).toMatch(
      /^The buffer of "event" has stopped, and keeps its 5 rows: There is no table "event".* Once it is put right, flush\(\) tries again; until then no row is taken\.$/,
    )
    expect(onStopped).toHaveBeenCalledWith(error.cause)
    expect(await rejection(events.add(row(6)))).toBe(error)
    expect(events.stats).toMatchObject({ state: 'stopped', accepted: 5, pending: 5, rejected: 0 })
    expectBalance(events.stats)
    await sql`alter table elsewhere rename to event`.execute(db)
    await events.flush()
    await Promise.all([...all, events.add(row(6))])
    expect(await ids()).toEqual([1, 2, 3, 4, 5, 6])
    expect(events.stats.state).toBe('open')
  })
})

test('B8: on DuckDB rows that were committed while the poison row was looked for are not sent again', async () => {
  let begun = 0
  const { buffer, ids } = await open({
    engine: 'duckdb',
    // By then the table is read, all rows have failed together, and some of them are committed.
    decorate: withFaults((step) => (step === 'begin' && ++begun === 5 ? busy() : undefined)),
  })
  const events = buffer({ retry: { minDelayMs: 1, maxDelayMs: 5 } })
  const all = rows(1, 32).map((each) => events.add(each.id === 21 ? row(21, 'refused') : each))
  const settled = await Promise.allSettled(all)
  expect(settled.flatMap(({ status }, at) => (status === 'rejected' ? [at + 1] : []))).toEqual([21])
  expect(await ids()).toHaveLength(31)
  expect(events.stats).toMatchObject({ written: 31, inserted: 31, rejected: 1, retries: 1 })
})

test('B8: on DuckDB rows are not taken for written that were undone with a poison row after them', async () => {
  const { db, ids } = await open({ engine: 'duckdb' })
  // It could change values, so that rows go in by Kysely's own statements, some of them to a transaction.
  const unknown: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => result,
  }
  const events = createWriteBuffer(db.withPlugin(unknown), 'event')
  const all = rows(1, 80).map((each) => events.add(each.id === 60 ? row(60, 'refused') : each))
  await Promise.allSettled(all)
  expect(await events.close()).toMatchObject({ written: 79, rejected: 1 })
  expect(await ids()).toHaveLength(79)
})

test('B9: a full disk stops the buffer, and no row is taken for the culprit', async () => {
  const { db, buffer, ids } = await open({ engine: 'sqlite' })
  const { rows: pages } = await sql<{ page_count: number }>`pragma page_count`.execute(db)
  await sql`pragma max_page_count = ${sql.raw(String(pages[0]!.page_count + 2))}`.execute(db)
  const events = buffer({ lingerMs: 0 })
  const all = rows(1, 50).map(({ id }) => events.add(row(id, 'x'.repeat(2_000))))
  const error = await rejection(events.flush())
  expect(error.cause).toMatchObject({ code: 'SQLITE_FULL' })
  expect(events.stats).toMatchObject({ pending: 50, written: 0, rejected: 0 })
  await sql`pragma max_page_count = 100000`.execute(db)
  await events.flush()
  await Promise.all(all)
  expect(await ids()).toHaveLength(50)
})

test('B9: a missing permission stops the buffer', async () => {
  const { db, buffer } = await open({ engine: 'postgresql' })
  const events = buffer({ lingerMs: 0, onLost: () => {} })
  await sql`create or replace function refuse() returns trigger language plpgsql as $$ begin raise insufficient_privilege; end $$`.execute(
    db,
  )
  await sql`create trigger refuse before insert on event for each statement execute function refuse()`.execute(
    db,
  )
  void events.addMany(rows(1, 3))
  const error = await rejection(events.flush())
  expect(error.cause).toMatchObject({ code: '42501' })
  expect(events.stats).toMatchObject({ pending: 3, rejected: 0 })
})

test('B8: a row whose fault shows only at the commit is found, too', async () => {
  const { db, buffer, ids } = await open({ engine: 'postgresql' })
  await sql`create table if not exists parent (id integer primary key)`.execute(db)
  await sql`insert into parent select generate_series(1, 20) on conflict do nothing`.execute(db)
  await sql`alter table event add constraint child foreign key (id) references parent deferrable initially deferred`.execute(
    db,
  )
  const events = buffer()
  const all = rows(10, 24).map((each) => events.add(each))
  const settled = await Promise.allSettled(all)
  expect(settled.map(({ status }) => status === 'fulfilled')).toEqual(
    rows(10, 24).map(({ id }) => id <= 20),
  )
  expect(await ids()).toEqual(rows(10, 20).map(({ id }) => id))
})
