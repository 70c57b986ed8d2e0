import type { PoolEvent } from '../events/pool-event.ts'
import { checkOptionNames, invalidOption } from '../options.ts'
import type { LeakReport } from './leak-watch.ts'

/** What `create` is told. */
export interface CreateContext {
  /** Name of the pool. */
  readonly pool: string
  /** Number of the resource in its pool, starting at 1. */
  readonly id: number
  /** Aborted when nobody can use the resource any more: after `createTimeoutMs`, or when the pool closes. */
  readonly signal: AbortSignal
}

/**
 * Why a resource is closed. `invalid`: `validate` refused it; `expired`: `maxLifetimeMs`; `idle`: `idleTimeoutMs`;
 * `late`: it was opened after `createTimeoutMs`; `closed`: the pool closes; `leaked`: the pool closes and the lease was
 * not returned in time. Any other text is what the lease's holder gave to `destroy`.
 */
export type PoolDestroyReason =
  | 'invalid'
  | 'expired'
  | 'idle'
  | 'late'
  | 'closed'
  | 'leaked'
  | (string & {})

/** Options of `new Pool()`. Every duration is in milliseconds, more than 0 and at most 2,147,483,647. */
export interface PoolOptions<T> {
  /** What errors, events and reports call the pool. */
  readonly name: string
  /**
   * Opens a resource. Runs in the async context in which the pool was made, so that a long-lived resource is never
   * tied to the request that happened to need it first.
   */
  readonly create: (context: CreateContext) => T | Promise<T>
  /**
   * Closes a resource. The pool does not wait for it, except in `close()`, and has given up the resource already; an
   * error is reported by `onEvent` and by the report of `close()`.
   */
  readonly destroy: (resource: T, reason: PoolDestroyReason) => void | Promise<void>
  /**
   * Whether an idle resource is still good, asked each time before it is leased again. `false`, or an error, closes
   * the resource, and the caller gets another one. No answer within `acquireTimeoutMs` counts as `false`.
   *
   * @default every resource is good
   */
  readonly validate?: ((resource: T) => boolean | Promise<boolean>) | undefined
  /** Resources the pool may have, those being opened included. */
  readonly max: number
  /**
   * Idle resources to keep ready. They are opened in the background from the first acquire on, and `idleTimeoutMs`
   * leaves that many alone.
   *
   * @default 0
   */
  readonly minIdle?: number | undefined
  /**
   * Callers that may wait for somebody else's lease; further ones are refused at once with `PoolQueueFullError`.
   * Callers that wait only for a resource to open do not count.
   *
   * @default Infinity
   */
  readonly maxWaiters?: number | undefined
  /**
   * How long a caller waits, in milliseconds, before it gets `PoolAcquireTimeoutError`.
   *
   * @default 30_000
   */
  readonly acquireTimeoutMs?: number | undefined
  /**
   * How long `create` may take, in milliseconds. Its `signal` is aborted then, and what it gives later is destroyed.
   *
   * @default 30_000
   */
  readonly createTimeoutMs?: number | undefined
  /**
   * After how many milliseconds without use a resource is closed; `Infinity` keeps it.
   *
   * @default 30_000
   */
  readonly idleTimeoutMs?: number | undefined
  /**
   * After how many milliseconds a resource is replaced, give or take 20 % so that resources opened together do not
   * expire together. A resource in use is replaced when it comes back.
   *
   * @default no limit
   */
  readonly maxLifetimeMs?: number | undefined
  /**
   * After how many milliseconds a lease that was not returned is reported. Turns on the capture of a stack trace at
   * each acquire, which costs some microseconds.
   *
   * @default off
   */
  readonly leakAfterMs?: number | undefined
  /**
   * Receives a leak once, and again should the lease come back.
   *
   * @default a process warning (`POOL_LEASE_LEAKED`)
   */
  readonly onLeak?: ((report: LeakReport) => void) | undefined
  /** Receives what happens in the pool. Called synchronously; what it throws is ignored after one process warning. */
  readonly onEvent?: ((event: PoolEvent) => void) | undefined
}

