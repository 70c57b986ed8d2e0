import type { Steps } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { MigrationLine } from '../migration-host.ts'
import type { SqliteSettings } from './sqlite-settings.ts'

/** What a lock is taken with. */
export interface LockNames {
  /** Of advisory locks, all of which are needed. */
  readonly keys: readonly string[]
  /** Statements that change nothing and take SQLite's write lock. */
  readonly claim: readonly string[]
}

/** What migrations need of an engine; one file for each. */
export interface MigrationEngine {
  /** Gives the `file` of the database, by which others of this process are told that it is the same one. */
  readonly fileQuery: string | undefined
  /** The type of a column for a text of any length. */
  readonly longText: string
  /** Whether `create schema` makes what `historySchema` names. MySQL's are databases, SQLite's are attached files. */
  readonly createsSchemas: boolean
  /** What a transaction has to be begun with to see what was committed while it waited for the lock. */
  readonly isolationLevel: 'read committed' | undefined
  /** Whether the mark of a migration without a transaction is all that keeps others out while it runs. */
  readonly keepsOutByMark: boolean
  /** Changes settings around a transaction, and puts them back whatever comes of it. */
  readonly withSettings:
    | (<R>(line: MigrationLine, fn: (settings: SqliteSettings) => Steps<R>) => Steps<R>)
    | undefined
  /**
   * Whether a table is there; without a schema, wherever an unqualified name would find it.
   *
   * @param name schema and table as they stand in a statement
   */
  hasTable(
    session: HostSession,
    name: string,
    schema: string | undefined,
    table: string,
  ): Steps<boolean>
  /** Takes the lock until the transaction ends. @returns whether it could be had at once */
  tryLock(session: HostSession, lock: LockNames): Steps<boolean>
  /** The same for as long as the session keeps it; there where something else has to keep others out. */
  readonly sessionLock:
    | {
        tryLock(session: HostSession, lock: LockNames): Steps<boolean>
        release(session: HostSession, lock: LockNames): Steps<void>
      }
    | undefined
  /** Who has the lock, as far as the engine tells. */
  holder(session: HostSession, lock: LockNames): Steps<string | undefined>
  /** What `lostRows` compares with. */
  tableStates(session: HostSession): Steps<readonly TableState[]>
}

/** What is known of a table's rows at a moment of a transaction. */
export interface TableState {
  readonly id: string
  readonly name: string
  /** Tables whose being named means that this one may change, such as the one that it is a partition of. */
  readonly parents: readonly string[]
  /** Rows it has, or, counted downwards, those that this transaction has deleted. */
  readonly rows: number
  /** Whether it was emptied at once is told by this one changing. */
  readonly storage?: string
  readonly isEmpty?: boolean
}
