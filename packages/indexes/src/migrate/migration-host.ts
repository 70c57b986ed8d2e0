import type { EngineName, Later, Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'

/** What `migrateSafely()` needs of an ORM's database, beside its migrations. */
export interface MigrationHost extends HostSession {
  readonly engine: EngineName
  /** The same object for each handle of one database. */
  readonly identity: object
  readonly isInTransaction: boolean
  /** See `Host`. */
  readonly isSynchronous: boolean
  /** Runs `fn` on what runs all its statements, as far as the driver can keep to one connection. */
  connected<R>(fn: (line: MigrationLine) => Promise<R>): Promise<R>
}

/** Statements on it are outside any transaction. */
export interface MigrationLine extends MigrationSession {
  /** Whether all its statements run on one connection, so that a lock of the session holds. */
  readonly isPinned: boolean
  /**
   * SQLite: whether foreign keys were enforced, of a driver that suspends them itself around `transaction()`; undefined
   * where that is left to the caller.
   */
  readonly suspendedForeignKeys: boolean | undefined
  /** Whether the driver itself waits for SQLite's write lock, without blocking the event loop. */
  readonly waitsForLock: boolean
  /** Ends the driver's own wait, where it can. */
  giveUp(): void
  /** Runs steps in a transaction; of a synchronous driver, at once. */
  transaction<R>(fn: (session: MigrationSession) => Steps<R>): Later<R>
  /** Runs steps of a migration outside a transaction. */
  outside<R>(fn: (session: MigrationSession) => Steps<R>): Steps<R>
}

/** Where a migration's statements go. */
export interface MigrationSession extends HostSession {
  /** What the function of a migration is given; undefined for an ORM whose migrations are text. */
  readonly handle: unknown
}
