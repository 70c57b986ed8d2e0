import { checkOptionNames, describeValue, OptionError } from '@keelson/core'
import { TransactionOptionsError } from './errors.ts'

/**
 * What `transaction()` does where a transaction is open already, and where none is.
 *
 * | | inside a transaction | outside |
 * | --- | --- | --- |
 * | `nested` | a savepoint | begins one |
 * | `required` | joins: a failure dooms the whole | begins one |
 * | `requiresNew` | another transaction on another connection | begins one |
 * | `supports` | joins | runs without one |
 * | `mandatory` | joins | throws |
 * | `notSupported` | runs outside of it | runs without one |
 * | `never` | throws | runs without one |
 */
export type Propagation =
  | 'nested'
  | 'required'
  | 'requiresNew'
  | 'supports'
  | 'mandatory'
  | 'notSupported'
  | 'never'

/** What runs a function under some policy: a retry, a circuit breaker. Shaped for cockatiel's `IPolicy`. */
export interface Policy {
  execute<R>(
    fn: (context?: { readonly signal: AbortSignal }) => PromiseLike<R> | R,
    signal?: AbortSignal,
  ): Promise<R>
}

/** How often, and for how long, a transaction that lost against another one is run again. */
export interface RetryOptions {
  /** How often the callback runs at most, the first time included. @default 3 */
  readonly attempts?: number | undefined
  /** No new attempt begins after so many milliseconds since the first. @default none */
  readonly deadlineMs?: number | undefined
  /** The longest pause before the second attempt, in milliseconds; it doubles each time, and is drawn at random. @default 10 */
  readonly minDelayMs?: number | undefined
  /** The longest pause of all, in milliseconds. @default 1000 */
  readonly maxDelayMs?: number | undefined
  /**
   * Which errors are worth another attempt.
   * @default `describeError(error).retryable`: serialization failures, deadlocks, a busy SQLite, conflicts of DuckDB
   */
  readonly when?: ((error: unknown) => boolean) | undefined
  /** Hears of each attempt that failed and is followed by another. */
  readonly onRetry?:
    | ((error: unknown, next: { readonly attempt: number; readonly delayMs: number }) => void)
    | undefined
}

/** How a transaction runs. Only `propagation`, `timeoutMs`, `waitTimeoutMs`, `signal` and `commitIf` concern a nested one. */
export interface TransactionOptions<R = any> {
  /** @default 'nested' */
  readonly propagation?: Propagation | undefined
  /** In SQL's words, for example `'serializable'`. A level the engine does not have is refused. @default the engine's */
  readonly isolationLevel?: string | undefined
  /** @default 'read write' */
  readonly accessMode?: 'read only' | 'read write' | undefined
  /** SQLite only: when the write lock is taken. @default 'immediate' */
  readonly behavior?: 'deferred' | 'immediate' | 'exclusive' | undefined
  /** Must be the outermost one; inside another transaction it throws. @default false */
  readonly durable?: boolean | undefined
  /** Rolls the transaction back after so many milliseconds. @default none */
  readonly timeoutMs?: number | undefined
  /** How long to wait for a connection, in milliseconds. @default the pool's own limit; 10,000 where there is one connection */
  readonly acquireTimeoutMs?: number | undefined
  /** How long one branch of the transaction may keep another waiting, in milliseconds. @default 10000 */
  readonly waitTimeoutMs?: number | undefined
  /** Rolls the transaction back when it is aborted; `transaction()` then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Runs the whole callback again when the transaction lost against another one. @default off */
  readonly retry?: number | RetryOptions | undefined
  /** Decides by what the callback returned whether to commit; if not, everything is rolled back and the result returned. */
  readonly commitIf?: ((result: R) => boolean) | undefined
  /** Around the whole root transaction, or, as `{ acquire }`, around getting its connection. */
  readonly policy?:
    | Policy
    | { readonly transaction?: Policy | undefined; readonly acquire?: Policy | undefined }
    | undefined
}

const names: readonly (keyof TransactionOptions)[] = [
  'propagation',
  'isolationLevel',
  'accessMode',
  'behavior',
  'durable',
  'timeoutMs',
  'acquireTimeoutMs',
  'waitTimeoutMs',
  'signal',
  'retry',
  'commitIf',
  'policy',
]

/** Options that say how a root begins or is run: a nested one has no part in that. */
const ofRoots = ['isolationLevel', 'accessMode', 'behavior'] as const
const aroundRoots = ['retry', 'policy', 'acquireTimeoutMs'] as const

const propagations = {
  nested: true,
  required: true,
  requiresNew: true,
  supports: true,
  mandatory: true,
  notSupported: true,
  never: true,
} satisfies Record<Propagation, true>

/**
 * Checks what the user gave, before anything is sent.
 *
 * @throws {TransactionOptionsError} naming the option
 */
