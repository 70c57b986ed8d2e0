import type { TransactionObserver } from '@keelson/core'
import type { BeginSettings } from '../scope/line.ts'

/** A connection whose statements run at once, for as long as a transaction is on it. */
export interface SyncLine {
  readonly databaseName: string
  /** What SQLite says. */
  readonly inTransaction: boolean
  /** Who hears of what is begun on it, if nobody else can tell. */
  readonly observer: TransactionObserver | undefined
  begin(settings: BeginSettings): void
  commit(): void
  rollback(): void
  savepoint(name: string): void
  rollbackTo(name: string): void
  release(name: string): void
  /** @throws when a deferred constraint is broken */
  checkDeferred(): void
  /** The transaction is over; called once. */
  end(): void
}
