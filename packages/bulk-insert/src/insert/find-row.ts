import { describeError, type ErrorCategory, type Steps } from '@keelson/core'
import type { Host, HostSession } from '../host/host.ts'
import type { Attempt } from '../method/method.ts'
import type { Run } from '../shape/run.ts'

/** Rows that are sent in one statement. */
export interface SentRows {
  readonly run: Run
  readonly from: number
  readonly to: number
}

/** A statement that has failed and undone its transaction, without a word of which row it was. */
export interface UnplacedFailure {
  readonly error: unknown
  readonly rows: SentRows
  /** What was sent of the same batch before, and went in. */
  readonly before: readonly SentRows[]
  /** Whether the transaction had taken no other batch. */
  readonly isFirst: boolean
}

export interface FindRowOptions {
  readonly host: Host
  readonly hasConflict: boolean
  readonly signal: AbortSignal | undefined
  insert(session: HostSession, rows: SentRows): Steps<Attempt>
}

/** What a row breaks by itself, whatever else is in the table. */
const ofOneRow: ReadonlySet<ErrorCategory> = new Set(['check', 'notNull', 'value'])

/**
 * Finds the row that is to blame by sending ever fewer of the rows once more, each time in a transaction of its own that is
 * undone: after a failed statement the one that it was in takes no other.
 *
 * @returns the row's position in its run, with the error of its own; undefined where that is not certain
 */
export function* findRow(
  failure: UnplacedFailure,
  options: FindRowOptions,
): Steps<{ readonly position: number; readonly error: unknown } | undefined> {
  const { category } = describeError(failure.error)
  // What the transaction had taken before is not there now: a row may have met one of it, and have been left unchecked.
  if (!failure.isFirst && (options.hasConflict || !ofOneRow.has(category))) return undefined
  const { run, from, to } = failure.rows
  let sound = from
  let end = to
  let found: unknown
  while (found === undefined || end - sound > 1) {
    if (options.signal?.aborted === true) return undefined
    const middle = end - sound > 1 ? Math.ceil((sound + end) / 2) : end
    const error = yield* tried([...failure.before, { run, from, to: middle }], options)
    if (error === undefined) {
      if (middle === end) return undefined
      sound = middle
    } else {
      if (describeError(error).category !== category) return undefined
      found = error
      end = middle
    }
  }
  return { position: end - 1, error: found }
}

/** Undoes a transaction that has told what it was for. */
class Undo extends Error {
  readonly error: unknown

  constructor(error: unknown) {
    super('the rows were sent to find the one that is to blame')
    this.error = error
  }
}

/** @returns the error of the last of several statements */
function* tried(
  statements: readonly SentRows[],
  { host, ...options }: FindRowOptions,
): Steps<unknown> {
  try {
    yield* host.atomically(function* (session) {
      let error: unknown
      for (const rows of statements) {
        // One that went in before does so again.
        if (error !== undefined) throw error
        error = (yield* options.insert(session, rows)).failure?.error
      }
      throw new Undo(error)
    })
  } catch (error) {
    if (error instanceof Undo) return error.error
    throw error
  }
  return undefined
}
