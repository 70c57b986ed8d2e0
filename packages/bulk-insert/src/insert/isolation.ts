import type { Steps } from '@keelson/core'
import { RowError } from '../errors.ts'
import { type Attempt, type Failure, nothing, type Outcome } from '../method/method.ts'
import { picked, type Run } from '../shape/run.ts'
import type { KeyChoice, Place } from './key-choice.ts'
import { isDuplicate, isRowFault } from './row-fault.ts'

export interface IsolationOptions {
  readonly signal: AbortSignal | undefined
  /** Whether a statement that failed leaves the transaction as it was, so that others can be tried. */
  readonly canGoOn: boolean
  /** Whether rows are sent apart anyway that may have one key. */
  readonly isApart: boolean
  /** Which of several rows with one key is to be sent; undefined where the engine takes row after row. */
  choose(): Steps<KeyChoice | undefined>
  /** Tries to insert rows of a run. */
  insert(run: Run, from: number, to: number): Steps<Attempt>
  /** The rows that have the key of one before them, as far as that can be seen without the engine. */
  duplicatesIn(run: Run, from: number, to: number): readonly number[]
  /** Rows from one position of a run to another are in. */
  done(run: Run, from: number, to: number, outcome: Outcome): Steps<void>
  /** A row was left out for another one that has its key. */
  passOver(place: Place): void
  /** A row cannot be inserted; throws where that is not to go on. */
  reject(place: Place, error: unknown): Steps<void>
  /** Rows have failed together, and nothing more can be tried to find the one that is to blame. */
  unplaced(run: Run, from: number, to: number, error: unknown): void
}

/**
 * Inserts the runs of a batch, in order. Where rows fail together their number is halved until the one is found that is to
 * blame, with at most 2 x log2(n) statements more for each.
 *
 * @throws what no row is to blame for
 */
export function insertIsolated(runs: readonly Run[], options: IsolationOptions): Steps<void> {
  return new Isolation(options).insert(runs)
}

class Isolation {
  readonly #options: IsolationOptions
  /** Undefined as long as rows of one key go in one statement, so that the engine decides. */
  #choice: KeyChoice | undefined
  #hasChosen = false
  /** What the engine has said of rows with one key. */
  #complaint: unknown

  constructor(options: IsolationOptions) {
    this.#options = options
  }

