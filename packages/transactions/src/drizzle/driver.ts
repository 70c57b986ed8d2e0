import type { EngineSession, EngineTraits } from '@keelson/core'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Line } from '../scope/line.ts'
import type { Root } from '../scope/root.ts'
import type { DrizzleDatabase, DrizzleSession } from './internals.ts'

/** How the queries of one database reach an open transaction. */
export interface Binding {
  /** What is prepared on it runs in the transaction. */
  readonly session: DrizzleSession
  /** Makes a handle over a session of its own. */
  handle(depth: number): DrizzleDatabase
  /** The transaction is committed: what was cached of the tables that it wrote is out of date. */
  committed?(): Promise<void>
}

/** A connection of a Drizzle driver, for as long as a transaction is on it. */
export interface DrizzleLine extends Line {
  /** What the sessions of the transaction send to, where that is an object of the driver's client. */
  readonly client?: object | undefined
  /** Of our own drivers: the session through which other ORMs on the same database can speak. */
  readonly engineSession?: EngineSession | undefined
}

/** What differs from one driver to the next. */
export interface TransactionDriver {
  readonly traits: EngineTraits
  /** What other instances on the same database have in common with this one. */
  readonly key: object
  /** Gets a connection for a transaction. What comes too late is given back. */
  acquire(options: AcquireOptions): Promise<DrizzleLine>
  /** Binds this database to a transaction; undefined where it was begun by something that it cannot speak through. */
  bind(line: DrizzleLine): Binding | undefined
  /** Before the first handle is made; undefined when nothing is to be waited for. */
  prepare(): Promise<void> | undefined
  /**
   * Runs a statement that is in no transaction.
   *
   * @param suspended the open transaction that the caller has left
   */
  outside<R>(sql: string, send: () => Promise<R>, suspended: Root | undefined): Promise<R>
  /** Whether `outside` has anything to do while no transaction is open. */
  readonly watchesOutside: boolean
  /** Whether the driver itself refuses text that would begin or end a transaction. */
  readonly refusesControl?: boolean
}
