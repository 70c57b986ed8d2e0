import { Pool } from '@keelson/core'
import type { LeakReport, PoolAcquireTimeoutError, PoolOptions } from '@keelson/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

function watched(options: Partial<PoolOptions<object>> = {}): {
  pool: Pool<object>
  reports: LeakReport[]
} {
  const reports: LeakReport[] = []
  const pool = new Pool<object>({
    name: 'watched',
    max: 2,
    create: () => ({}),
    destroy: () => {},
    leakAfterMs: 1_000,
    onLeak: (report) => reports.push(report),
    ...options,
  })
  return { pool, reports }
}

/** `file:line` of the line that calls this. */
function here(): string {
  const frame = new Error('here').stack!.split('\n')[2]!
  return /[^/]+\.test\.ts:\d+/.exec(frame)![0]
}

function topFrame(stack: string): string | undefined {
  return /[^/]+\.ts:\d+/.exec(stack.split('\n')[0]!)?.[0]
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

// oxfmt-ignore
const ways: [string, (pool: Pool<object>) => { line: string, held: Promise<unknown> }][] = [
  ['acquire', (pool) => ({ line: here(), held: pool.acquire() })],
  ['acquire that waits', (pool) => {
    const first = pool.tryAcquire()!
    const second = pool.tryAcquire()!
    const waiting = { line: here(), held: pool.acquire() }
    first.release()
    second.release()
    return waiting
  }],
  ['tryAcquire', (pool) => ({ line: here(), held: Promise.resolve(pool.tryAcquire()) })],
  ['use', (pool) => ({ line: here(), held: pool.use(() => new Promise(() => {})) })],
]

for (const [name, leak] of ways) {
  test(`the report of a leak through ${name} begins with the line that called it`, async () => {
    const { pool, reports } = watched()
    await Promise.all([pool.use(() => {}), pool.use(() => {})])
    const { line } = leak(pool)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(reports).toHaveLength(1)
    expect(topFrame(reports[0]!.stack)).toBe(line)
  })
}

test('reports a lease once, with the last SQL, and once more when it comes back', async () => {
  const { pool, reports } = watched()
  const lease = await pool.acquire({ purpose: 'export' })
  lease.note('begin')
  lease.note('select * from flight')
  await vi.advanceTimersByTimeAsync(999)
  expect(reports).toEqual([])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(reports).toEqual([
    {
      state: 'leaked',
      pool: 'watched',
      id: 1,
      purpose: 'export',
      heldMs: 1_000,
      sql: 'select * from flight',
      stack: expect.stringMatching(/^at .*pool-leak\.test\.ts/),
    },
  ])
  await vi.advanceTimersByTimeAsync(1)
  lease.release()
  expect(reports[1]).toMatchObject({ state: 'recovered', id: 1, heldMs: 6_000 })
  expect(reports).toHaveLength(2)
})

test('says nothing of a lease that comes back in time', async () => {
  const { pool, reports } = watched()
  const first = await pool.acquire()
  const second = await pool.acquire()
  await vi.advanceTimersByTimeAsync(999)
  first.release()
  second.destroy('broken')
  await vi.advanceTimersByTimeAsync(5_000)
  expect(reports).toEqual([])
})

test('a timeout shows where the leases were acquired', async () => {
  const { pool } = watched({ max: 1, acquireTimeoutMs: 50 })
  const line = here().replace(/\d+$/, (number) => String(Number(number) + 1))
  await pool.acquire()
  const late = pool.acquire().catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(50)
  const error = (await late) as PoolAcquireTimeoutError
  expect(error.message).toContain(line)
  expect(error.message).not.toContain('leakAfterMs')
  expect(topFrame(error.holders[0]!.stack!)).toBe(line)
})

test('captures no stack unless leaks are watched', async () => {
  const capture = vi.spyOn(Error, 'captureStackTrace')
  const { pool } = watched({ leakAfterMs: undefined, max: 1, acquireTimeoutMs: 50 })
  await pool.acquire()
  const late = pool.acquire().catch((error: unknown) => error)
  const captures = capture.mock.calls.length
  await vi.advanceTimersByTimeAsync(50)
  const error = (await late) as PoolAcquireTimeoutError
  capture.mockRestore()
  expect(captures).toBe(0)
  expect(error.holders[0]!.stack).toBeUndefined()
})

test('sees past the frames of an ORM, and leaves Error.stackTraceLimit as it was', async () => {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = 3
  const { pool, reports } = watched()
  const nested = (depth: number): Promise<unknown> =>
    depth === 0 ? pool.acquire() : nested(depth - 1)
  void nested(20)
  const after = Error.stackTraceLimit
  Error.stackTraceLimit = before
  expect(after).toBe(3)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(reports[0]!.stack.match(/nested/g)).toHaveLength(21)
})

test('warns when nobody listens', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const { pool } = watched({ onLeak: undefined })
  const lease = await pool.acquire()
  lease.note('select 1')
  await vi.advanceTimersByTimeAsync(1_000)
  lease.release()
  expect(warn.mock.calls).toEqual([
    [
      'Lease 1 of pool "watched" has not been returned after 1000 ms. Last SQL: select 1.',
      {
        type: 'KeelsonWarning',
        code: 'POOL_LEASE_LEAKED',
        detail: expect.stringMatching(/^Acquired\nat .*pool-leak\.test\.ts/),
      },
    ],
    [
      'Lease 1 of pool "watched" was returned, but only after 1000 ms. Last SQL: select 1.',
      expect.objectContaining({ code: 'POOL_LEASE_LEAKED' }),
    ],
  ])
  warn.mockRestore()
})
