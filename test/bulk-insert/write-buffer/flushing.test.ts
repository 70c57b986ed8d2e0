import { setTimeout as sleep } from 'node:timers/promises'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { busy, open, row, rows, setups, withFaults } from './fixture.ts'

/** So long that nothing is sent for having lingered. */
const lingerMs = 60_000

describe('B4: a batch is sent', () => {
  test('when there are flushRows', async () => {
    const { buffer, ids } = await open({ engine: 'sqlite' })
    const events = buffer({ lingerMs, flushRows: 3 })
    const [one, two] = [events.add(row(1)), events.add(row(2))]
    await sleep(30)
    expect(await ids()).toEqual([])
    await Promise.all([one, two, events.add(row(3))])
    expect(events.stats).toMatchObject({ written: 3, batches: 1 })
  })

  test('when there are flushBytes', async () => {
    const { buffer } = await open({ engine: 'sqlite' })
    const events = buffer({ lingerMs, flushBytes: 4_000 })
    const all = [1, 2, 3].map((id) => events.add(row(id, 'x'.repeat(1_500))))
    await all[0]
    expect(events.stats.written).toBeGreaterThanOrEqual(2)
    await events.flush()
    await Promise.all(all)
  })

  test('when its first row has lingered', async () => {
    const { buffer } = await open({ engine: 'sqlite' })
    const events = buffer({ lingerMs: 60 })
    const start = performance.now()
    await Promise.all([events.add(row(1)), events.add(row(2))])
    expect(performance.now() - start).toBeGreaterThanOrEqual(50)
    expect(events.stats).toMatchObject({ written: 2, batches: 1 })
  })

  test('by flush(), which waits for everything that was added before it', async () => {
    const { buffer, ids } = await open({ engine: 'sqlite' })
    const events = buffer({ lingerMs, maxRows: 10, flushRows: 10 })
    const all = rows(1, 25).map((each) => events.add(each))
    await events.flush()
    expect(await ids()).toEqual(rows(1, 25).map(({ id }) => id))
    await Promise.all(all)
    await events.flush()
    expect(events.stats.batches).toBe(3)
  })
})

test('B4: flush() waits for a batch that is under way or is sent again', async () => {
  let failures = 3
  const { buffer, ids } = await open({
    engine: 'sqlite',
    decorate: withFaults((step) => (step === 'begin' && failures-- > 0 ? busy() : undefined)),
  })
  const events = buffer({ lingerMs: 0, retry: { minDelayMs: 5, maxDelayMs: 10 } })
  void events.add(row(1))
  await sleep(2)
  await events.flush()
  expect(await ids()).toEqual([1])
  expect(events.stats).toMatchObject({ written: 1, retries: 3 })
})

describe.for(setups)('$engine, wrapped: $isWrapped', (setup) => {
  test('B5: rows are written in the order in which they were added, one batch after the other', async () => {
    const { buffer, ids } = await open(setup)
    const events = buffer({ flushRows: 7, lingerMs: 1 })
    const all: Promise<unknown>[] = []
    for (let id = 1; id <= 60; id++) {
      all.push(events.add(row(id)))
      if (id % 20 === 0) await sleep(3)
    }
    await Promise.all(all)
    expect(await ids()).toEqual(rows(1, 60).map(({ id }) => id))
  })
})

test('B14: a buffer that holds rows keeps the process running, and an empty one does not', async () => {
  const program = fileURLToPath(new URL('../programs/lingering.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program])
  expect(JSON.parse(stdout)).toEqual({ written: 1 })
})
