import { type EngineTraits, type Steps, takeSteps } from '@keelson/core'
import { EventConflictError, EventIdError } from '../errors.ts'
import type { Host, HostSession } from '../host/host.ts'
import {
  type AppendOptions,
  checkAppendOptions,
  checkEvents,
  type EventRow,
  type ExpectedVersion,
} from './append-options.ts'
import { checkName } from './check-name.ts'
import { advance, type Counter } from './counter.ts'
import type { AppendResult, NewEvent } from './event.ts'
import { insertEvents, type KnownEvent, knownEvents } from './event-rows.ts'
import { type EventTables, eventTables } from './event-tables.ts'
import { explainingMissing } from './missing-table.ts'
import { checkSafe } from './run-next-sequence.ts'
import { StreamRow } from './stream-row.ts'
import { throughConflicts } from './write-conflict.ts'

const where = 'appendEvents()'

/** Appends events to a stream: all of them or none. */
export async function runAppendEvents(
  host: Host,
  stream: string,
  events: readonly NewEvent[],
  options: AppendOptions,
): Promise<AppendResult> {
  checkName(where, 'stream', stream)
  const { expectedVersion, retryForMs } = checkAppendOptions(options, host.isInTransaction)
  const { traits } = host
  const tables = eventTables(where, options, traits.engine)
  const append = new Append(traits, tables, stream, checkEvents(events), expectedVersion)
  const { order } = options
  const outcome = await explainingMissing(
    where,
    `tables ${tables.streams.full} and ${tables.events.full}`,
    `createEventTables(db${order === undefined ? '' : `, { order: '${order}' }`})`,
    () =>
      throughConflicts(
        host,
        { what: `the stream ${JSON.stringify(stream)}`, retryForMs },
        (number) => takeSteps(host.atomically((session) => append.run(session, number > 1))),
      ),
  )
  // Not thrown inside, where it would doom a transaction that has no savepoints: nothing was written that must go.
  if (typeof outcome === 'number') throw new EventConflictError(stream, expectedVersion, outcome)
  return outcome
}

class Append {
  readonly #traits: EngineTraits
  readonly #tables: EventTables
  readonly #stream: string
  readonly #rows: readonly EventRow[]
  readonly #expected: ExpectedVersion

  constructor(
    traits: EngineTraits,
    tables: EventTables,
    stream: string,
    rows: readonly EventRow[],
    expected: ExpectedVersion,
  ) {
    this.#traits = traits
    this.#tables = tables
    this.#stream = stream
    this.#rows = rows
    this.#expected = expected
  }

  /** @returns the version of the stream where it is not the one that was expected */
  *run(session: HostSession, isAgain: boolean): Steps<AppendResult | number> {
    const traits = this.#traits
    const tables = this.#tables
    const rows = this.#rows
    const counter: Counter | undefined = tables.counter && {
      ...tables.counter,
      scope: '',
      start: 1,
    }
    // The lock that all share comes first: transactions that append to several streams would else wait in a circle.
    if (counter !== undefined) yield* advance(session, traits, counter, 0)
    const streamRow = new StreamRow(session, traits, tables.streams, this.#stream)
    const actual = yield* streamRow.lock(this.#expected)
    const ids = rows.map(({ id }) => id)
    const known = yield* knownEvents(session, traits, tables, ids, isAgain)
    if (known.size > 0) return this.#repeated(known)
    if (!isExpected(this.#expected, actual)) return actual
    yield* streamRow.advance(actual, rows.length)
    const position =
      counter &&
      checkSafe(yield* advance(session, traits, counter, rows.length), 'the position of events') -
        rows.length +
        1
    const version = actual + 1
    yield* insertEvents(session, traits, tables, rows, { stream: this.#stream, version, position })
    return {
      version: actual + rows.length,
      events: rows.map(({ id }, index) => ({
        id,
        version: version + index,
        position: position === undefined ? undefined : position + index,
      })),
      isRepeat: false,
    }
  }

  #repeated(known: ReadonlyMap<string, KnownEvent>): AppendResult {
    const found = [...known.values()]
    const elsewhere = found.filter(({ stream }) => stream !== this.#stream)
    const idsOf = (some: readonly KnownEvent[]): string[] => some.map(({ id }) => id)
    if (elsewhere.length > 0) {
      const { id, stream } = elsewhere[0]!
      const why = `an event with the id ${JSON.stringify(id)} is in the stream ${JSON.stringify(stream)}`
      throw new EventIdError(this.#stream, idsOf(elsewhere), why)
    }
    if (found.length < this.#rows.length) {
      const why = `${found.length} of the ${this.#rows.length} events are in it already, and the others are not`
      throw new EventIdError(this.#stream, idsOf(found), why)
    }
    const events = this.#rows.map(({ id }) => {
      const { version, position } = known.get(id)!
      return { id, version, position }
    })
    return {
      version: Math.max(...events.map(({ version }) => version)),
      events,
      isRepeat: true,
    }
  }
}

function isExpected(expected: ExpectedVersion, actual: number): boolean {
  if (expected === 'any') return true
  if (expected === 'exists') return actual > 0
  return actual === (expected === 'noStream' ? 0 : expected)
}