  *insert(runs: readonly Run[]): Steps<void> {
    if (this.#options.isApart) yield* this.#choose()
    for (const run of runs) yield* this.#insertRange(run, 0, run.indexes.length)
  }

  /** @returns whether it makes a difference to what is sent */
  *#choose(): Steps<boolean> {
    if (this.#hasChosen) return false
    this.#hasChosen = true
    const choice = yield* this.#options.choose()
    if (choice?.matters !== true) return false
    this.#choice = choice
    return true
  }

  *#insertRange(run: Run, from: number, to: number): Steps<void> {
    const { signal, canGoOn } = this.#options
    let at = from
    while (at < to) {
      signal?.throwIfAborted()
      const sent = this.#chosenOf(run, at, to)
      const { outcome, done, failure } =
        sent.size === 0 ? nothingToSend : yield* this.#options.insert(sent.run, sent.from, sent.to)
      if (done > 0) yield* this.#noteDone(sent, done, outcome)
      const reached = sent.placeOf(done)
      yield* this.#settle(run, at, reached)
      at = reached
      if (failure === undefined) continue
      const { error, size } = failure
      if (isDuplicate(error)) this.#complaint = error
      else if (!isRowFault(error)) throw error
      if (canGoOn && (yield* this.#choose())) continue
      if (isDuplicate(error)) yield* this.#refuse(sent, done, size)
      else if (canGoOn) yield* this.#divide(run, sent, done, failure)
      else yield* this.#name(run, sent, done, failure)
      at = sent.placeOf(done + size)
    }
  }

  /** The rows from one position of a run to another, without those that another one is chosen for. */
  #chosenOf(run: Run, from: number, to: number): Sent {
    const choice = this.#choice
    const all = { run, from, to, size: to - from, placeOf: (at: number) => from + at }
    if (choice === undefined) return all
    const chosen: number[] = []
    for (let position = from; position < to; position++)
      if (choice.isChosen({ run, position })) chosen.push(position)
    const size = chosen.length
    if (size === all.size) return all
    return {
      run: chosenFrom(run, chosen),
      from: 0,
      to: size,
      size,
      placeOf: (at) => chosen[at] ?? to,
    }
  }

  *#noteDone({ run, from }: Sent, rows: number, outcome: Outcome): Steps<void> {
    yield* this.#options.done(run, from, from + rows, outcome)
    if (this.#choice === undefined) return
    for (let position = from; position < from + rows; position++)
      for (const place of this.#choice.taken({ run, position })) this.#options.passOver(place)
  }

  /** Decides the rows that were not sent because another one with their key is in. */
  *#settle(run: Run, from: number, to: number): Steps<void> {
    const choice = this.#choice
    // Those before the last one are decided with it.
    if (choice === undefined || choice.keep === 'last') return
    for (let position = from; position < to; position++) {
      const place = { run, position }
      if (!choice.isPassedOver(place)) continue
      if (choice.keep === 'first') this.#options.passOver(place)
      else yield* this.#reject(place, duplicateError(this.#complaint))
    }
  }

  /** Tries rows that have failed together in parts. */
  *#divide(run: Run, sent: Sent, done: number, { error, size, position }: Failure): Steps<void> {
    const from = sent.placeOf(done)
    const to = sent.placeOf(done + size)
    if (size > 1 && position === undefined) {
      const half = sent.placeOf(done + Math.ceil(size / 2))
      yield* this.#insertRange(run, from, half)
      yield* this.#insertRange(run, half, to)
      return
    }
    const one = sent.placeOf(done + (position ?? 0))
    yield* this.#insertRange(run, from, one)
    yield* this.#reject({ run, position: one }, error)
    yield* this.#insertRange(run, one + 1, to)
  }

  /** Nothing more can be tried. */
  *#name(run: Run, sent: Sent, done: number, { error, size, position }: Failure): Steps<never> {
    if (size === 1 || position !== undefined)
      yield* this.#options.reject({ run, position: sent.placeOf(done + (position ?? 0)) }, error)
    const from = sent.from + done
    this.#options.unplaced(sent.run, from, from + size, error)
    throw error
  }

  /** The engine cannot decide, nor was it asked what is equal. */
  *#refuse({ run, from }: Sent, done: number, size: number): Steps<never> {
    const refusal = duplicateError(this.#complaint)
    const start = from + done
    const [position] = this.#options.duplicatesIn(run, start, start + size)
    if (position !== undefined) yield* this.#options.reject({ run, position }, refusal)
    throw refusal
  }

  *#reject(place: Place, error: unknown): Steps<void> {
    yield* this.#options.reject(place, error)
    const other = this.#choice?.rejected(place)
    // It goes in later than it came, and in its place.
    if (other !== undefined) yield* this.#insertRange(other.run, other.position, other.position + 1)
  }
}

/** What is sent together. */
interface Sent {
  readonly run: Run
  readonly from: number
  readonly to: number
  readonly size: number
  /** The position in the whole run of each row; of the one after the last, where the next one is looked for. */
  placeOf(at: number): number
}

const nothingToSend: Attempt = { outcome: nothing, done: 0, failure: undefined }

function chosenFrom(run: Run, positions: readonly number[]): Run {
  const { indexes, columns, rows } = run
  return {
    ...run,
    indexes: positions.map((at) => indexes[at]!),
    columns: picked(columns, positions),
    rows: positions.map((at) => rows[at]!),
  }
}

function duplicateError(cause: unknown): RowError {
  return new RowError(
    'DUPLICATE_IN_INPUT',
    'has the key of another row of the input, and which of them is to be kept the engine cannot decide: it takes the ' +
      "rows of a statement as a set. Say so with `duplicatesInInput: 'first'` or 'last', or leave one out.",
    undefined,
    cause === undefined ? undefined : { cause },
  )
}
