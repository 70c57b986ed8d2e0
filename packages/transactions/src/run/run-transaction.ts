/** Over 300 lines, being one subject: the way of one call of `transaction()`, by what is asked for and what is open. */
import {
  attachSuppressed,
  describeValue,
  SavepointsNotSupportedError,
  started,
} from '@keelson/core'
import type { TransactionDatabase } from '../database.ts'
import {
  AfterCommitError,
  TransactionAcquireTimeoutError,
  TransactionOptionsError,
  TransactionPropagationError,
} from '../errors.ts'
import {
  checkInnerOptions,
  checkOptions,
  definedOptions,
  noOptions,
  type Policy,
  type Propagation,
  type TransactionOptions,
} from '../options.ts'
import { type Hook, runHooks } from '../scope/hooks.ts'
import type { Line } from '../scope/line.ts'
import { pickScope } from '../scope/pick-scope.ts'
import { Root } from '../scope/root.ts'
import { Scope } from '../scope/scope.ts'
import { decides } from './decides.ts'
import { Interruption } from './interruption.ts'
import { mayBeCommitted, retrying } from './retry.ts'
import {
  neverAborted,
  scopeInfo,
  type TransactionScope,
  withoutTransaction,
} from './transaction-scope.ts'

/** What an ORM gives `runTransaction()` to work with. */
export interface Host<Tx> {
  readonly database: TransactionDatabase
  readonly defaults: TransactionOptions
  readonly supportsSavepoints: boolean
  /** The scope of the handle that the user gave, where that is one of a transaction. */
  readonly handleScope: Scope | undefined
  /** Gets a connection for a new root transaction, and gives it back when `use` has settled. */
  withLine<R>(options: AcquireOptions, use: (line: Line) => Promise<R>): Promise<R>
  /** The handle for the callback. */
  handle(scope: Scope): Tx
  /** What stands for the handle where there is no transaction. */
  readonly plainHandle: Tx
}

/** How to get a connection. */
export interface AcquireOptions {
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal | undefined
}

export type Callback<Tx, R> = (tx: Tx, scope: TransactionScope) => Promise<R>

/**
 * The algorithm behind `transaction()`, the same for every ORM and engine.
 *
 * @param begun where it was called
 */
export async function runTransaction<Tx, R>(
  host: Host<Tx>,
  fn: Callback<Tx, R>,
  begun: Error,
  given: TransactionOptions<R> = noOptions,
): Promise<R> {
  if (typeof fn !== 'function') {
    throw new TransactionOptionsError(
      'fn',
      `transaction() cannot run ${describeValue(fn)}. It takes an async function.`,
    )
  }
  if (given !== noOptions) checkOptions(given)
  const options: TransactionOptions<R> =
    given === noOptions ? host.defaults : { ...host.defaults, ...definedOptions(given) }
  const current = currentScope(host)
  const propagation = options.propagation ?? 'nested'
  switch (current === undefined ? outside[propagation] : inside[propagation]) {
    case 'begin':
      return runRoot(host, fn, begun, options, false)
    case 'nest':
      return runNested(host, current!, fn, begun, given, options)
    case 'join':
      return runJoined(host, current!, fn, begun, given)
    case 'leave':
      return host.database.leave(() => runWithout(host, fn))
    case 'refuse':
      throw new TransactionPropagationError(
        current === undefined
          ? "propagation: 'mandatory' needs an open transaction, and there is none. Call it inside transaction(db, fn)."
          : "propagation: 'never' forbids an open transaction, and there is one. Call it outside, or with outside(db, fn).",
      )
  }
}

/** Runs the callback in no transaction. Its hooks run at once, and are waited for. */
async function runWithout<Tx, R>(host: Host<Tx>, fn: Callback<Tx, R>): Promise<R> {
  const running: Promise<unknown>[] = []
  const atOnce = (hook: Hook): void => {
    const outcome = started(hook())
    if (!(outcome instanceof Promise)) return
    outcome.catch(() => {})
    running.push(outcome)
  }
  const failures = async (): Promise<unknown[]> => runHooks(running.map((each) => () => each))
  let result: R
  try {
    result = await fn(host.plainHandle, withoutTransaction(atOnce))
  } catch (error) {
    for (const each of await failures()) attachSuppressed(error, each)
    throw error
  }
  const [first, ...others] = (await failures()).map((error) => ({ error }))
  if (first === undefined) return result
  for (const { error } of others) attachSuppressed(first.error, error)
  throw first.error
}

type Action = 'begin' | 'nest' | 'join' | 'leave' | 'refuse'

const inside: Readonly<Record<Propagation, Action>> = {
  nested: 'nest',
  required: 'join',
  requiresNew: 'begin',
  supports: 'join',
  mandatory: 'join',
  notSupported: 'leave',
  never: 'refuse',
}

const outside: Readonly<Record<Propagation, Action>> = {
  nested: 'begin',
  required: 'begin',
  requiresNew: 'begin',
  supports: 'leave',
  mandatory: 'refuse',
  notSupported: 'leave',
  never: 'leave',
}

