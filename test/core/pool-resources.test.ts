import { Pool, PoolAcquireTimeoutError } from '@keelson/core'
import type { PoolEvent, PoolOptions } from '@keelson/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

interface Connection {
  readonly number: number
}

interface Destroyed {
  readonly number: number
  readonly reason: string
}

function connections(options: Partial<PoolOptions<Connection>>): {
  pool: Pool<Connection>
  destroyed: Destroyed[]
} {
  const destroyed: Destroyed[] = []
  const pool = new Pool<Connection>({
    name: 'connections',
    max: 1,
    create: ({ id }) => ({ number: id }),
    destroy: ({ number }, reason) => void destroyed.push({ number, reason }),
    ...options,
  })
  return { pool, destroyed }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('an error of create reaches the caller at once, as the same object', async () => {
  const refused = new Error('connection refused')
  const { pool } = connections({
    create: () => {
      throw refused
    },
  })
  await expect(pool.acquire()).rejects.toBe(refused)
  expect(pool.stats).toMatchObject({ size: 0, waiting: 0, timedOut: 0 })
})

test('everybody who waits hears of it when the pool has nothing else', async () => {
  const refused = new Error('connection refused')
  const { pool } = connections({ create: () => Promise.reject(refused) })
  const all = await Promise.allSettled([pool.acquire(), pool.acquire(), pool.acquire()])
  expect(all.map((result) => result.status === 'rejected' && result.reason)).toEqual([
    refused,
    refused,
    refused,
  ])
})

test('only the first in line hears of it while another resource can still be returned', async () => {
  let isFull = false
  const { pool } = connections({
    max: 2,
    create: ({ id }) => {
      if (isFull) throw new Error('too many connections')
      return { number: id }
    },
  })
  const lease = await pool.acquire()
  isFull = true
  const first = expect(pool.acquire()).rejects.toThrow('too many connections')
  const second = pool.acquire()
  await first
  lease.release()
  expect((await second).resource.number).toBe(1)
})

test('spaces the attempts to open while they fail, and starts anew after a success', async () => {
  let attempts = 0
  let works = false
  const { pool } = connections({
    create: ({ id }) => {
      attempts += 1
      if (works) return { number: id }
      throw new Error(`attempt ${attempts}`)
    },
  })
  const next = async (timeMs: number): Promise<void> => {
    const before = attempts
    const failed = expect(pool.acquire()).rejects.toThrow(`attempt ${before + 1}`)
    if (timeMs > 0) await vi.advanceTimersByTimeAsync(timeMs - 1)
    expect(attempts).toBe(timeMs > 0 ? before : before + 1)
    await vi.advanceTimersByTimeAsync(1)
    await failed
  }
  await next(0)
  // The clock has passed 1 ms of the first 50 after each attempt.
  await next(49)
  await next(100)
  await next(200)
  await next(400)
  await next(800)
  await next(1_600)
  await next(2_000)
  await next(2_000)
  works = true
  const served = pool.acquire()
  await vi.advanceTimersByTimeAsync(2_000)
  const lease = await served
  lease.destroy('to open another one')
  works = false
  await next(0)
  await next(49)
})

test('a create that gives no answer fails in time, is told so, and is closed when it answers late', async () => {
  let answer: (connection: Connection) => void = () => {}
  let signal: AbortSignal | undefined
  const { pool, destroyed } = connections({
    createTimeoutMs: 100,
    create: (context) => {
      signal = context.signal
      return new Promise((resolve) => (answer = resolve))
    },
  })
  const late = pool.acquire().catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(100)
  const error = await late
  expect(error).toBeInstanceOf(PoolAcquireTimeoutError)
  expect(error).toHaveProperty(
    'message',
    'Pool "connections" could not open a resource: `create` gave no answer within 100 ms (createTimeoutMs). ' +
      'See what it waits for, or allow it more time.',
  )
  expect(signal?.reason).toBe(error)
  answer({ number: 7 })
  await vi.advanceTimersByTimeAsync(0)
  expect(destroyed).toEqual([{ number: 7, reason: 'late' }])
  expect(pool.stats).toMatchObject({ size: 0, closedBroken: 1 })
})

test('a timeout carries the last error of create', async () => {
  let works = true
  const { pool } = connections({
    max: 2,
    acquireTimeoutMs: 20,
    create: ({ id }) => {
      if (works) return { number: id }
      throw new Error('too many connections')
    },
  })
  await pool.acquire()
  works = false
  await expect(pool.acquire()).rejects.toThrow('too many connections')
  const late = pool.acquire().catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(20)
  const error = (await late) as PoolAcquireTimeoutError
  expect(error.cause).toEqual(new Error('too many connections'))
  expect(error.message).toContain(
    '1 of 2 are leased and opening another one failed, see `cause`. Held by: lease 1',
  )
})

test('an idle resource that fails validation is replaced', async () => {
  const good = new Map<number, boolean>()
  const events: PoolEvent[] = []
  const { pool, destroyed } = connections({
    validate: ({ number }) => good.get(number) ?? true,
    onEvent: (event) => events.push(event),
  })
  await pool.use(() => {})
  good.set(1, false)
  expect(await pool.use(({ number }) => number)).toBe(2)
  expect(destroyed).toEqual([{ number: 1, reason: 'invalid' }])
  expect(pool.stats.closedBroken).toBe(1)
})

test('a resource that was opened just now is not validated', async () => {
  const validate = vi.fn(() => false)
  const { pool } = connections({ validate })
  await pool.use(() => {})
  expect(validate).not.toHaveBeenCalled()
  await pool.use(({ number }) => expect(number).toBe(2))
  expect(validate).toHaveBeenCalledTimes(1)
})

for (const [kind, validate] of [
  ['throws', () => Promise.resolve().then(() => Promise.reject(new Error('socket is gone')))],
  [
    'rejects',
    () => {
      throw new Error('socket is gone')
    },
  ],
] as const) {
  test(`a validation that ${kind} closes the resource, and the event carries its error`, async () => {
    const events: PoolEvent[] = []
    const { pool } = connections({ validate, onEvent: (event) => events.push(event) })
    await pool.use(() => {})
    expect(await pool.use(({ number }) => number)).toBe(2)
    expect(events.find(({ type }) => type === 'destroy')).toMatchObject({
      reason: 'invalid',
      error: new Error('socket is gone'),
    })
  })
}

test('a validation that hangs counts as failed', async () => {
  const { pool, destroyed } = connections({
    validate: () => new Promise(() => {}),
    acquireTimeoutMs: 100,
  })
  await pool.use(() => {})
  const next = pool.acquire()
  await vi.advanceTimersByTimeAsync(99)
  expect(destroyed).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect((await next).resource.number).toBe(2)
  expect(destroyed).toEqual([{ number: 1, reason: 'invalid' }])
})

test('a slow validation is not overtaken', async () => {
  const answers: ((good: boolean) => void)[] = []
  const { pool } = connections({
    max: 2,
    validate: () => new Promise((resolve) => answers.push(resolve)),
  })
  const leases = await Promise.all([pool.acquire(), pool.acquire()])
  for (const lease of leases) lease.release()
  const order: string[] = []
  const first = pool.acquire().then(() => order.push('first'))
  const second = pool.acquire().then(() => order.push('second'))
  answers[1]!(true)
  await first
  answers[0]!(false)
  await second
  expect(order).toEqual(['first', 'second'])
})

test('checks no more resources than callers wait for', async () => {
  const validate = vi.fn(() => new Promise<boolean>(() => {}))
  const { pool } = connections({ max: 3, validate })
  await Promise.all([pool.use(() => {}), pool.use(() => {}), pool.use(() => {})])
  void pool.acquire()
  void pool.acquire()
  expect(validate).toHaveBeenCalledTimes(2)
  expect(pool.stats).toMatchObject({ idle: 1, inUse: 2, waiting: 2 })
})

test('a resource whose caller gave up during validation serves the next one', async () => {
  let answer: (good: boolean) => void = () => {}
  const { pool } = connections({ validate: () => new Promise((resolve) => (answer = resolve)) })
  await pool.use(() => {})
  const controller = new AbortController()
  const aborted = pool.acquire({ signal: controller.signal })
  const next = pool.acquire()
  controller.abort(new Error('gone'))
  answer(true)
  await expect(aborted).rejects.toThrow('gone')
  expect((await next).resource.number).toBe(1)
})

test('closes what was idle for idleTimeoutMs, and keeps minIdle', async () => {
  const { pool, destroyed } = connections({ max: 3, minIdle: 1, idleTimeoutMs: 1_000 })
  const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
  leases[0].release()
  await vi.advanceTimersByTimeAsync(600)
  leases[1].release()
  leases[2].release()
  await vi.advanceTimersByTimeAsync(400)
  expect(destroyed).toEqual([{ number: 1, reason: 'idle' }])
  await vi.advanceTimersByTimeAsync(600)
  expect(destroyed).toEqual([
    { number: 1, reason: 'idle' },
    { number: 2, reason: 'idle' },
  ])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(pool.stats).toMatchObject({ size: 1, idle: 1, closedIdle: 2 })
})

test('closes what was opened for a caller that has left and then nobody used', async () => {
  let answer: (connection: Connection) => void = () => {}
  const { pool, destroyed } = connections({
    idleTimeoutMs: 1_000,
    create: () => new Promise((resolve) => (answer = resolve)),
  })
  const controller = new AbortController()
  const aborted = expect(pool.acquire({ signal: controller.signal })).rejects.toThrow('gone')
  controller.abort(new Error('gone'))
  await aborted
  answer({ number: 1 })
  await vi.advanceTimersByTimeAsync(0)
  expect(pool.stats.idle).toBe(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(destroyed).toEqual([{ number: 1, reason: 'idle' }])
})

test('opens minIdle resources in the background once it is in use, and refills them', async () => {
  const { pool } = connections({ max: 4, minIdle: 2, idleTimeoutMs: Infinity })
  const lease = await pool.acquire()
  await vi.advanceTimersByTimeAsync(0)
  expect(pool.stats).toMatchObject({ inUse: 1, idle: 2 })
  const second = pool.tryAcquire()!
  lease.destroy('broken')
  await vi.advanceTimersByTimeAsync(0)
  expect(pool.stats).toMatchObject({ inUse: 1, idle: 2 })
  second.release()
})

test('replaces resources after maxLifetimeMs give or take 20 %, whether idle or returned', async () => {
  const { pool, destroyed } = connections({
    max: 50,
    maxLifetimeMs: 1_000,
    idleTimeoutMs: Infinity,
  })
  const leases = await Promise.all(Array.from({ length: 50 }, () => pool.acquire()))
  const kept = leases.splice(0, 1)[0]!
  for (const lease of leases) lease.release()
  await vi.advanceTimersByTimeAsync(799)
  expect(destroyed).toEqual([])
  await vi.advanceTimersByTimeAsync(201)
  expect(destroyed.length).toBeGreaterThan(5)
  expect(destroyed.length).toBeLessThan(45)
  await vi.advanceTimersByTimeAsync(202)
  expect(destroyed).toHaveLength(49)
  kept.release()
  expect(pool.stats).toMatchObject({ size: 0, closedExpired: 50, closedIdle: 0 })
  expect(new Set(destroyed.map(({ reason }) => reason))).toEqual(new Set(['expired']))
})

test('closes each idle resource when it expires, in whatever order they came back', async () => {
  const random = vi.spyOn(Math, 'random')
  for (const value of [0.5, 0, 0.75, 0.25]) random.mockReturnValueOnce(value)
  const { pool, destroyed } = connections({ max: 4, maxLifetimeMs: 1_000, idleTimeoutMs: Infinity })
  const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire(), pool.acquire()])
  random.mockRestore()
  for (const lease of leases) lease.release()
  const closedAt: Record<number, number> = {}
  for (let time = 50; time <= 1_200; time += 50) {
    await vi.advanceTimersByTimeAsync(50)
    for (const { number } of destroyed) closedAt[number] ??= time
  }
  expect(closedAt).toEqual({ 2: 800, 4: 900, 1: 1_000, 3: 1_100 })
})

