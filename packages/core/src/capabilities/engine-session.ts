/**
 * Capabilities by which several ORMs can share one transaction of one of our drivers: a database gives out sessions, a
 * transaction is on one session, and each ORM can speak through a session that another one has begun.
 */

/**
 * The key of a method that tells on which database an ORM's driver stands, where that is one that others can stand on,
 * too. On a Kysely `Driver` and on a Drizzle session.
 *
 * @returns undefined where the database is the ORM's own
 */
export const databaseOf: unique symbol = Symbol.for('keelson.databaseOf')

/** The key of a Kysely connection's session. */
export const engineSession: unique symbol = Symbol.for('keelson.engineSession')

/** The key of a method that makes what speaks through a given session: of a Kysely `Driver`, of a Drizzle session. */
export const onEngineSession: unique symbol = Symbol.for('keelson.onEngineSession')

/** The key of the engine's name, on the adapter of a Kysely dialect of ours. */
export const engineOfAdapter: unique symbol = Symbol.for('keelson.engine')

/** A session of `database.connect()`, as far as transactions need it. */
export interface EngineSession {
  readonly inTransaction: boolean
  /** The engine has ended the transaction on its own, or will not commit it any more. */
  readonly isAborted: boolean
  begin(options?: {
    readonly accessMode?: 'read only' | 'read write'
    readonly behavior?: 'deferred' | 'immediate' | 'exclusive'
    readonly signal?: AbortSignal
  }): Promise<void>
  commit(): Promise<void>
  rollback(): Promise<void>
  savepoint?(name: string): Promise<void>
  rollbackToSavepoint?(name: string): Promise<void>
  releaseSavepoint?(name: string): Promise<void>
  cancel(reason: unknown): void
  release(): Promise<void>
}
