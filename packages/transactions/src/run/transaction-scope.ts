import type { Hook } from '../scope/hooks.ts'

/** The transaction or savepoint that a callback runs in. */
export interface TransactionScope {
  /** A number that no other scope of the process has; 0 without a transaction. */
  readonly id: number
  /** 0 for the transaction, 1 for a savepoint in it, and so on; -1 without a transaction. */
  readonly depth: number
  /** 1, and one more each time that `retry` runs the callback again. */
  readonly attempt: number
  /** The name of the savepoint; `undefined` for the transaction itself. */
  readonly savepoint: string | undefined
  /** Milliseconds since it began. */
  readonly elapsedMs: number
  /** Statements that it has sent. */
  readonly statements: number
  /** Is aborted when the callback is to stop: its time is up, its signal was aborted, or the transaction around it ended. */
  readonly signal: AbortSignal
  /** Runs `hook` once the outermost transaction is committed; at once where there is none. */
  afterCommit(hook: Hook): void
  /** Runs `hook` when this scope, or one around it, is rolled back. */
  afterRollback(hook: Hook): void
  /** Runs `hook` in the transaction, just before its COMMIT, which does not come when the hook throws. */
  beforeCommit(hook: Hook): void
}

/** What is told of a scope, of an asynchronous database or of a synchronous one, which has no signal. */
export interface KnownScope {
  readonly id: number
  readonly depth: number
  readonly root: { readonly isTest: boolean }
  readonly savepoint: string | undefined
  readonly elapsedMs: number
  readonly statements: number
  readonly signal?: AbortSignal
  /** What callers are told of it: one object, which can be a key. */
  info: TransactionScope | undefined
  addHook(kind: 'beforeCommit' | 'afterCommit' | 'afterRollback', hook: Hook): void
}

export function scopeInfo(scope: KnownScope, attempt = 1): TransactionScope {
  return (scope.info ??= new ScopeInfo(scope, attempt))
}

class ScopeInfo implements TransactionScope {
  readonly #scope: KnownScope
  readonly attempt: number

  constructor(scope: KnownScope, attempt: number) {
    this.#scope = scope
    this.attempt = attempt
  }

  get id(): number {
    return this.#scope.id
  }

  get depth(): number {
    return this.#scope.root.isTest ? this.#scope.depth - 1 : this.#scope.depth
  }

  get savepoint(): string | undefined {
    return this.#scope.savepoint
  }

  get elapsedMs(): number {
    return this.#scope.elapsedMs
  }

  get statements(): number {
    return this.#scope.statements
  }

  get signal(): AbortSignal {
    return this.#scope.signal ?? neverAborted
  }

  // Callbacks take it apart: `(tx, { afterCommit }) => ...`.
  get afterCommit(): (hook: Hook) => void {
    return (hook) => this.#scope.addHook('afterCommit', hook)
  }

  get afterRollback(): (hook: Hook) => void {
    return (hook) => this.#scope.addHook('afterRollback', hook)
  }

  get beforeCommit(): (hook: Hook) => void {
    return (hook) => this.#scope.addHook('beforeCommit', hook)
  }
}

export const neverAborted: AbortSignal = new AbortController().signal

/**
 * What is told where there is no transaction.
 *
 * @param atOnce runs a hook that has no commit to wait for
 */
export function withoutTransaction(atOnce: (hook: Hook) => void): TransactionScope {
  return Object.freeze({
    id: 0,
    depth: -1,
    attempt: 1,
    savepoint: undefined,
    elapsedMs: 0,
    statements: 0,
    signal: neverAborted,
    afterCommit: atOnce,
    beforeCommit: atOnce,
    afterRollback: () => {},
  })
}