test('opens another resource when the last idle one expires and minIdle wants one', async () => {
  const { pool, destroyed } = connections({ minIdle: 1, maxLifetimeMs: 1_000 })
  await pool.use(() => {})
  await vi.advanceTimersByTimeAsync(1_200)
  expect(destroyed).toEqual([{ number: 1, reason: 'expired' }])
  expect(pool.stats).toMatchObject({ idle: 1, closedExpired: 1 })
})

test('an idle resource that expires is not given', async () => {
  const { pool } = connections({ maxLifetimeMs: 1_000, idleTimeoutMs: Infinity })
  await pool.use(() => {})
  // Time passes without its timers, as after the machine slept.
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 2_000)
  expect(await pool.use(({ number }) => number)).toBe(2)
  vi.restoreAllMocks()
})

test('a destroy that throws is told to onEvent and to close, and disturbs nobody', async () => {
  const events: PoolEvent[] = []
  const stuck = new Error('cannot close')
  const { pool } = connections({
    destroy: () => {
      throw stuck
    },
    onEvent: (event) => events.push(event),
  })
  await pool.use((_, lease) => lease.destroy('broken'))
  expect(await pool.use(({ number }) => number)).toBe(2)
  expect(events.find(({ type }) => type === 'destroy')?.error).toBe(stuck)
  expect((await pool.close()).errors).toEqual([stuck, stuck])
})
