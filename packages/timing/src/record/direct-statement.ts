import { type DirectOutcome, type DirectStatement, isThenable } from '@keelson/core'
import { now } from './clock.ts'
import type { DatabaseInstance } from './database-instance.ts'
import { Observation } from './observation.ts'
import type { Recorder } from './recorder.ts'

/** Where a statement goes that is sent past its ORM. */
interface Destination {
  readonly recorder: Recorder
  readonly instance: DatabaseInstance
  readonly conn: number
  /** What is open there when it is sent. */
  readonly tx: Observation['tx']
  /** A statement of that transaction ran so many milliseconds. */
  readonly ran: (ms: number) => void
  readonly failed: (error: unknown) => void
}

/**
 * Measures one call that is made past the ORM. In bulk it is one observation for all rows of the call, so that a row costs
 * nothing; and a second one where a part of them has gone in before something failed, since that part may be kept.
 */
export function observeDirect<R>(
  to: () => Destination,
  statement: DirectStatement,
  send: () => R,
  outcomeOf: (result: Awaited<R>) => DirectOutcome,
): R {
  const call = new DirectCall(to, statement)
  const { after } = statement
  let isRefused = false
  if (after === undefined) call.begin()
  else
    void after.then(
      () => call.begin(),
      // Nothing is sent then, and the error is told of by what came before.
      () => (isRefused = true),
    )
  let result: R
  try {
    result = send()
  } catch (error) {
    call.failed(error)
    throw error
  }
  if (isThenable(result))
    result.then(
      (given) => call.succeeded(outcomeOf(given as Awaited<R>)),
      (error: unknown) => {
        if (!isRefused) call.failed(error)
      },
    )
  else call.succeeded(outcomeOf(result as Awaited<R>))
  return result
}

class DirectCall {
  readonly #to: () => Destination
  readonly #statement: DirectStatement
  #destination: Destination | undefined
  #observation: Observation | undefined

  constructor(to: () => Destination, statement: DirectStatement) {
    this.#to = to
    this.#statement = statement
  }

  begin(): Observation {
    this.#destination = this.#to()
    this.#observation = this.#observe(this.#statement.bulkRows, now())
    return this.#observation
  }

  succeeded({ rows, affectedRows, failure }: DirectOutcome): void {
    const observation = this.#observation ?? this.begin()
    const { bulkRows } = this.#statement
    if (failure === undefined) return this.#end(observation, now(), rows, affectedRows)
    const done = (bulkRows ?? 0) - failure.bulkRows
    if (done === 0) return this.failed(failure.error)
    const endMs = now()
    observation.bulkRows = done
    this.#end(observation, endMs, rows, affectedRows)
    this.#observation = this.#observe(failure.bulkRows, endMs)
    return this.failed(failure.error)
  }

  failed(error: unknown): void {
    // What was refused before its turn had come has not begun.
    const observation = this.#observation ?? this.begin()
    const endMs = now()
    const { recorder, ran, failed } = this.#destination!
    ran(endMs - observation.startMs)
    failed(error)
    recorder.end(observation, endMs, 'error', error)
  }

  #end(
    observation: Observation,
    endMs: number,
    rows: number,
    affectedRows: number | undefined,
  ): void {
    const { recorder, ran } = this.#destination!
    observation.rows = rows
    observation.affectedRows = affectedRows
    ran(endMs - observation.startMs)
    recorder.end(observation, endMs, 'ok', undefined)
  }

  #observe(bulkRows: number | undefined, startMs: number): Observation {
    const { recorder, instance, conn, tx } = this.#destination!
    const { sql, parameters = [] } = this.#statement
    const kind = bulkRows === undefined ? 'query' : 'bulk'
    const observation = new Observation(instance, kind, sql, parameters, startMs)
    observation.conn = conn
    observation.tx = tx
    if (bulkRows !== undefined) observation.bulkRows = bulkRows
    recorder.begin(observation)
    return observation
  }
}
