import { type KnownScope, scopeInfo, type TransactionScope } from '../run/transaction-scope.ts'

/** The transaction or savepoint that a callback runs in, on a synchronous database. Its hooks cannot wait for anything. */
export type SyncTransactionScope = Omit<TransactionScope, 'signal'>

/** @param scope undefined where there is no transaction */
export function syncScopeInfo(scope: KnownScope | undefined): SyncTransactionScope {
  return scopeInfo(scope)
}
