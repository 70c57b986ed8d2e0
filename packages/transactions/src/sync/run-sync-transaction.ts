import { describeValue } from '@keelson/core'
import {
  AfterCommitError,
  AsyncCallbackError,
  TransactionDeadlockError,
  TransactionOptionsError,
  TransactionPropagationError,
} from '../errors.ts'
import {
  checkInnerOptions,
  checkOptions,
  definedOptions,
  noOptions,
  type TransactionOptions,
} from '../options.ts'
import type { Hook } from '../scope/hooks.ts'
import { refuseThenable, runSyncHook, runSyncHooks } from './run-sync-hooks.ts'
import { decides } from '../run/decides.ts'
import { withoutTransaction } from '../run/transaction-scope.ts'
import type { SyncDatabase } from './sync-database.ts'
import type { SyncLine } from './sync-line.ts'
import { SyncScope } from './sync-scope.ts'
import { syncScopeInfo, type SyncTransactionScope } from './sync-transaction-scope.ts'

/** How a transaction of a synchronous database runs: what waits, or runs again later, it cannot have. */
export type SyncTransactionOptions<R = any> = Pick<
  TransactionOptions<R>,
  'propagation' | 'isolationLevel' | 'accessMode' | 'behavior' | 'durable' | 'commitIf'
>

/** What an ORM gives `runSyncTransaction()` to work with. */
export interface SyncHost<Tx> {
  readonly database: SyncDatabase
  readonly defaults: TransactionOptions
  readonly handleScope: SyncScope | undefined
  line(): SyncLine
  handle(scope: SyncScope): Tx
  readonly plainHandle: Tx
}

export type SyncCallback<Tx, R> = (tx: Tx, scope: SyncTransactionScope) => R

/**
 * The algorithm behind `transaction()` on a database whose statements run at once.
 *
 * @param begun where it was called
 */
export function runSyncTransaction<Tx, R>(
  host: SyncHost<Tx>,
  fn: SyncCallback<Tx, R>,
  begun: Error,
  given: TransactionOptions<R> = noOptions,
): R {
  checkCallback(fn)
  let asked = given
  let options: TransactionOptions<R> = host.defaults
  if (given !== noOptions) {
    checkOptions(given)
    refuseWaiting(given)
    asked = definedOptions(given)
    options = { ...host.defaults, ...asked }
  }
  const current = host.database.scopeFor(host.handleScope)
  return current === undefined
    ? runOutermost(host, fn, begun, options)
    : runInside(host, fn, begun, asked, options, current)
}

function runOutermost<Tx, R>(
  host: SyncHost<Tx>,
  fn: SyncCallback<Tx, R>,
  begun: Error,
  options: TransactionOptions<R>,
): R {
  switch (options.propagation) {
    case 'mandatory':
      throw new TransactionPropagationError(
        "propagation: 'mandatory' needs an open transaction, and there is none. Call it inside transaction(db, fn).",
      )
    case 'supports':
    case 'notSupported':
    case 'never':
      return runPlain(host, fn)
    default:
      return runSyncRoot(host, fn, begun, options, false)
  }
}

function runInside<Tx, R>(
  host: SyncHost<Tx>,
  fn: SyncCallback<Tx, R>,
  begun: Error,
  given: TransactionOptions<R>,
  { propagation = 'nested' }: TransactionOptions<R>,
  current: SyncScope,
): R {
  switch (propagation) {
    case 'requiresNew':
      throw new TransactionDeadlockError(
        'Cannot begin another transaction (requiresNew) while the one around it is open: this driver has one connection. ' +
          'Make it a savepoint (nested), or run it after the commit with afterCommit(). Nothing was sent.',
      )
    case 'notSupported':
      return runPlain(host, fn)
    case 'never':
      throw new TransactionPropagationError(
        "propagation: 'never' forbids an open transaction, and there is one. Call it outside, or with outside(db, fn).",
      )
  }
  const { root } = current
  const isTop = root.isTest && current.depth === 0
  const isNested = propagation === 'nested'
  if (given.durable === true && !(isTop && isNested)) {
    throw new TransactionPropagationError(
      'durable: true must be the outermost transaction, whose success is its commit, and there is one around it. ' +
        'Call it outside, or leave `durable` out. Nothing was sent.',
    )
  }
  checkInnerOptions(given, root.options)
  if (!isNested) return runJoined(host, fn, given, current)
  const [result, hooks] = runInScope(host, fn, given, current.nest(begun))
  if (hooks.length === 0) return result
  const errors = host.database.within(current, () => runSyncHooks(hooks))
  if (errors.length > 0) throw new AfterCommitError(errors, result, begun)
  return result
}