/** The scope that a call belongs to: that of its async context; without one, that of the handle it was given. */
export function currentScope(host: Host<unknown>): Scope | undefined {
  const context = host.database.context.getStore()
  const { handleScope } = host
  if (handleScope === undefined) return context?.scope
  return pickScope(handleScope, context?.scope)
}

/** Runs a transaction of its own, as often as `retry` says. */
export function runRoot<Tx, R>(
  host: Host<Tx>,
  fn: Callback<Tx, R>,
  begun: Error,
  options: TransactionOptions<R>,
  isTest: boolean,
): Promise<R> {
  const since = performance.now()
  const { database } = host
  const { retry, signal } = options
  const { transaction: around, acquire } = policies(options.policy)
  signal?.throwIfAborted()
  const once = (attempt: number, policySignal: AbortSignal | undefined): Promise<R> =>
    database.leave(() =>
      runOnce(host, fn, options, { attempt, begun, since, policySignal, acquire, isTest }),
    )
  const attempts = (policySignal?: AbortSignal): Promise<R> =>
    retry === undefined
      ? once(1, policySignal)
      : retrying(retry, signal, (attempt) => once(attempt, policySignal))
  return around === undefined ? attempts() : runAround(around, signal, attempts)
}

/** What was committed, or may have been, is not for a policy to run again. */
async function runAround<R>(
  policy: Policy,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal | undefined) => Promise<R>,
): Promise<R> {
  let final: { readonly error: unknown } | undefined
  const result = await policy.execute(async (context) => {
    if (final !== undefined) return undefined as R
    try {
      return await run(context?.signal)
    } catch (error) {
      if (!mayBeCommitted(error)) throw error
      final = { error }
      return undefined as R
    }
  }, signal ?? neverAborted)
  if (final !== undefined) throw final.error
  return result
}

interface Attempt {
  readonly attempt: number
  readonly begun: Error
  readonly since: number
  readonly policySignal: AbortSignal | undefined
  readonly acquire: Policy | undefined
  readonly isTest: boolean
}

async function runOnce<Tx, R>(
  host: Host<Tx>,
  fn: Callback<Tx, R>,
  options: TransactionOptions<R>,
  { attempt, begun, since, policySignal, acquire, isTest }: Attempt,
): Promise<R> {
  const { database } = host
  const signal = either(options.signal, policySignal)
  // What is inside a test has limits of its own.
  const interruption = new Interruption(isTest ? undefined : options.timeoutMs, signal, since)
  let hooks: readonly Hook[] = []
  const run = async (line: Line): Promise<R> => {
    const root = new Root(database, line, options, isTest)
    const scope = await Scope.begin(root, begun)
    if (isTest) return runTest(host, scope, fn)
    const [result, afterCommit] = await runScope(host, scope, fn, options, interruption, attempt)
    hooks = afterCommit
    return result
  }
  let result: R
  try {
    result = await acquiring(acquire, interruption.abortSignal, (acquireSignal, acquired) =>
      host.withLine({ timeoutMs: options.acquireTimeoutMs, signal: acquireSignal }, (line) =>
        acquired(() => run(line)),
      ),
    )
  } catch (error) {
    // Whatever gave up because of it says so in its own words.
    throw interruption.happened === undefined ? error : interruption.happened.error
  } finally {
    interruption.end()
  }
  if (hooks.length === 0) return result
  const errors = await runHooks(hooks)
  if (errors.length > 0) throw new AfterCommitError(errors, result, begun)
  return result
}

/** Has the policy see how the connection was got, and nothing of what is done on it. */
function acquiring<R>(
  policy: Policy | undefined,
  signal: AbortSignal | undefined,
  use: (
    signal: AbortSignal | undefined,
    acquired: (run: () => Promise<R>) => Promise<R>,
  ) => Promise<R>,
): Promise<R> {
  return policy === undefined ? use(signal, (run) => run()) : acquiringBy(policy, signal, use)
}

async function acquiringBy<R>(
  policy: Policy,
  signal: AbortSignal | undefined,
  use: (
    signal: AbortSignal | undefined,
    acquired: (run: () => Promise<R>) => Promise<R>,
  ) => Promise<R>,
): Promise<R> {
  let latest = 0
  try {
    const settled = await policy.execute((context) => {
      const attempt = ++latest
      return new Promise<{ readonly outcome: Promise<R> }>((resolve, reject) => {
        const outcome: Promise<R> = use(either(signal, context?.signal), (run) => {
          if (attempt !== latest) return Promise.reject(tooLateError())
          // From here on it is the transaction's own failure.
          resolve({ outcome })
          return run()
        })
        outcome.catch(reject)
      })
    }, signal ?? neverAborted)
    return await settled.outcome
  } catch (error) {
    latest++
    throw error
  }
}

function tooLateError(): TransactionAcquireTimeoutError {
  return new TransactionAcquireTimeoutError(
    'The connection came when the policy around getting it had given up. Nothing was begun.',
  )
}

