import { AsyncLocalStorage } from 'node:async_hooks'
import type { TransactionOptions } from './options.ts'
import type { Root } from './scope/root.ts'
import type { Scope } from './scope/scope.ts'
import { TurnQueue } from './scope/turn-queue.ts'

/**
 * Where an async call belongs. A host makes a new one for each connection that it lends, and sets `scope` when a
 * transaction begins on that connection: that is how a transaction which the ORM itself has begun becomes ambient.
 */
export interface Context {
  /** The scope that statements belong to; `undefined` outside a transaction. */
  scope: Scope | undefined
  /** The scope that was left by `outside()` or `requiresNew`. */
  readonly suspended: Scope | undefined
  /** Whatever the host keeps with it. */
  lease?: object | undefined
}

/** One database, whichever ORMs stand on it: who is in which transaction of it. */
export class TransactionDatabase {
  readonly context: AsyncLocalStorage<Context> = new AsyncLocalStorage()
  /** The transactions that are open. */
  readonly roots: Set<Root> = new Set()
  /** The transactions whose own code waits for a second connection, outside of them. */
  readonly waitingForSecond: Set<Root> = new Set()
  /** Where there is a single connection: who has it. */
  readonly gate: TurnQueue = new TurnQueue()

  get scope(): Scope | undefined {
    return this.context.getStore()?.scope
  }

  /** Runs `fn` outside every transaction of this database, and remembers which one was left. */
  leave<R>(fn: () => R): R {
    const current = this.context.getStore()
    if (current === undefined) return fn()
    const suspended = current.scope ?? current.suspended
    return this.context.run({ scope: undefined, suspended }, fn)
  }

  /** Runs the driver's own statements, which belong to nobody. */
  apart<R>(fn: () => R): R {
    return this.context.run(nobody, fn)
  }

  /** Runs `fn` as part of a scope. */
  within<R>(scope: Scope, fn: () => R): R {
    return this.context.run({ scope, suspended: undefined }, fn)
  }

  /** The open transaction that the caller has left, if it still is open. */
  get suspendedRoot(): Root | undefined {
    const root = this.context.getStore()?.suspended?.root
    return root?.isOver === false ? root : undefined
  }
}

const nobody: Context = Object.freeze({ scope: undefined, suspended: undefined })

const databases = new WeakMap<object, TransactionDatabase>()

/** The same for every host that stands on the same object: the database of a driver, or the host itself. */
export function databaseFor(key: object): TransactionDatabase {
  let database = databases.get(key)
  if (database === undefined) databases.set(key, (database = new TransactionDatabase()))
  return database
}

/** What `withTransactions()` was given. */
export interface TransactionDefaults {
  /** Options for every `transaction()` that does not say otherwise. */
  readonly defaults?: TransactionOptions | undefined
}