/** @param isTest whether everything is rolled back in the end */
export function runSyncRoot<Tx, R>(
  host: SyncHost<Tx>,
  fn: SyncCallback<Tx, R>,
  begun: Error,
  options: TransactionOptions<R>,
  isTest: boolean,
): R {
  checkCallback(fn)
  const { database } = host
  database.refuseBeside('a transaction')
  const scope = SyncScope.begin(
    {
      database,
      line: host.line(),
      options,
      isTest,
      savepoints: 0,
      lost: undefined,
      doomed: undefined,
    },
    begun,
  )
  if (isTest) return runTest(host, fn, scope)
  const [result, hooks] = runInScope(host, fn, options, scope)
  if (hooks.length === 0) return result
  const errors = database.leave(() => runSyncHooks(hooks))
  if (errors.length > 0) throw new AfterCommitError(errors, result, begun)
  return result
}

function runInScope<Tx, R>(
  host: SyncHost<Tx>,
  fn: SyncCallback<Tx, R>,
  { commitIf }: TransactionOptions<R>,
  scope: SyncScope,
): [R, readonly Hook[]] {
  let result: R
  let keeps = true
  try {
    result = call(host, fn, scope)
    if (commitIf !== undefined) keeps = decides(commitIf, result)
  } catch (error) {
    scope.rollback(error)
    throw error
  }
  if (keeps) return [result, scope.commit()]
  scope.rollback()
  return [result, []]
}

function runJoined<Tx, R>(
  host: SyncHost<Tx>,
  fn: SyncCallback<Tx, R>,
  { commitIf }: TransactionOptions<R>,
  scope: SyncScope,
): R {
  scope.assertUsable('a transaction that joins it')
  try {
    const result = call(host, fn, scope)
    if (commitIf !== undefined && !decides(commitIf, result))
      scope.markRollbackOnly(new Error('commitIf of a part that had joined returned false'))
    return result
  } catch (error) {
    scope.markRollbackOnly(error)
    throw error
  }
}

function runTest<Tx, R>(host: SyncHost<Tx>, fn: SyncCallback<Tx, R>, scope: SyncScope): R {
  try {
    const result = call(host, fn, scope)
    scope.root.line.checkDeferred()
    return result
  } catch (error) {
    scope.rollback(error)
    throw error
  } finally {
    scope.rollback()
  }
}

function runPlain<Tx, R>(host: SyncHost<Tx>, fn: SyncCallback<Tx, R>): R {
  return host.database.leave(() => fn(host.plainHandle, withoutTransaction(runSyncHook)))
}

function call<Tx, R>(host: SyncHost<Tx>, fn: SyncCallback<Tx, R>, scope: SyncScope): R {
  const result = host.database.within(scope, () => fn(host.handle(scope), syncScopeInfo(scope)))
  refuseThenable(result, 'The callback of transaction()')
  return result
}

/** An async function would be let run up to its first `await` before it shows what it is. */
function checkCallback(fn: unknown): void {
  if (typeof fn !== 'function') {
    throw new TransactionOptionsError(
      'fn',
      `transaction() cannot run ${describeValue(fn)}. On this database it takes a function that is not async.`,
    )
  }
  if (!/^\[object Async(Generator)?Function\]$/.test(Object.prototype.toString.call(fn))) return
  throw new AsyncCallbackError(
    'transaction() cannot run an async function on this database: its driver runs every statement at once, and the ' +
      'transaction would end at the first `await`. Leave `async` out, or use @keelson/sqlite/drizzle, whose transactions ' +
      'take async functions. Nothing was sent.',
  )
}

const waiting = [
  'timeoutMs',
  'acquireTimeoutMs',
  'waitTimeoutMs',
  'signal',
  'retry',
  'policy',
] as const

/** @throws {TransactionOptionsError} for what would need time to pass */
export function refuseWaiting(options: TransactionOptions, where = 'transaction()'): void {
  for (const name of waiting) {
    if (options[name] === undefined) continue
    throw new TransactionOptionsError(
      name,
      `${where} cannot have \`${name}\` on a synchronous database: nothing else runs, no time limit and no signal, until ` +
        'the callback has returned. Leave it out, or use @keelson/sqlite/drizzle. Nothing was sent.',
    )
  }
}
