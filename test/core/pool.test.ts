import { Pool, PoolAcquireTimeoutError, PoolLeaseError, PoolQueueFullError } from '@keelson/core'
import type { Lease, PoolEvent, PoolOptions } from '@keelson/core'
import { AsyncLocalStorage } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'

interface Connection {
  readonly number: number
}

function connections(options: Partial<PoolOptions<Connection>> = {}): {
  pool: Pool<Connection>
  destroyed: [number, string][]
} {
  let opened = 0
  const destroyed: [number, string][] = []
  const pool = new Pool<Connection>({
    name: 'connections',
    max: 1,
    create: () => ({ number: (opened += 1) }),
    destroy: ({ number }, reason) => void destroyed.push([number, reason]),
    ...options,
  })
  return { pool, destroyed }
}

afterEach(() => {
  vi.useRealTimers()
})

test('opens nothing before the first acquire', async () => {
  const create = vi.fn(() => ({ number: 1 }))
  const { pool } = connections({ create, minIdle: 1 })
  await Promise.resolve()
  expect(create).not.toHaveBeenCalled()
  expect(pool.tryAcquire()).toBeUndefined()
  expect(create).not.toHaveBeenCalled()
})

test('gives the same resource to one caller after the other', async () => {
  const { pool } = connections()
  const first = await pool.acquire()
  const second = pool.acquire()
  first.release()
  expect((await second).resource.number).toBe(1)
})

test('gives the resource that was used last', async () => {
  const { pool } = connections({ max: 2 })
  const [first, second] = await Promise.all([pool.acquire(), pool.acquire()])
  first.release()
  second.release()
  expect((await pool.acquire()).resource.number).toBe(2)
})

test('serves callers in the order in which they came, however long their resource takes to open', async () => {
  const answers: (() => void)[] = []
  const { pool } = connections({
    max: 2,
    create: ({ id }) => new Promise((resolve) => answers.push(() => resolve({ number: id }))),
  })
  const order: string[] = []
  const acquire = async (name: string): Promise<Lease<Connection>> => {
    const lease = await pool.acquire()
    order.push(name)
    return lease
  }
  const first = acquire('first')
  const second = acquire('second')
  const third = acquire('third')
  answers[1]!()
  const lease = await first
  lease.release()
  await second
  answers[0]!()
  await third
  expect(order).toEqual(['first', 'second', 'third'])
})

test('tryAcquire leases what is idle and never waits', async () => {
  const { pool } = connections()
  await pool.use(() => {})
  const lease = pool.tryAcquire({ purpose: 'read' })
  expect(lease?.resource.number).toBe(1)
  expect(pool.tryAcquire()).toBeUndefined()
  lease!.release()
  expect(pool.stats).toMatchObject({ idle: 1, inUse: 0, acquired: 2, waited: 1 })
})

test('tryAcquire does not overtake a caller that waits', async () => {
  const { pool } = connections()
  const lease = await pool.acquire()
  const waiting = pool.acquire()
  lease.release()
  expect(pool.tryAcquire()).toBeUndefined()
  expect((await waiting).id).toBe(2)
})

test('use releases after a result, after an error, and not what was destroyed', async () => {
  const { pool, destroyed } = connections()
  expect(await pool.use(async ({ number }) => number)).toBe(1)
  const broken = new Error('broken')
  await expect(
    pool.use(() => {
      throw broken
    }),
  ).rejects.toBe(broken)
  expect(pool.stats).toMatchObject({ idle: 1, inUse: 0 })
  await pool.use((_, lease) => lease.destroy('lost its socket'))
  expect(destroyed).toEqual([[1, 'lost its socket']])
  expect(pool.stats).toMatchObject({ size: 0, closedBroken: 1 })
})

test('a destroy without a reason is no release', async () => {
  const { pool } = connections()
  const lease = await pool.acquire()
  lease.destroy(undefined as never)
  expect(pool.stats).toMatchObject({ size: 0, closedBroken: 1 })
})

test('replaces a destroyed resource for the caller that waits', async () => {
  const { pool, destroyed } = connections()
  const lease = await pool.acquire()
  const next = pool.acquire()
  pool.destroy(lease, 'protocol error')
  expect((await next).resource.number).toBe(2)
  expect(destroyed).toEqual([[1, 'protocol error']])
})

test('refuses a second return, whichever way it is made', async () => {
  const { pool } = connections()
  const lease = await pool.acquire({ purpose: 'report' })
  lease.release()
  for (const again of [
    () => lease.release(),
    () => lease.destroy('x'),
    () => pool.release(lease),
  ]) {
    expect(again).toThrow(PoolLeaseError)
  }
  expect(() => lease.release()).toThrow(
    'Lease 1 (report) of pool "connections" cannot be returned by release(): it was returned before. ' +
      'Return each lease once, in one place: a `finally`, or pool.use().',
  )
  expect(pool.stats).toMatchObject({ idle: 1, inUse: 0 })
})

