import type { EngineName, EngineTraits, Later, Steps } from '@keelson/core'

/** A row as the driver gives it. */
export type Row = Readonly<Record<string, unknown>>

/** What this package needs of an ORM's database. Its own statements run where those on plain `db` would. */
export interface Host extends PinnedHost {
  /**
   * Runs steps in a transaction while SQLite enforces no foreign keys, which it cannot be told in a transaction: to rebuild a table
   * would delete the rows that refer to it otherwise. Whether rows refer to none at the end is for the steps to look at. SQLite
   * alone, and outside of transactions.
   *
   * @throws {KeelsonError} `FOREIGN_KEYS_ENFORCED` for a driver whose transactions are on another connection
   */
  atomicallyWithoutForeignKeys<R>(fn: (session: HostSession) => Steps<R>): Steps<R>
  /**
   * Runs steps on one connection that nobody else uses meanwhile, in no transaction: for settings and locks that belong
   * to a connection, and statements that can be in no transaction. The host that they get is of that connection, and ends
   * with it.
   *
   * @throws {KeelsonError} `NO_OWN_CONNECTION` for a driver that gives out none
   */
  onConnection<R>(fn: (pinned: PinnedHost) => Steps<R>): Steps<R>
}

/** A database, or one connection of it. */
export interface PinnedHost extends HostSession {
  readonly engine: EngineName
  readonly traits: EngineTraits
  /** The same object for each handle of one database: what is cached for it, is by this. */
  readonly identity: object
  readonly isInTransaction: boolean
  /**
   * Runs steps in a transaction: all or nothing. On SQLite it takes the write lock when it begins where the driver can.
   * Inside an open transaction it is a savepoint of that. Where the engine has none it is a part of it, and one that fails
   * leaves nothing of the transaction to be committed.
   */
  atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R>
}

/** What runs statements one after the other. */
export interface HostSession {
  /** Runs a statement that returns rows. */
  query(sql: string, parameters?: readonly unknown[]): Later<readonly Row[]>
  /** Runs one that returns none, such as DDL. */
  run(sql: string, parameters?: readonly unknown[]): Later<unknown>
}
