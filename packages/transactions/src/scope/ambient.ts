import type { AmbientTransactions } from '@keelson/core'
import type { Hook } from './hooks.ts'

/** What `AmbientTransactions` needs of a database, of an asynchronous or of a synchronous one. */
interface ScopedDatabase {
  readonly scope:
    | {
        readonly told: { readonly id: number; readonly depth: number }
        ran(ms: number): void
        readonly addHook: (kind: 'afterCommit' | 'afterRollback', hook: Hook) => void
      }
    | undefined
  leave<R>(fn: () => R): R
}

/**
 * The capability by which others learn of the transaction around them.
 *
 * @param run `transaction()` of the host
 */
export function ambientOf(
  database: ScopedDatabase,
  run: (
    db: any,
    fn: (tx: any) => Promise<any>,
    options: { propagation: 'nested' | 'required' },
  ) => Promise<any>,
): AmbientTransactions {
  return {
    get isOpen() {
      return database.scope !== undefined
    },
    get current() {
      return database.scope?.told
    },
    ran: (ms) => database.scope?.ran(ms),
    transaction: (db, fn, inside) =>
      run(db, fn, { propagation: inside === 'part' ? 'required' : 'nested' }),
    leave: (fn) => database.leave(fn),
    afterCommit(hook) {
      if (database.scope === undefined) hook()
      else database.scope.addHook('afterCommit', hook)
    },
    afterRollback: (hook) => database.scope?.addHook('afterRollback', hook),
  }
}
