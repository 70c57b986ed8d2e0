import type { EngineTraits, TransactionObserver } from '@keelson/core'

/** How a root transaction begins. */
export interface BeginSettings {
  readonly isolationLevel?: string | undefined
  readonly accessMode?: 'read only' | 'read write' | undefined
  readonly behavior?: 'deferred' | 'immediate' | 'exclusive' | undefined
}

/**
 * What the engine says of the transaction on a connection. `failed`: nothing but ROLLBACK (or ROLLBACK TO) is possible;
 * `none`: the engine has ended it; `unknown`: it cannot be asked.
 */
export type EngineState = 'open' | 'failed' | 'none' | 'unknown'

/**
 * One connection, for as long as a root transaction is on it: what the scopes need of an ORM and a driver. Each call is
 * made alone, never beside a statement.
 */
export interface Line {
  readonly traits: EngineTraits
  /** What is to be named in messages and events: the file, or the engine. */
  readonly databaseName: string
  /** Whether the driver publishes the root transaction on `keelson:transaction` by itself. */
  readonly publishesRoots: boolean
  /** Who hears of what is begun on it, if nobody else can tell. */
  observer?: TransactionObserver | undefined
  /** When it throws, `end` is called next: BEGIN may have arrived and its answer not. */
  begin(settings: BeginSettings): Promise<void>
  /**
   * @throws the engine's error when it did not commit, and `TransactionAbortedError` when it rolled back in place of it
   */
  commit(): Promise<void>
  /** @param isLost whether the engine has ended the transaction already, so that there may be nothing to send */
  rollback(isLost: boolean): Promise<void>
  savepoint(name: string): Promise<void>
  rollbackTo(name: string): Promise<void>
  release(name: string): Promise<void>
  /**
   * Asks the engine.
   *
   * @param error the statement's error that leaves it in doubt, or undefined before a commit
   */
  state(error: unknown): EngineState | Promise<EngineState>
  /** Asks the engine by a statement, after one that may have ended the transaction without failing. */
  probe?(): Promise<EngineState>
  /** Stops the statement that is running, where the driver can. */
  cancel(reason: unknown): Promise<void>
  /** Checks constraints that were deferred to the commit, for a transaction that will not commit. */
  checkDeferred(): Promise<void>
  /**
   * The transaction is over; called once.
   *
   * @param broken why the connection must not be used again
   */
  end(broken: unknown): Promise<void>
}
