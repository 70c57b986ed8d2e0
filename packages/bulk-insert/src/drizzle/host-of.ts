import { OptionError } from '@keelson/core'
import { drizzleSession } from '@keelson/core/drizzle'
import { DrizzleHost } from './drizzle-host.ts'
import type { DrizzleDatabase } from './internals.ts'

/** A Drizzle database, or the handle of one of its transactions. */
export interface AnyDatabase {
  transaction(fn: (tx: any) => any, config?: any): any
}

/** @throws {OptionError} for anything that drizzle() has not returned */
export function hostOf(db: AnyDatabase, where: string): DrizzleHost {
  if (drizzleSession(db) === undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      'db',
      `${where} takes what drizzle() has returned. For Kysely import it from @keelson/bulk-insert/kysely.`,
    )
  }
  return new DrizzleHost(db as unknown as DrizzleDatabase, where)
}
