import {
  databaseOf,
  type EngineName,
  engineSession,
  type EngineSession,
  onEngineSession,
} from '@keelson/core'
import type { DatabaseConnection, Driver } from 'kysely'

interface CapableDriver {
  readonly [databaseOf]?: () => object | undefined
  readonly [onEngineSession]?: (session: EngineSession) => DatabaseConnection
  readonly engine?: EngineName
}

/** The database that other ORMs can stand on as well. */
export function sharedDatabaseOf(driver: Driver): object | undefined {
  return (driver as CapableDriver)[databaseOf]?.()
}

/** The engine, as our own drivers name it. */
export function engineNameOf(driver: Driver): EngineName | undefined {
  return databaseOf in driver ? (driver as CapableDriver).engine : undefined
}

/** Whether a session that another ORM has begun can be spoken through. */
export function connectionOn(
  driver: Driver,
  session: EngineSession,
): DatabaseConnection | undefined {
  return (driver as CapableDriver)[onEngineSession]?.(session)
}

/** The session of a connection of our own drivers. */
export function engineSessionOf(connection: DatabaseConnection): EngineSession | undefined {
  return (connection as { readonly [engineSession]?: EngineSession })[engineSession]
}
