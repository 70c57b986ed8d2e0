import { Pool, PoolClosedError } from '@keelson/core'
import type { PoolOptions } from '@keelson/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

interface Connection {
  readonly number: number
}

interface Destroyed {
  readonly number: number
  readonly reason: string
}

function connections(options: Partial<PoolOptions<Connection>> = {}): {
  pool: Pool<Connection>
  destroyed: Destroyed[]
} {
  const destroyed: Destroyed[] = []
  const pool = new Pool<Connection>({
    name: 'connections',
    max: 2,
    create: ({ id }) => ({ number: id }),
    destroy: ({ number }, reason) => void destroyed.push({ number, reason }),
    ...options,
  })
  return { pool, destroyed }
}

const nothing = { creating: 0, destroying: 0 }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('closes what is idle and resolves without waiting', async () => {
  const { pool, destroyed } = connections()
  await Promise.all([pool.use(() => {}), pool.use(() => {})])
  expect(await pool.close()).toEqual({
    pool: 'connections',
    elapsedMs: 0,
    leaked: [],
    errors: [],
    unfinished: nothing,
  })
  expect(destroyed).toEqual([
    { number: 1, reason: 'closed' },
    { number: 2, reason: 'closed' },
  ])
  expect(vi.getTimerCount()).toBe(0)
})

test('a pool that was never used closes', async () => {
  const { pool } = connections()
  expect(await pool.close()).toMatchObject({ leaked: [], unfinished: nothing })
})

test('refuses callers from the moment it is called, and those that wait', async () => {
  const { pool } = connections({ max: 1 })
  const lease = await pool.acquire()
  const waiting = pool.acquire()
  const closing = pool.close()
  await expect(waiting).rejects.toBeInstanceOf(PoolClosedError)
  await expect(pool.acquire()).rejects.toThrow(
    'Pool "connections" is closed and gives no resource. ' +
      'Close a pool only after the last code that uses it has ended.',
  )
  await expect(pool.use(() => {})).rejects.toMatchObject({ code: 'POOL_CLOSED' })
  expect(pool.tryAcquire()).toBeUndefined()
  expect(pool.stats.waiting).toBe(0)
  lease.release()
  expect(await closing).toMatchObject({ leaked: [] })
})

test('waits for leases, released or destroyed', async () => {
  const { pool, destroyed } = connections()
  const [first, second] = await Promise.all([pool.acquire(), pool.acquire()])
  const closing = pool.close()
  await vi.advanceTimersByTimeAsync(300)
  expect(first.resource.number).toBe(1)
  first.release()
  await vi.advanceTimersByTimeAsync(100)
  second.destroy('broken')
  expect(await closing).toMatchObject({ elapsedMs: 400, leaked: [] })
  expect(destroyed).toEqual([
    { number: 1, reason: 'closed' },
    { number: 2, reason: 'broken' },
  ])
  expect(vi.getTimerCount()).toBe(0)
})

test('takes back what has not come back by the deadline, and names it', async () => {
  const { pool, destroyed } = connections({ leakAfterMs: 100_000 })
  const lease = await pool.acquire({ purpose: 'export' })
  lease.note('select * from flight')
  await vi.advanceTimersByTimeAsync(1_000)
  const closing = pool.close({ deadlineMs: 500 })
  await vi.advanceTimersByTimeAsync(500)
  const report = await closing
  expect(report).toMatchObject({
    elapsedMs: 500,
    leaked: [{ id: 1, purpose: 'export', heldMs: 1_500, sql: 'select * from flight' }],
    unfinished: nothing,
  })
  expect(report.leaked[0]!.stack).toContain('pool-close.test.ts')
  expect(destroyed).toEqual([{ number: 1, reason: 'leaked' }])
  expect(pool.stats.size).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
  expect(() => lease.resource).toThrow('it was taken back when the pool closed')
  // A `finally` that returns the lease after all must not hide the error that led there.
  lease.release()
  lease.release()
  expect(destroyed).toHaveLength(1)
})

test('waits five seconds by default', async () => {
  const { pool } = connections()
  await pool.acquire()
  const closing = pool.close()
  await vi.advanceTimersByTimeAsync(4_999)
  expect(pool.stats.inUse).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect((await closing).leaked).toHaveLength(1)
})

test('every call gives the promise of the first', async () => {
  const { pool } = connections()
  const closing = pool.close({ deadlineMs: 10 })
  expect(pool.close({ deadlineMs: 20 })).toBe(closing)
  await closing
  expect(pool.close()).toBe(closing)
})

test('refuses also what its own callbacks ask for', async () => {
  const again: unknown[] = []
  const { pool } = connections({ destroy: () => void again.push(pool.close(), pool.tryAcquire()) })
  await Promise.all([pool.use(() => {}), pool.use(() => {})])
  const closing = pool.close()
  await closing
  expect(again).toEqual([closing, undefined, closing, undefined])
})

