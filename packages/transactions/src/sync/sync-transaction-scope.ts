import { type KnownScope, scopeInfo, type TransactionScope } from '../run/transaction-scope.ts'

/** The transaction or savepoint that a callback runs in, on a synchronous database. Its hooks cannot wait for anything. */
export type SyncTransactionScope = Omit<TransactionScope, 'signal'>

export function syncScopeInfo(scope: KnownScope): SyncTransactionScope {
  return scopeInfo(scope)
}