async function runNested<Tx, R>(
  host: Host<Tx>,
  parent: Scope,
  fn: Callback<Tx, R>,
  begun: Error,
  given: TransactionOptions<R>,
  options: TransactionOptions<R>,
): Promise<R> {
  const { root } = parent
  // The transactions of a test are what they would be outside it.
  const isTop = root.isTest && parent.depth === 0
  if (given.durable === true && !isTop) throw durableError()
  checkInnerOptions(isTop ? ofTestTransaction(given) : given, root.options)
  if (!host.supportsSavepoints) throw savepointsError()
  const since = performance.now()
  const attempt = async (number: number): Promise<R> => {
    const interruption = new Interruption(options.timeoutMs, options.signal, since)
    let hooks: readonly Hook[] = []
    let result: R
    try {
      const scope = await parent.nest(begun, options.waitTimeoutMs, interruption.abortSignal)
      ;[result, hooks] = await runScope(host, scope, fn, options, interruption, number)
    } finally {
      interruption.end()
    }
    if (hooks.length === 0) return result
    const errors = await host.database.within(parent, () => runHooks(hooks))
    if (errors.length > 0) throw new AfterCommitError(errors, result, begun)
    return result
  }
  return isTop && options.retry !== undefined
    ? retrying(options.retry, options.signal, attempt)
    : attempt(1)
}

function ofTestTransaction<R>(given: TransactionOptions<R>): TransactionOptions<R> {
  return { ...given, retry: undefined, policy: undefined, acquireTimeoutMs: undefined }
}

/** Runs the callback in a scope and ends the scope. */
async function runScope<Tx, R>(
  host: Host<Tx>,
  scope: Scope,
  fn: Callback<Tx, R>,
  { commitIf }: TransactionOptions<R>,
  interruption: Interruption,
  attempt: number,
): Promise<[R, readonly Hook[]]> {
  let result: R
  let keeps = true
  try {
    result = await interruption.during(scope, () =>
      host.database.within(scope, async () => fn(host.handle(scope), scopeInfo(scope, attempt))),
    )
    if (commitIf !== undefined) keeps = decides(commitIf, result)
    if (keeps && scope.isOpen && scope.hasLastHooks)
      await interruption.during(scope, () => scope.runBeforeCommit())
  } catch (error) {
    // After an interruption the callback's own error is a consequence of it.
    const thrown = interruption.happened === undefined ? error : interruption.happened.error
    interruption.end()
    await scope.rollback(thrown)
    throw thrown
  }
  if (!keeps) {
    interruption.end()
    await scope.rollback()
    return [result, []]
  }
  try {
    return [result, await scope.commit(interruption)]
  } catch (error) {
    throw interruption.happened === undefined ? error : interruption.happened.error
  }
}

async function runJoined<Tx, R>(
  host: Host<Tx>,
  scope: Scope,
  fn: Callback<Tx, R>,
  begun: Error,
  given: TransactionOptions<R>,
): Promise<R> {
  if (given.durable === true) throw durableError()
  checkInnerOptions(given, scope.root.options)
  const leave = scope.join(begun)
  const interruption = new Interruption(given.timeoutMs, given.signal, performance.now())
  try {
    const result = await interruption.during(scope, () =>
      host.database.within(scope, async () => fn(host.handle(scope), scopeInfo(scope))),
    )
    if (given.commitIf !== undefined && !decides(given.commitIf, result))
      scope.markRollbackOnly(new Error('commitIf of a part that had joined returned false'))
    return result
  } catch (error) {
    scope.markRollbackOnly(error)
    throw error
  } finally {
    interruption.end()
    leave()
  }
}

/** Runs a test's callback, whose own statements and transactions are all undone. */
async function runTest<Tx, R>(host: Host<Tx>, scope: Scope, fn: Callback<Tx, R>): Promise<R> {
  try {
    const result = await host.database.within(scope, async () =>
      fn(host.handle(scope), scopeInfo(scope)),
    )
    await scope.finish()
    await scope.root.line.checkDeferred()
    return result
  } catch (error) {
    await scope.rollback(error)
    throw error
  } finally {
    await scope.rollback()
  }
}

function policies(policy: TransactionOptions['policy']): {
  readonly transaction?: Policy | undefined
  readonly acquire?: Policy | undefined
} {
  if (policy === undefined) return {}
  return 'execute' in policy ? { transaction: policy } : policy
}

function either(
  one: AbortSignal | undefined,
  other: AbortSignal | undefined,
): AbortSignal | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return AbortSignal.any([one, other])
}

function durableError(): TransactionPropagationError {
  return new TransactionPropagationError(
    'durable: true must be the outermost transaction, whose success is its commit, and there is one around it. ' +
      'Call it outside, or leave `durable` out. Nothing was sent.',
  )
}

function savepointsError(): SavepointsNotSupportedError {
  return new SavepointsNotSupportedError(
    'Cannot begin a transaction inside a transaction: DuckDB has no savepoints, so no part of a transaction can be ' +
      "undone. Let it join instead, with { propagation: 'required' }, where a failure dooms the whole; or make that the " +
      "default: withTransactions(..., { defaults: { propagation: 'required' } }). Nothing was sent, and the transaction " +
      'can go on.',
  )
}