/** Options of `acquire` and `use`. */
export interface AcquireOptions {
  /** Ends the wait; the acquire then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** What the resource is needed for, in a few words, for reports, errors and events. */
  readonly purpose?: string | undefined
}

/** `PoolOptions` with every default filled in. */
export interface PoolSettings<T> {
  readonly name: string
  readonly create: PoolOptions<T>['create']
  readonly destroy: PoolOptions<T>['destroy']
  readonly validate: PoolOptions<T>['validate']
  readonly max: number
  readonly minIdle: number
  readonly maxWaiters: number
  readonly acquireTimeoutMs: number
  readonly createTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number | undefined
  readonly leakAfterMs: number | undefined
  readonly onLeak: PoolOptions<T>['onLeak']
  readonly onEvent: PoolOptions<T>['onEvent']
}

const where = 'new Pool()'

/** setTimeout takes no longer delay: it would fire at once. */
const maxDelayMs = 2_147_483_647

const names: readonly (keyof PoolSettings<unknown>)[] = [
  'name',
  'create',
  'destroy',
  'validate',
  'max',
  'minIdle',
  'maxWaiters',
  'acquireTimeoutMs',
  'createTimeoutMs',
  'idleTimeoutMs',
  'maxLifetimeMs',
  'leakAfterMs',
  'onLeak',
  'onEvent',
]

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {OptionError} for a name that is not known and for a value that cannot be used
 */
export function poolSettings<T>(options: PoolOptions<T>): PoolSettings<T> {
  checkOptionNames(where, options, names)
  if (typeof options.name !== 'string' || options.name === '') {
    invalidOption(where, 'name', options.name, 'a text that is not empty')
  }
  const max = count('max', options.max, 1)
  const minIdle = count('minIdle', options.minIdle ?? 0, 0)
  if (minIdle > max)
    invalidOption(where, 'minIdle', minIdle, `a whole number from 0 to \`max\`, which is ${max}`)
  const maxWaiters = options.maxWaiters ?? Infinity
  return Object.freeze({
    name: options.name,
    create: func('create', options.create),
    destroy: func('destroy', options.destroy),
    validate: given(options.validate, (value) => func('validate', value)),
    max,
    minIdle,
    maxWaiters: maxWaiters === Infinity ? Infinity : count('maxWaiters', maxWaiters, 0),
    acquireTimeoutMs: duration('acquireTimeoutMs', options.acquireTimeoutMs ?? 30_000),
    createTimeoutMs: duration('createTimeoutMs', options.createTimeoutMs ?? 30_000),
    idleTimeoutMs:
      options.idleTimeoutMs === Infinity
        ? Infinity
        : duration('idleTimeoutMs', options.idleTimeoutMs ?? 30_000),
    maxLifetimeMs: given(options.maxLifetimeMs, (value) => duration('maxLifetimeMs', value)),
    leakAfterMs: given(options.leakAfterMs, (value) => duration('leakAfterMs', value)),
    onLeak: given(options.onLeak, (value) => func('onLeak', value)),
    onEvent: given(options.onEvent, (value) => func('onEvent', value)),
  })
}

function given<V>(value: V | undefined, check: (value: V) => V): V | undefined {
  return value === undefined ? undefined : check(value)
}

function count(option: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) {
    invalidOption(where, option, value, `a whole number of ${least} or more`)
  }
  return value
}

function duration(option: string, value: number): number {
  if (typeof value !== 'number' || !(value > 0) || value > maxDelayMs) {
    invalidOption(where, option, value, 'milliseconds, more than 0 and at most 2147483647')
  }
  return value
}

function func<F>(option: string, value: F): F {
  if (typeof value !== 'function') invalidOption(where, option, value, 'a function')
  return value
}
