import type { AppendOptions } from '../sequence/append-options.ts'
import type { AppendResult, NewEvent } from '../sequence/event.ts'
import { runAppendEvents } from '../sequence/run-append-events.ts'
import { type AnyDatabase, hostOf } from './host-of.ts'

/**
 * Appends events to a stream, all of them or none, provided that the stream is what you expect it to be.
 *
 * The stream's row is locked, its version compared and moved on, and the events are inserted under the next versions, in one
 * transaction: inside an open one in a savepoint of it. Events with the same ids again are a success that writes nothing and
 * gives the old places, whatever `expectedVersion` says: so a request that may have been carried out can be repeated.
 *
 * Which order is promised beside that of the stream, `order` says: none, or one over all events, for which appends take
 * turns. It reads no events; the tables are yours to read. They are made beforehand, by `createEventTables()` or a migration.
 *
 * @param db what `drizzle()` has returned, or a transaction
 * @param stream which stream: text of 1 to 255 characters
 * @param events at least one, in their order
 * @returns `{ version, events: [{ id, version, position }], isRepeat }`
 * @throws {EventConflictError} when the stream is not what was expected, with its `actualVersion`
 * @throws {EventIdError} when ids are there already, and not as a repeated append
 * @throws {WriteConflictError} when another transaction was in the way: on DuckDB, whose writers do not wait for each other,
 *   and in deadlocks. A transaction of its own has then been tried again for `retryForMs`; the caller's has to run again.
 * @throws {MissingTableError} when there are no tables
 * @throws {OptionError} for options or events that are impossible; nothing is sent
 *
 * @example
 * await appendEvents(db, 'order-7', [{ id, type: 'paid', data: { cents: 990 } }], { expectedVersion: 3 })
 * // begin immediate
 * // update "keelson_stream" set version = version where stream = ? returning cast(version as text) as version
 * // select event_id as id, stream, cast(version as text) as version from "keelson_event" where event_id in (?)
 * // update "keelson_stream" set version = ? where stream = ? and version = ? returning version
 * // insert into "keelson_event" (stream, version, event_id, type, data, metadata) values (?, ?, ?, ?, ?, ?)
 * // commit
 */
export async function appendEvents(
  db: AnyDatabase,
  stream: string,
  events: readonly NewEvent[],
  options: AppendOptions,
): Promise<AppendResult> {
  return runAppendEvents(hostOf(db, 'appendEvents()'), stream, events, options)
}
