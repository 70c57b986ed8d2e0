import { Pool, queryChannel, traceAsync, traceSync } from '@keelson/core'
import type { PoolEvent, QueryEvent } from '@keelson/core'
import { AsyncLocalStorage } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { tracingChannel, type TracingChannelSubscribers } from 'node:diagnostics_channel'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'

const unsubscribe: (() => void)[] = []

afterEach(() => {
  for (const undo of unsubscribe.splice(0)) undo()
})

/** Subscribes to all five steps by the channel's public name. */
function steps<E extends object>(name: string): { step: string; event: E }[] {
  const seen: { step: string; event: E }[] = []
  const on = (step: string) => (event: unknown) => void seen.push({ step, event: event as E })
  const subscribers: TracingChannelSubscribers<object> = {
    start: on('start'),
    end: on('end'),
    asyncStart: on('asyncStart'),
    asyncEnd: on('asyncEnd'),
    error: on('error'),
  }
  const channel = tracingChannel<unknown, object>(name)
  channel.subscribe(subscribers)
  unsubscribe.push(() => channel.unsubscribe(subscribers))
  return seen
}

function queryEvent(): QueryEvent {
  return {
    v: 1,
    id: 1,
    kind: 'query',
    source: 'driver',
    system: 'sqlite',
    db: 'app.db',
    sql: 'select 1',
    paramCount: 0,
    startMs: performance.now(),
    waitMs: 0,
    executeMs: 0,
    totalMs: 0,
    rows: 0,
    conn: 1,
    pool: 'p',
    outcome: undefined,
  }
}