test('closes each idle resource once when closing one returns another', async () => {
  const destroyed: number[] = []
  const { pool } = connections({
    max: 3,
    destroy: ({ number }) => {
      destroyed.push(number)
      if (number === 1) held.release()
    },
  })
  const [first, second, held] = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
  first.release()
  second.release()
  await pool.close()
  expect(destroyed).toHaveLength(3)
  expect(new Set(destroyed)).toEqual(new Set([1, 2, 3]))
})

test('a create in flight is told to stop, and what it opens is destroyed', async () => {
  let answer: (connection: Connection) => void = () => {}
  let signal: AbortSignal | undefined
  const { pool, destroyed } = connections({
    create: (context) => {
      signal = context.signal
      return new Promise((resolve) => (answer = resolve))
    },
  })
  const waiting = expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError)
  const closing = pool.close()
  expect(signal?.reason).toBeInstanceOf(PoolClosedError)
  await waiting
  await vi.advanceTimersByTimeAsync(10)
  answer({ number: 1 })
  expect(await closing).toMatchObject({ elapsedMs: 10, unfinished: nothing })
  expect(destroyed).toEqual([{ number: 1, reason: 'closed' }])
})

test('does not wait for ever for a create, and still destroys what it opens later', async () => {
  let answer: (connection: Connection) => void = () => {}
  const { pool, destroyed } = connections({
    create: () => new Promise((resolve) => (answer = resolve)),
  })
  const waiting = expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError)
  const closing = pool.close({ deadlineMs: 100 })
  await vi.advanceTimersByTimeAsync(100)
  expect(await closing).toMatchObject({
    elapsedMs: 100,
    unfinished: { creating: 1, destroying: 0 },
  })
  await waiting
  expect(vi.getTimerCount()).toBe(0)
  answer({ number: 1 })
  await vi.advanceTimersByTimeAsync(0)
  expect(destroyed).toEqual([{ number: 1, reason: 'closed' }])
})

test('forgets the next attempt to open after a failed one', async () => {
  const { pool } = connections({ create: () => Promise.reject(new Error('refused')) })
  await expect(pool.acquire()).rejects.toThrow('refused')
  const waiting = expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError)
  await pool.close()
  await waiting
  expect(vi.getTimerCount()).toBe(0)
})

test('does not wait for ever for a validation', async () => {
  const { pool, destroyed } = connections({ validate: () => new Promise(() => {}) })
  await pool.use(() => {})
  const waiting = expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError)
  const closing = pool.close({ deadlineMs: 100 })
  await vi.advanceTimersByTimeAsync(100)
  await closing
  await waiting
  await vi.advanceTimersByTimeAsync(0)
  expect(destroyed).toEqual([{ number: 1, reason: 'closed' }])
  expect(vi.getTimerCount()).toBe(0)
})

test('waits for each destroy, and collects what they throw', async () => {
  const { pool } = connections({
    destroy: async ({ number }) => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      throw new Error(`cannot close ${number}`)
    },
  })
  await Promise.all([pool.use(() => {}), pool.use(() => {})])
  const closing = pool.close()
  await vi.advanceTimersByTimeAsync(50)
  expect(await closing).toMatchObject({
    elapsedMs: 50,
    errors: [new Error('cannot close 1'), new Error('cannot close 2')],
  })
})

test('keeps the latest hundred errors of destroy', async () => {
  const { pool } = connections({
    destroy: ({ number }) => {
      throw new Error(`cannot close ${number}`)
    },
  })
  for (let i = 0; i < 102; i++) await pool.use((_, lease) => lease.destroy('broken'))
  const { errors } = await pool.close()
  expect(errors).toHaveLength(100)
  expect(errors[0]).toEqual(new Error('cannot close 3'))
})

test('a destroy that hangs does not keep it from settling', async () => {
  const { pool } = connections({ destroy: () => new Promise(() => {}) })
  await pool.use(() => {})
  const closing = pool.close({ deadlineMs: 100 })
  await vi.advanceTimersByTimeAsync(100)
  expect(await closing).toMatchObject({
    elapsedMs: 100,
    leaked: [],
    unfinished: { creating: 0, destroying: 1 },
  })
})

test('gives the destroys of leaked leases one more second', async () => {
  const { pool } = connections({
    destroy: ({ number }) => new Promise((resolve) => number === 1 && setTimeout(resolve, 300)),
  })
  await pool.acquire()
  const closing = pool.close({ deadlineMs: 0 })
  await vi.advanceTimersByTimeAsync(400)
  const report = await closing
  expect(report.elapsedMs).toBeLessThan(310)
  expect(report).toMatchObject({ leaked: [{ id: 1 }], unfinished: nothing })

  const hanging = connections({ destroy: () => new Promise(() => {}) }).pool
  await hanging.acquire()
  const slow = hanging.close({ deadlineMs: 0 })
  await vi.advanceTimersByTimeAsync(1_001)
  expect(await slow).toMatchObject({
    leaked: [{ id: 1 }],
    unfinished: { creating: 0, destroying: 1 },
  })
})
