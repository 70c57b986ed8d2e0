import { type ApplyAdviceOptions, createAdvised } from '../advisor/apply-advice.ts'
import type { IndexAdvice } from '../advisor/report/advice.ts'
import { type AnyDatabase, DrizzleHost } from './drizzle-host.ts'

/**
 * Creates the indexes that were proposed, and then gathers the statistics that the advice reckons with: in one transaction,
 * under the lock that holds among all processes that change the schema with this package. What is there already is left, so
 * that several processes may take the same advice. What `drops` says is left to you. While an index is created, nobody else
 * writes its table (SQLite: any table).
 *
 * @param db what `drizzle()` has returned; inside a transaction it is a part of that
 * @param advice of this database
 * @throws {OptionError} for advice of another engine, and for an option that is not understood
 * @throws {SchemaLockError} when others hold the lock for longer than `lockTimeoutMs`
 *
 * @example
 * await applyAdvice(db, await advisor.advise(db))
 * // begin; create index if not exists "ix_flight_..." on "flight" ("origin", "date"); analyze "flight"; commit
 */
export function applyAdvice(
  db: AnyDatabase,
  advice: IndexAdvice,
  options?: ApplyAdviceOptions,
): Promise<void> {
  return createAdvised(new DrizzleHost(db, 'applyAdvice()'), advice, options)
}
