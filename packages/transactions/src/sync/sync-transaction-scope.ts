import type { Hook } from '../scope/hooks.ts'
import type { TransactionScope } from '../run/transaction-scope.ts'
import type { SyncScope } from './sync-scope.ts'

/** The transaction or savepoint that a callback runs in, on a synchronous database. Its hooks cannot wait for anything. */
export type SyncTransactionScope = Omit<TransactionScope, 'signal'>

/** @param scope undefined where there is no transaction */
export function syncScopeInfo(scope: SyncScope | undefined): SyncTransactionScope {
  return scope === undefined ? noTransaction : new SyncScopeInfo(scope)
}

class SyncScopeInfo implements SyncTransactionScope {
  readonly #scope: SyncScope
  readonly attempt: number = 1

  constructor(scope: SyncScope) {
    this.#scope = scope
    // Callbacks take it apart: `(tx, { afterCommit }) => ...`.
    this.afterCommit = this.afterCommit.bind(this)
    this.afterRollback = this.afterRollback.bind(this)
    this.beforeCommit = this.beforeCommit.bind(this)
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

  afterCommit(hook: Hook): void {
    this.#scope.addHook('afterCommit', hook)
  }

  afterRollback(hook: Hook): void {
    this.#scope.addHook('afterRollback', hook)
  }

  beforeCommit(hook: Hook): void {
    this.#scope.addHook('beforeCommit', hook)
  }
}

const noTransaction: SyncTransactionScope = Object.freeze({
  id: 0,
  depth: -1,
  attempt: 1,
  savepoint: undefined,
  elapsedMs: 0,
  statements: 0,
  afterCommit: (hook: Hook) => void hook(),
  beforeCommit: (hook: Hook) => void hook(),
  afterRollback: () => {},
})
