import { Pool, PoolAcquireTimeoutError, PoolClosedError, PoolQueueFullError } from '@keelson/core'
import type { Lease, PoolCloseReport, PoolOptions } from '@keelson/core'
import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const wanted = runs(4_000, 100_000)
let operations = 0
const kinds: Record<string, number> = {}
const startedMs = Date.now()

test('keeps its promises under random operations', { timeout: 600_000 }, async () => {
  const property = fc.asyncProperty(setup, steps, async (given, chosen) => {
    const world = new World(given)
    for (const [choice, pick] of chosen) {
      await world.perform(choice, pick)
      operations += 1
    }
    await world.finish()
  })
  for (let round = 0; operations < wanted; round++) {
    await fc.assert(property, { seed: seed + round, numRuns: 20 })
  }
})

afterAll(() => {
  record('pool', { operations, kinds, durationMs: Date.now() - startedMs })
})

interface Setup {
  readonly max: number
  readonly minIdle: number
  readonly maxWaiters: number
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number | undefined
  readonly leakAfterMs: number | undefined
  readonly validate: 'never' | 'now' | 'later' | 'either'
  readonly destroy: 'now' | 'throws' | 'later' | 'rejects' | 'hangs'
  readonly deadlineMs: number
}

const setup: fc.Arbitrary<Setup> = fc.record({
  max: fc.integer({ min: 1, max: 4 }),
  minIdle: fc.constantFrom(0, 0, 1, 3),
  maxWaiters: fc.constantFrom(Infinity, Infinity, 0, 1, 3),
  idleTimeoutMs: fc.constantFrom(Infinity, 80),
  maxLifetimeMs: fc.constantFrom(undefined, 120),
  leakAfterMs: fc.constantFrom(undefined, 60),
  validate: fc.constantFrom('never', 'now', 'later', 'either'),
  destroy: fc.constantFrom('now', 'throws', 'later', 'rejects', 'hangs'),
  deadlineMs: fc.constantFrom(0, 50),
})

const steps = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 250, size: 'max' })

const acquireTimeoutMs = 100
const createTimeoutMs = 150
const longestBackoffMs = 2_000

interface Resource {
  readonly number: number
  good: boolean
  leased: boolean
  leases: number
}

interface Caller {
  readonly number: number
  readonly controller: AbortController
  outcome: 'waiting' | 'served' | 'timed out' | 'aborted' | 'failed' | 'refused' | 'closed'
}

interface Opening {
  readonly signal: AbortSignal
  succeed(resource: Resource): void
  fail(error: Error): void
}

interface Check {
  readonly resource: Resource
  answer(good: boolean): void
  fail(error: Error): void
}

class World {
  readonly setup: Setup
  readonly pool: Pool<Resource>
  readonly callers: Caller[] = []
  readonly leases = new Map<Lease<Resource>, Resource>()
  readonly openings = new Set<Opening>()
  readonly checks = new Set<Check>()
  readonly live = new Set<Resource>()
  readonly reasons: Record<string, number> = {}
  readonly leaks = { leaked: 0, recovered: 0 }
  /** Numbers of the callers in the order of their leases' numbers. */
  readonly served: number[] = []
  resources = 0
  leasesGiven = 0
  lastFailureMs = -Infinity
  /** What a callback of the pool found; thrown there it would be taken for the callback's own error. */
  readonly violations: string[] = []
  closing = false
  report: PoolCloseReport | undefined

