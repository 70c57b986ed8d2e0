import { createAdvised } from '../advisor/apply-advice.ts'
import type { IndexAdvice } from '../advisor/report/advice.ts'
import { type AnyDatabase, DrizzleHost } from './drizzle-host.ts'

/**
 * Creates the indexes that were proposed, in one transaction, and then gathers the statistics that the advice reckons with.
 * What `drops` says is left to you. While an index is created, nobody else writes its table (SQLite: any table).
 *
 * @param db what `drizzle()` has returned; inside a transaction it is a part of that
 * @param advice of this database
 * @throws {OptionError} for advice of another engine
 *
 * @example
 * await applyAdvice(db, await advisor.advise(db))
 * // begin; create index "ix_flight_..." on "flight" ("origin", "date"); analyze "flight"; commit
 */
export function applyAdvice(db: AnyDatabase, advice: IndexAdvice): Promise<void> {
  return createAdvised(new DrizzleHost(db, 'applyAdvice()'), advice)
}
