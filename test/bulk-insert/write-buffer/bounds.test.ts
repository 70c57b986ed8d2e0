import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BufferFullError } from '@keelson/bulk-insert/kysely'
import { expect, test, vi } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { expectBalance, open, row, rows } from './fixture.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('B3: what is written is not held any longer', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ lingerMs: 0 })
  const added = async (): Promise<WeakRef<Uint8Array>> => {
    const body = new Uint8Array(1_000)
    await events.add({ id: 1, body: body as never })
    return new WeakRef(body)
  }
  const body = await added()
  await expect
    .poll(() => {
      collectGarbage()
      return body.deref() === undefined
    })
    .toBe(true)
})

test('B3: a full buffer makes add() wait, and takes every row in order', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer({ maxRows: 10, flushRows: 4 })
  const all = rows(1, 100).map((each) => events.add(each))
  expect(events.stats).toMatchObject({ accepted: 10, pending: 10, waiting: 90 })
  const fates = await Promise.all(all)
  expect(fates.every(({ status }) => status === 'written')).toBe(true)
  expect(await ids()).toEqual(rows(1, 100).map(({ id }) => id))
  expect(events.stats).toMatchObject({ accepted: 100, written: 100, waiting: 0, pending: 0 })
})

test("B3: with overflow 'error' a full buffer refuses the row and keeps those that it has", async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer({ maxRows: 3, overflow: 'error' })
  const all = rows(1, 3).map((each) => events.add(each))
  const error = await rejection(events.add(row(4)))
  expect(error).toBeInstanceOf(BufferFullError)
  expect(error.message).toMatch(
    /^The buffer of "event" has no room for 1 more row: it holds 3 of 3 \(maxRows\), about \d+ of 67108864 bytes \(maxBytes\)\. Nothing of it was taken\. Add it later, await ready\(\), or use overflow: 'wait'\.$/,
  )
  expect(await rejection(events.addMany(rows(4, 5)))).toMatchObject({ code: 'ROWS_REJECTED' })
  await Promise.all(all)
  await events.add(row(4))
  expect(await ids()).toEqual([1, 2, 3, 4])
})

test('B3: bytes are bounded as rows are', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer({ maxBytes: 10_000, flushBytes: 5_000 })
  const large = (id: number) => row(id, 'x'.repeat(3_000))
  const all = [1, 2, 3, 4, 5, 6].map((id) => events.add(large(id)))
  expect(events.stats).toMatchObject({ accepted: 3, waiting: 3 })
  expect(events.stats.bytes).toBeLessThanOrEqual(10_000)
  await Promise.all(all)
  expect(await ids()).toEqual([1, 2, 3, 4, 5, 6])
  // A batch has no more than two of them: 5,000 bytes.
  expect(events.stats.batches).toBeGreaterThanOrEqual(6)
  const error = await rejection(events.add(row(7, 'x'.repeat(20_000))))
  expect(error).toBeInstanceOf(BufferFullError)
  expect(error.message).toMatch(/^add\(\) cannot take a row of about 20\d\d\d bytes/)
})

test('B3: ready() waits for room, so that a producer who does not await add() stays within the bounds', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const onLost = vi.fn()
  const events = buffer({ maxRows: 8, flushRows: 4, onLost })
  for (const each of rows(1, 60)) {
    await events.ready()
    void events.add(each)
    expect(events.stats.pending).toBeLessThanOrEqual(8)
    expect(events.stats.waiting).toBe(0)
    expectBalance(events.stats)
  }
  await events.flush()
  expect(await ids()).toEqual(rows(1, 60).map(({ id }) => id))
  expect(onLost).not.toHaveBeenCalled()
})

test('addMany() with more rows than there is room for goes in as room comes, uninterrupted', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer({ maxRows: 5, flushRows: 5 })
  await Promise.all([events.addMany(rows(1, 30)), events.add(row(31))])
  expect(await ids()).toEqual(rows(1, 31).map(({ id }) => id))
})

test('a row that waits for room does not wait for others to linger', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ maxBytes: 10_000, lingerMs: 60_000 })
  const large = (id: number) => events.add(row(id, 'x'.repeat(6_000)))
  const [first] = [large(1), large(2)]
  expect(await first).toEqual({ status: 'written' })
  await events.flush()
  expect(events.stats.written).toBe(2)
})