export function checkOptions(options: TransactionOptions, where = 'transaction()'): void {
  if (typeof options !== 'object' || options === null)
    throw new TransactionOptionsError(
      'options',
      `${where} cannot use ${describeValue(options)} as its options. It takes an object.`,
    )
  try {
    checkOptionNames(where, options, names)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new TransactionOptionsError(error.option, error.message, { cause: error })
  }
  for (const [name, value] of Object.entries(options) as [keyof TransactionOptions, unknown][]) {
    const { isValid, expected } = checks[name]
    if (value === undefined || isValid(value)) continue
    throw new TransactionOptionsError(
      name,
      `${where} cannot use ${describeValue(value)} as \`${name}\`. It takes ${expected}.`,
    )
  }
}

/** Of a caller who gives none. */
export const noOptions: TransactionOptions = Object.freeze({})

/** What the caller left `undefined` keeps its default. */
export function definedOptions<R>(options: TransactionOptions<R>): TransactionOptions<R> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

const isDuration = (value: unknown): boolean =>
  typeof value === 'number' && value > 0 && value <= 0x7fffffff
const duration = 'a number of milliseconds above 0, at most 2147483647'
const isPolicy = (value: unknown): boolean =>
  typeof (value as Partial<Policy> | null)?.execute === 'function'
const oneOf = (...values: readonly string[]) => ({
  isValid: (value: unknown) => values.includes(value as string),
  expected: values.map((value) => `'${value}'`).join(', '),
})

interface Check {
  readonly isValid: (value: unknown) => boolean
  readonly expected: string
}

const checks: Readonly<Record<keyof TransactionOptions, Check>> = {
  propagation: oneOf(...Object.keys(propagations)),
  isolationLevel: {
    isValid: (value) => typeof value === 'string' && /^[a-z]+( [a-z]+)?$/i.test(value),
    expected: "the name of an isolation level, such as 'serializable'",
  },
  accessMode: oneOf('read only', 'read write'),
  behavior: oneOf('deferred', 'immediate', 'exclusive'),
  durable: { isValid: (value) => typeof value === 'boolean', expected: 'true or false' },
  timeoutMs: { isValid: isDuration, expected: duration },
  acquireTimeoutMs: { isValid: isDuration, expected: duration },
  waitTimeoutMs: { isValid: isDuration, expected: duration },
  signal: { isValid: (value) => value instanceof AbortSignal, expected: 'an AbortSignal' },
  retry: {
    isValid: (value) =>
      typeof value === 'number'
        ? Number.isSafeInteger(value) && value > 0
        : typeof value === 'object' && value !== null && isRetry(value as RetryOptions),
    expected:
      'how many attempts there may be, or { attempts, deadlineMs, minDelayMs, maxDelayMs, when, onRetry }',
  },
  commitIf: { isValid: (value) => typeof value === 'function', expected: 'a function' },
  policy: {
    isValid: (value) =>
      isPolicy(value) ||
      (typeof value === 'object' &&
        value !== null &&
        Object.keys(value).length > 0 &&
        Object.entries(value).every(
          ([name, each]) =>
            ['transaction', 'acquire'].includes(name) && (each === undefined || isPolicy(each)),
        )),
    expected: 'an object with execute(fn, signal), or { transaction, acquire } of such',
  },
}

function isRetry(retry: RetryOptions): boolean {
  const known = ['attempts', 'deadlineMs', 'minDelayMs', 'maxDelayMs', 'when', 'onRetry']
  const { attempts = 1, deadlineMs = 1, minDelayMs = 1, maxDelayMs = 1, when, onRetry } = retry
  return (
    Object.keys(retry).every((name) => known.includes(name)) &&
    Number.isSafeInteger(attempts) &&
    attempts > 0 &&
    [deadlineMs, minDelayMs, maxDelayMs].every(isDuration) &&
    [when, onRetry].every((each) => each === undefined || typeof each === 'function')
  )
}

/**
 * Refuses for a nested or joining transaction what only a root can do.
 *
 * @param given what the caller asked for, without the defaults
 * @param root what the open root was begun with
 * @throws {TransactionOptionsError} naming the option
 */
export function checkInnerOptions(given: TransactionOptions, root: TransactionOptions): void {
  for (const name of ofRoots) {
    if (given[name] === undefined || given[name] === (root[name] ?? implied[name])) continue
    throw new TransactionOptionsError(
      name,
      `A transaction inside another one cannot have \`${name}\` ${describeValue(given[name])}: it takes part in the ` +
        `outermost one, which ${root[name] === undefined ? `was begun without \`${name}\`` : `has ${describeValue(root[name])}`}. ` +
        'Give the option to the outermost transaction(). Nothing was sent.',
    )
  }
  for (const name of aroundRoots) {
    if (given[name] === undefined) continue
    throw new TransactionOptionsError(
      name,
      `A transaction inside another one cannot have \`${name}\`: only the outermost one can be run again as a whole, ` +
        'and has a connection to wait for. Give the option to the outermost transaction(). Nothing was sent.',
    )
  }
}

const implied = { isolationLevel: undefined, accessMode: 'read write', behavior: undefined }
