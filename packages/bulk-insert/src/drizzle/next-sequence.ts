import { runNextSequence } from '../sequence/run-next-sequence.ts'
import type { SequenceOptions, SequenceRange } from '../sequence/sequence-options.ts'
import { type AnyDatabase, hostOf } from './host-of.ts'

/**
 * Takes the next number of a counter, without gaps: for invoices, or whatever else must be numbered one by one.
 *
 * The counter is a row, and counting is a part of the transaction: a rollback gives the number back, and the next one who
 * asks gets it. So whoever counts with one counter takes turns, each until its transaction ends; an engine's own sequence
 * makes nobody wait, and leaves gaps. Inside an open transaction it joins that one, in a savepoint; outside it makes one.
 * Numbers that are only to be different want an identity column instead.
 *
 * The table is made beforehand, by `createSequenceTable()` or a migration; the counter comes to be on its first use.
 *
 * @param db what `drizzle()` has returned, or a transaction
 * @param name which counter: text of 1 to 255 characters
 * @returns the number, from 1; with `count` all numbers from `first` to `last`
 * @throws {WriteConflictError} when another transaction was in the way: on DuckDB, whose writers do not wait for each other,
 *   and in deadlocks. A transaction of its own has then been tried again for `retryForMs`; the caller's has to run again.
 * @throws {MissingTableError} when there is no table
 * @throws {SequenceRangeError} rather than a number beyond 2^53 that has lost digits
 * @throws {OptionError} for options that are unknown or impossible; nothing is sent
 *
 * @example
 * const number = await nextSequence(trx, 'invoice', { scope: 2026 })
 * // savepoint sp1
 * // insert into "keelson_sequence" (name, scope, value) values (?, ?, cast(? as bigint))
 * //   on conflict (name, scope) do update set value = "keelson_sequence".value + cast(? as bigint)
 * //   returning cast(value as text) as value
 * // release savepoint sp1
 */
export async function nextSequence(
  db: AnyDatabase,
  name: string,
  options?: SequenceOptions & { readonly count?: undefined },
): Promise<number>
/** With `count` a range of numbers, which nobody else has any of. */
export async function nextSequence(
  db: AnyDatabase,
  name: string,
  options: SequenceOptions & { readonly count: number },
): Promise<SequenceRange>
export async function nextSequence(
  db: AnyDatabase,
  name: string,
  options: SequenceOptions,
): Promise<number | SequenceRange>
export async function nextSequence(
  db: AnyDatabase,
  name: string,
  options: SequenceOptions = {},
): Promise<number | SequenceRange> {
  return runNextSequence(hostOf(db, 'nextSequence()'), name, options)
}