test('refuses a lease of another pool', async () => {
  const { pool } = connections({ name: 'a' })
  const other = connections({ name: 'b' })
  const lease = await other.pool.acquire()
  expect(() => pool.release(lease)).toThrow(PoolLeaseError)
  expect(() => pool.destroy(lease, 'x')).toThrow(
    'Pool "a" cannot take what it did not give: destroy() got something else than a lease of this pool. ' +
      'Return a lease to the pool that gave it, or call the method of the lease itself.',
  )
  expect(other.pool.stats.inUse).toBe(1)
  other.pool.release(lease)
})

test('does not give the resource of a lease that was returned', async () => {
  const { pool } = connections()
  const lease = await pool.acquire()
  lease.release()
  expect(() => lease.resource).toThrow(
    'Lease 1 of pool "connections" cannot give its resource: it was returned. ' +
      'Keep using the resource only until release() or destroy().',
  )
})

test('an abort takes the caller out of the line and gives it the reason', async () => {
  const { pool } = connections()
  const lease = await pool.acquire()
  const controller = new AbortController()
  const reason = new Error('request was closed')
  const aborted = pool.acquire({ signal: controller.signal })
  const next = pool.acquire()
  expect(pool.stats.waiting).toBe(2)
  controller.abort(reason)
  expect(pool.stats.waiting).toBe(1)
  await expect(aborted).rejects.toBe(reason)
  lease.release()
  expect((await next).resource.number).toBe(1)
  await expect(pool.acquire({ signal: controller.signal })).rejects.toBe(reason)
})

test('serves the next caller when the first gives up in the same moment', async () => {
  const { pool } = connections()
  const lease = await pool.acquire()
  const controller = new AbortController()
  const aborted = pool.acquire({ signal: controller.signal })
  const next = pool.acquire()
  controller.abort(new Error('gone'))
  lease.release()
  await expect(aborted).rejects.toThrow('gone')
  expect((await next).id).toBe(2)
})

test('serves a caller for whom create returns another lease', async () => {
  const { pool } = connections({
    max: 2,
    create: ({ id }) => {
      if (id === 2) first.release()
      return { number: id }
    },
  })
  const first = await pool.acquire()
  expect((await pool.acquire()).resource.number).toBe(1)
})

test('leaves no listener on the signal', async () => {
  const { pool } = connections()
  const { signal } = new AbortController()
  const lease = await pool.acquire({ signal })
  const next = pool.acquire({ signal })
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  lease.release()
  await next
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('refuses a caller at once when maxWaiters wait for leases', async () => {
  const { pool } = connections({ maxWaiters: 1 })
  const opening = pool.acquire()
  const waiting = pool.acquire()
  await expect(pool.acquire()).rejects.toBeInstanceOf(PoolQueueFullError)
  const lease = await opening
  await expect(pool.acquire()).rejects.toThrow(
    'Pool "connections" cannot queue another caller: all 1 resources are leased and 1 callers wait, ' +
      'which is `maxWaiters`. Slow the callers down, or raise `max` or `maxWaiters`.',
  )
  lease.release()
  await waiting
})

test('waits for a resource to open even where nobody may wait for a lease', async () => {
  const { pool } = connections({ maxWaiters: 0, max: 2 })
  await Promise.all([pool.acquire(), pool.acquire()])
  await expect(pool.acquire()).rejects.toBeInstanceOf(PoolQueueFullError)
})

test('a timeout names how long it waited, who holds the leases and what to do', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { pool } = connections({ acquireTimeoutMs: 200, max: 2 })
  const report = await pool.acquire({ purpose: 'nightly report' })
  report.note('select * from flight')
  await vi.advanceTimersByTimeAsync(1_500)
  await pool.acquire()
  const late = pool.acquire({ purpose: 'GET /flights' }).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(199)
  expect(pool.stats).toMatchObject({ waiting: 1, timedOut: 0 })
  await vi.advanceTimersByTimeAsync(1)
  const error = (await late) as PoolAcquireTimeoutError
  expect(error).toBeInstanceOf(PoolAcquireTimeoutError)
  expect(error.code).toBe('POOL_ACQUIRE_TIMEOUT')
  expect(error.message).toBe(
    'Pool "connections" had no resource for "GET /flights" within 200 ms (acquireTimeoutMs). ' +
      '2 of 2 are leased. Held by: lease 1 (nightly report) for 1.7 s; lease 2 for 0.2 s. ' +
      'Return leases sooner, set `leakAfterMs` to see where they were acquired, or raise `max`. ' +
      'Code that holds a lease and acquires a second one can wait for itself.',
  )
  expect(error.waitedMs).toBe(200)
  expect(error.holders[0]).toMatchObject({
    id: 1,
    purpose: 'nightly report',
    heldMs: 1_700,
    sql: 'select * from flight',
  })
  expect(pool.stats).toMatchObject({ waiting: 0, timedOut: 1 })
  expect(vi.getTimerCount()).toBe(0)
})

test('a timeout without leases points to create', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { pool } = connections({ acquireTimeoutMs: 200, create: () => new Promise(() => {}) })
  const late = expect(pool.acquire()).rejects.toThrow(
    'Pool "connections" had no resource within 200 ms (acquireTimeoutMs). No lease is held. ' +
      'Check why `create` is slow or fails.',
  )
  await vi.advanceTimersByTimeAsync(200)
  await late
})