  constructor(given: Setup) {
    this.setup = given
    // The jitter of lifetimes must be the same when a run is repeated.
    let random = 0
    vi.spyOn(Math, 'random').mockImplementation(() => (random = (random + 0.618) % 1))
    const options: PoolOptions<Resource> = {
      name: 'model',
      create: ({ signal }) => this.#create(signal),
      destroy: (resource, reason) => this.#destroy(resource, reason),
      max: given.max,
      minIdle: Math.min(given.minIdle, given.max),
      maxWaiters: given.maxWaiters,
      idleTimeoutMs: given.idleTimeoutMs,
      maxLifetimeMs: given.maxLifetimeMs,
      leakAfterMs: given.leakAfterMs,
      onLeak: ({ state }) => {
        this.leaks[state] += 1
      },
      acquireTimeoutMs,
      createTimeoutMs,
    }
    this.pool = new Pool(
      given.validate === 'never'
        ? options
        : { ...options, validate: (resource) => this.#validate(resource) },
    )
  }

  get waiting(): Caller[] {
    return this.callers.filter(({ outcome }) => outcome === 'waiting')
  }

  /** One operation that is possible now, chosen by two numbers, and then everything that must hold. */
  async perform(choice: number, pick: number): Promise<void> {
    const { leases, openings, checks, live } = this
    const enabled: [string, () => void | Promise<void>][] = [
      ['acquire', () => this.#acquire()],
      ['acquire', () => this.#acquire()],
      ['acquire twice', () => (this.#acquire(), this.#acquire())],
      ['tryAcquire', () => this.#tryAcquire()],
      ['pass time', () => advance(1 + (pick % 60))],
    ]
    const waiting = this.waiting
    if (leases.size > 0) {
      enabled.push(
        ['release', () => this.#release(any(leases.keys(), pick))],
        ['release', () => this.#release(any(leases.keys(), pick))],
        ['destroy', () => this.#discard(any(leases.keys(), pick))],
        ['release all', () => [...leases.keys()].forEach((lease) => this.#release(lease))],
      )
    }
    if (waiting.length > 0) {
      enabled.push(['abort', () => any(waiting, pick).controller.abort(new Error('aborted'))])
      // In one go with something that serves: whoever gave up must not take it with him.
      if (leases.size > 0) {
        enabled.push([
          'release and abort',
          () => {
            this.#release(any(leases.keys(), pick))
            waiting[0]!.controller.abort(new Error('aborted'))
          },
        ])
      }
    }
    if (openings.size > 0) {
      enabled.push(
        ['create', () => this.#answerOpening(any(openings, pick), true)],
        ['create', () => this.#answerOpening(any(openings, pick), true)],
        ['create fails', () => this.#answerOpening(any(openings, pick), false)],
      )
    }
    if (checks.size > 0) {
      enabled.push(
        ['validate', () => this.#answerCheck(any(checks, pick), 'good')],
        ['validate', () => this.#answerCheck(any(checks, pick), 'good')],
        ['validate refuses', () => this.#answerCheck(any(checks, pick), 'bad')],
        ['validate fails', () => this.#answerCheck(any(checks, pick), 'throws')],
      )
    }
    if (live.size > 0) enabled.push(['break a resource', () => void (any(live, pick).good = false)])
    if (pick % 40 === 0) enabled.push(['close', () => this.#close()])

    const [kind, operation] = enabled[choice % enabled.length]!
    kinds[kind] = (kinds[kind] ?? 0) + 1
    await operation()
    await settle()
    this.#check()
  }

  async finish(): Promise<void> {
    // Whatever the holders do not return is what close() has to name.
    const kept = [...this.leases.keys()].map(({ id }) => id)
    const isFirst = !this.closing
    this.#close()
    await settle()
    await advance(this.setup.deadlineMs + 1)
    await advance(1_000)
    if (this.report === undefined) throw new Error('close() has not settled')
    if (isFirst) expect(this.report.leaked.map(({ id }) => id)).toEqual(kept)
    for (const opening of this.openings) this.#answerOpening(opening, true)
    for (const check of this.checks) this.#answerCheck(check, 'good')
    await settle()
    expect(this.violations).toEqual([])
    expect(this.waiting).toEqual([])
    expect(this.live.size).toBe(0)
    expect(this.pool.stats).toMatchObject({ size: 0, idle: 0, inUse: 0, waiting: 0 })
    // A lease that was taken back may be returned without an error, which a `finally` would swap in.
    for (const lease of this.leases.keys()) lease.release()
    await expect(this.pool.acquire()).rejects.toBeInstanceOf(PoolClosedError)
    expect(this.pool.tryAcquire()).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  }

  #check(): void {
    const { max, maxWaiters } = this.setup
    const stats = this.pool.stats
    const waiting = this.waiting
    const opening = [...this.openings].filter(({ signal }) => !signal.aborted).length

    expect(this.violations).toEqual([])
    expect(stats.size + opening).toBeLessThanOrEqual(max)
    expect(stats.size).toBe(this.live.size)
    expect(stats.idle + stats.inUse).toBe(stats.size)
    if (!this.closing) expect(stats.inUse).toBe(this.leases.size + this.checks.size)
    expect(stats.waiting).toBe(waiting.length)
    expect(stats.waiting).toBeLessThanOrEqual(maxWaiters + max)

    expect(stats.acquired).toBe(this.leasesGiven)
    expect(stats.waited).toBeLessThanOrEqual(stats.acquired)
    expect(stats.timedOut).toBe(
      this.callers.filter(({ outcome }) => outcome === 'timed out').length,
    )
    const { expired = 0, idle = 0, invalid = 0, late = 0, broken = 0 } = this.reasons
    expect(stats.closedExpired).toBe(expired)
    expect(stats.closedIdle).toBe(idle)
    expect(stats.closedBroken).toBe(invalid + late + broken)

    // First come, first served: leases were numbered in the order of the calls, and nobody was overtaken.
    expect(this.served).toEqual(this.served.toSorted((a, b) => a - b))
    const last = this.served.at(-1) ?? -1
    expect(waiting.filter(({ number }) => number < last)).toEqual([])

    // Nobody waits while something could be done about it.
    const unattended = waiting.length - this.checks.size
    expect(Math.min(stats.idle, unattended)).toBeLessThanOrEqual(0)
    const room = max - stats.size - opening
    const isBackingOff = performance.now() - this.lastFailureMs < longestBackoffMs
    if (!isBackingOff) expect(Math.min(room, unattended - opening)).toBeLessThanOrEqual(0)
    expect(this.leaks.recovered).toBeLessThanOrEqual(this.leaks.leaked)
  }

  #acquire(): void {
    const controller = new AbortController()
    const caller: Caller = { number: this.callers.length, controller, outcome: 'waiting' }
    this.callers.push(caller)
    this.pool.acquire({ signal: controller.signal, purpose: `caller ${caller.number}` }).then(
      (lease) => {
        caller.outcome = 'served'
        this.served[lease.id - 1] = caller.number
        this.#hold(lease)
      },
      (error: unknown) => {
        caller.outcome = outcomeOf(error)
      },
    )
  }

  #tryAcquire(): void {
    const lease = this.pool.tryAcquire()
    if (lease === undefined) return
    expect(this.waiting).toEqual([])
    const caller: Caller = {
      number: this.callers.length,
      controller: new AbortController(),
      outcome: 'served',
    }
    this.callers.push(caller)
    this.served[lease.id - 1] = caller.number
    this.#hold(lease)
  }

  #hold(lease: Lease<Resource>): void {
    const { resource } = lease
    this.leasesGiven += 1
    this.#must(!resource.leased, 'a resource has one holder')
    this.#must(this.live.has(resource), 'a resource that is given was not destroyed')
    const wasChecked = this.setup.validate === 'now' && resource.leases > 0
    this.#must(!wasChecked || resource.good, 'a resource that fails validation is not given')
    resource.leased = true
    resource.leases += 1
    this.leases.set(lease, resource)
    lease.note(`select ${lease.id}`)
  }

  #release(lease: Lease<Resource>): void {
    this.#letGo(lease)
    lease.release()
  }

  #discard(lease: Lease<Resource>): void {
    this.#letGo(lease)
    this.pool.destroy(lease, 'broken')
  }

  #letGo(lease: Lease<Resource>): void {
    this.leases.get(lease)!.leased = false
    this.leases.delete(lease)
  }

  #create(signal: AbortSignal): Promise<Resource> {
    return new Promise((resolve, reject) => {
      this.openings.add({ signal, succeed: resolve, fail: reject })
      signal.addEventListener('abort', () => {
        // A create that outlasts its time counts as a failed one.
        this.lastFailureMs = performance.now()
      })
    })
  }

  #answerOpening(opening: Opening, succeeds: boolean): void {
    this.openings.delete(opening)
    if (succeeds) {
      const resource = { number: (this.resources += 1), good: true, leased: false, leases: 0 }
      this.live.add(resource)
      opening.succeed(resource)
    } else {
      this.lastFailureMs = performance.now()
      opening.fail(new Error('cannot open'))
    }
  }

  #validate(resource: Resource): boolean | Promise<boolean> {
    this.#must(!resource.leased, 'only what nobody holds is checked')
    const isAnswered =
      this.setup.validate === 'now' ||
      (this.setup.validate === 'either' && resource.leases % 2 === 0)
    if (isAnswered) return resource.good
    return new Promise((resolve, reject) => {
      this.checks.add({ resource, answer: resolve, fail: reject })
    })
  }

  #answerCheck(check: Check, answer: 'good' | 'bad' | 'throws'): void {
    this.checks.delete(check)
    if (answer === 'throws') check.fail(new Error('cannot check'))
    else check.answer(answer === 'good')
  }

  #destroy(resource: Resource, reason: string): void | Promise<void> {
    this.#must(this.live.delete(resource), 'a resource is destroyed once')
    this.#must(!resource.leased || reason === 'leaked', 'a resource in use is not destroyed')
    this.reasons[reason] = (this.reasons[reason] ?? 0) + 1
    for (const check of this.checks) if (check.resource === resource) this.checks.delete(check)
    if (this.setup.destroy === 'throws') throw new Error('cannot close')
    if (this.setup.destroy === 'later') return Promise.resolve()
    if (this.setup.destroy === 'rejects') return Promise.reject(new Error('cannot close'))
    if (this.setup.destroy === 'hangs') return new Promise(() => {})
  }

  #must(condition: boolean, rule: string): void {
    if (!condition) this.violations.push(rule)
  }

  #close(): void {
    this.closing = true
    const closing = this.pool.close({ deadlineMs: this.setup.deadlineMs })
    expect(this.pool.close()).toBe(closing)
    void closing.then((report) => {
      this.report = report
    })
  }
}

function outcomeOf(error: unknown): Caller['outcome'] {
  if (error instanceof PoolQueueFullError) return 'refused'
  if (error instanceof PoolClosedError) return 'closed'
  // A create that gave no answer has the same class.
  if (error instanceof PoolAcquireTimeoutError)
    return error.message.includes('(acquireTimeoutMs)') ? 'timed out' : 'failed'
  return error instanceof Error && error.message === 'aborted' ? 'aborted' : 'failed'
}

function any<V>(values: Iterable<V>, pick: number): V {
  const list = [...values]
  return list[pick % list.length]!
}

async function advance(timeMs: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(timeMs)
}

/** setImmediate is real: all that is due without a timer has run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
