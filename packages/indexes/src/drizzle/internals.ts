/**
 * All that this package uses of Drizzle without finding it in Drizzle's published types, and the checks that it is there.
 */
import { checkFound, checkVersion } from '@keelson/core/drizzle'

const feature = '@keelson/indexes/drizzle'

export interface Prepared {
  execute(): unknown
  all?(): unknown
  run?(): unknown
}

export interface DrizzleSession {
  readonly dialect: object
  /** What the driver was given; our own drivers keep it to themselves. */
  readonly client?: unknown
  readonly schema?: unknown
  readonly options?: unknown
  /** Of `@keelson/sqlite`: a transaction in which foreign keys are not enforced. */
  migration?(fn: (tx: DrizzleDatabase) => Promise<void>): Promise<void>
  prepareQuery(query: RawQuery, ...more: readonly unknown[]): Prepared
}

/** The session of `@keelson/sqlite`, which runs a transaction with foreign keys suspended. */
export interface MigratingSession extends DrizzleSession {
  migration(fn: (tx: DrizzleDatabase) => Promise<void>): Promise<void>
}

interface RawQuery {
  readonly sql: string
  readonly params: readonly unknown[]
}

/** A database, or the handle of a transaction. */
export interface DrizzleDatabase {
  readonly session: DrizzleSession
  transaction(fn: (tx: DrizzleDatabase) => unknown, config?: object): unknown
  /** Of handles: undoes the transaction. */
  rollback?(): never
}

/** @throws {UnsupportedDrizzleError} when the installed version is not one that this is built on */
export function checkInternals(session: DrizzleSession): void {
  checkVersion(feature)
  checkFound(feature, {
    'session.prepareQuery()': typeof session.prepareQuery === 'function',
  })
}