test('a caller continues in its own async context', async () => {
  const context = new AsyncLocalStorage<string>()
  const { pool } = connections()
  const lease = await pool.acquire()
  const seen = context.run('waiter', async () => {
    await pool.acquire()
    return context.getStore()
  })
  context.run('releaser', () => lease.release())
  expect(await seen).toBe('waiter')
})

test('opens, checks and closes in the context in which the pool was made', async () => {
  const context = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const pool = context.run('pool', () => {
    return new Pool<Connection>({
      name: 'connections',
      max: 1,
      create: () => (seen.push(context.getStore()), { number: 1 }),
      validate: () => (seen.push(context.getStore()), true),
      destroy: () => void seen.push(context.getStore()),
    })
  })
  await context.run('request', async () => {
    await pool.use(() => {})
    await pool.use((_, lease) => lease.destroy('done'))
  })
  expect(seen).toEqual(['pool', 'pool', 'pool'])
})

test('tells its events in order, with counts', async () => {
  const events: PoolEvent[] = []
  const { pool } = connections({ onEvent: (event) => events.push(event) })
  const lease = await pool.acquire({ purpose: 'read' })
  lease.release()
  await pool.use((_, held) => held.destroy('broken'))
  expect(events).toMatchObject([
    { type: 'create', resource: 1, max: 1 },
    { type: 'acquire', lease: 1, resource: 1, purpose: 'read', size: 1, idle: 0, pending: 0 },
    { type: 'release', lease: 1, resource: 1, size: 1, idle: 1 },
    { type: 'acquire', lease: 2 },
    { type: 'destroy', resource: 1, reason: 'broken', size: 0 },
    { type: 'release', lease: 2 },
  ])
  const ids = events.map(({ id }) => id)
  expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  expect(events[2]!.useMs).toBeGreaterThanOrEqual(0)
})

test('a listener that throws or rejects changes nothing and is reported once', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const fail = async (): Promise<never> => {
    throw new Error('listener')
  }
  const failNow = (): never => {
    throw new Error('listener')
  }
  const listeners: (() => unknown)[] = [fail, failNow]
  for (const onEvent of listeners) {
    const { pool } = connections({ onEvent })
    await pool.use(() => {})
    await pool.use(() => {})
    await new Promise((resolve) => setImmediate(resolve))
    expect(pool.stats).toMatchObject({ idle: 1, acquired: 2 })
  }
  const warning = [
    'onEvent of pool "connections" threw; this and its later errors are ignored. Error: listener',
    { type: 'KeelsonWarning', code: 'KEELSON_LISTENER' },
  ]
  expect(warn.mock.calls).toEqual([warning, warning])
  warn.mockRestore()
})

test('no timer of an idle pool keeps the process alive', async () => {
  const program = `
    import { Pool } from '@keelson/core'
    const pool = new Pool({
      name: 'idle', max: 2, minIdle: 1, leakAfterMs: 20_000, maxLifetimeMs: 20_000,
      create: () => ({}), destroy() {},
    })
    const leaked = await pool.acquire()
    await pool.use(() => {})
    const refusing = new Pool({
      name: 'refusing', max: 1, minIdle: 1, create: () => { throw new Error('refused') }, destroy() {},
    })
    await refusing.acquire().catch(() => {})
    console.log(pool.stats.size)
  `
  const startedMs = performance.now()
  const root = new URL('../../', import.meta.url)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', program],
    { cwd: root },
  )
  expect(stdout.trim()).toBe('2')
  expect(performance.now() - startedMs).toBeLessThan(15_000)
})