test('an operation is published as five steps that share one event', async () => {
  const seen = steps<QueryEvent>('keelson:query')
  const event = queryEvent()
  const result = await traceAsync(queryChannel, event, async () => {
    event.rows = 3
    return 'result'
  })
  expect(result).toBe('result')
  expect(seen.map(({ step }) => step)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  expect(seen.every((published) => published.event === event)).toBe(true)
})

test('the end is published before the caller goes on, and complete runs before it', async () => {
  const seen = steps<QueryEvent>('keelson:query')
  const order: string[] = []
  const promise = traceAsync(
    queryChannel,
    queryEvent(),
    () => Promise.resolve(),
    (event) => {
      order.push(`complete after ${seen.length} steps`)
      event.outcome = 'ok'
    },
  )
  await promise.then(() => order.push(`caller after ${seen.length} steps`))
  expect(order).toEqual(['complete after 2 steps', 'caller after 4 steps'])
  expect(seen[3]!.event.outcome).toBe('ok')
})

test("the operation's own promise and error reach the caller", async () => {
  const seen = steps<QueryEvent>('keelson:query')
  const failure = new Error('no such table')
  const operation = Promise.reject(failure)
  const traced = traceAsync(queryChannel, queryEvent(), () => operation)
  expect(traced).toBe(operation)
  await expect(traced).rejects.toBe(failure)
  expect(seen.map(({ step }) => step)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  expect(seen[2]!.event.error).toBe(failure)
})

test('an operation that throws before it gives a promise is published to its end', () => {
  const seen = steps<QueryEvent>('keelson:query')
  const failure = new Error('refused')
  const run = (): Promise<void> => {
    throw failure
  }
  expect(() => traceAsync(queryChannel, queryEvent(), run)).toThrow(failure)
  expect(seen.map(({ step }) => step)).toEqual(['start', 'error', 'end', 'asyncStart', 'asyncEnd'])
})

test('a synchronous operation is published with the same steps', () => {
  const seen = steps<QueryEvent>('keelson:query')
  expect(traceSync(queryChannel, queryEvent(), () => 5)).toBe(5)
  expect(seen.map(({ step }) => step)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  expect(() =>
    traceSync(queryChannel, queryEvent(), () => {
      throw new Error('refused')
    }),
  ).toThrow('refused')
  expect(seen.slice(4).map(({ step }) => step)).toEqual([
    'start',
    'error',
    'end',
    'asyncStart',
    'asyncEnd',
  ])
})

test('a store bound to start holds during the operation', async () => {
  const span = new AsyncLocalStorage<string>()
  const channel = tracingChannel<string, QueryEvent>('keelson:query')
  channel.start.bindStore(span, ({ sql }) => `span of ${sql}`)
  unsubscribe.push(() => channel.start.unbindStore(span))
  const inside = await traceAsync(queryChannel, queryEvent(), async () => {
    await Promise.resolve()
    return span.getStore()
  })
  expect(inside).toBe('span of select 1')
  expect(span.getStore()).toBeUndefined()
})

test('each acquire is published, also one that need not wait', async () => {
  const pool = new Pool({ name: 'readers', max: 1, create: () => ({}), destroy: () => {} })
  await pool.use(() => {})
  const seen = steps<PoolEvent>('keelson:pool:acquire')
  await pool.use(() => {}, { purpose: 'report' })
  const lease = pool.tryAcquire()!
  expect(pool.tryAcquire()).toBeUndefined()
  const waiting = pool.acquire()
  lease.release()
  const last = await waiting
  expect(seen.filter(({ step }) => step === 'asyncEnd').map(({ event }) => event)).toMatchObject([
    {
      pool: 'readers',
      type: 'acquire',
      lease: 2,
      resource: 1,
      purpose: 'report',
      size: 1,
      idle: 0,
      pending: 0,
    },
    { lease: 3, resource: 1 },
    { lease: 4, resource: 1 },
  ])
  expect(new Set(seen.map(({ event }) => event)).size).toBe(3)
  expect(seen.every(({ event }) => event.waitMs! >= 0)).toBe(true)
  last.release()
})

test('an acquire that fails is published with its error and its wait', async () => {
  const pool = new Pool({
    name: 'readers',
    max: 1,
    create: () => ({}),
    destroy: () => {},
    acquireTimeoutMs: 10,
  })
  await pool.acquire()
  const seen = steps<PoolEvent>('keelson:pool:acquire')
  const error: unknown = await pool.acquire().catch((thrown: unknown) => thrown)
  expect(seen.map(({ step }) => step)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  expect(seen[4]!.event.error).toBe(error)
  expect(seen[4]!.event.waitMs).toBeGreaterThanOrEqual(9)
})

test('the end of a failed acquire carries the counts of that moment', async () => {
  const pool = new Pool({ name: 'readers', max: 1, create: () => ({}), destroy: () => {} })
  const lease = await pool.acquire()
  const seen = steps<PoolEvent>('keelson:pool:acquire')
  const controller = new AbortController()
  const aborted = pool.acquire({ signal: controller.signal })
  expect(seen[0]!.event).toMatchObject({ pending: 0, size: 1 })
  const waiting = pool.acquire()
  controller.abort(new Error('gone'))
  await expect(aborted).rejects.toThrow('gone')
  expect(seen[0]!.event).toMatchObject({ pending: 1, size: 1, error: new Error('gone') })
  lease.release()
  await waiting
})

test('makes no event while nobody subscribes', async () => {
  const pool = new Pool({ name: 'readers', max: 1, create: () => ({}), destroy: () => {} })
  const publish = vi.spyOn(tracingChannel('keelson:pool:acquire').start, 'runStores')
  await pool.use(() => {})
  const untouched = publish.mock.calls.length
  publish.mockRestore()
  expect(untouched).toBe(0)
})

test('a subscriber that throws does not disturb the operation; Node raises its error afterwards', async () => {
  const program = `
    import { tracingChannel } from 'node:diagnostics_channel'
    import { AsyncLocalStorage } from 'node:async_hooks'
    import { Pool } from '@keelson/core'
    const fail = (step) => () => { throw new Error(step) }
    const channel = tracingChannel('keelson:pool:acquire')
    channel.start.bindStore(new AsyncLocalStorage(), fail('store'))
    channel.subscribe(Object.fromEntries(['start', 'end', 'asyncStart', 'asyncEnd'].map((step) => [step, fail(step)])))
    let later = 0
    channel.subscribe({ start: () => { later += 1 } })
    const raised = []
    process.on('uncaughtException', (error) => raised.push(error.message))
    const pool = new Pool({ name: 'p', max: 1, create: () => ({}), destroy() {} })
    const result = await pool.use(() => 'result')
    await new Promise((resolve) => setTimeout(resolve))
    console.log(JSON.stringify({ result, later, idle: pool.stats.idle, raised: raised.sort() }))
  `
  const root = new URL('../../', import.meta.url)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', program],
    { cwd: root },
  )
  expect(JSON.parse(stdout)).toEqual({
    result: 'result',
    later: 1,
    idle: 1,
    raised: ['asyncEnd', 'asyncStart', 'end', 'start', 'store'],
  })
})
