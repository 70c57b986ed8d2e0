import { RowError } from '../errors.ts'
import type { Attempt, Outcome } from '../method/method.ts'
import type { Run } from '../shape/row-shaper.ts'
import type { Steps } from '../steps.ts'
import { isDuplicate, isRowFault } from './row-fault.ts'

export interface IsolationOptions {
  readonly signal: AbortSignal | undefined
  /** Whether a statement that failed leaves the transaction as it was, so that others can be tried. */
  readonly canGoOn: boolean
  /** Tries to insert rows of the run. */
  insert(from: number, to: number): Steps<Attempt>
  duplicatesIn(from: number, to: number): readonly number[]
  /** Rows from one position of the run to another are in. */
  done(from: number, to: number, outcome: Outcome): Steps<void>
  /** A row cannot be inserted; throws where that is not to go on. */
  reject(position: number, error: unknown): Steps<void>
}

/**
 * Inserts a run, in order. Where rows fail together their number is halved until the one is found that is to blame, with
 * at most 2 x log2(n) statements more for each.
 *
 * @throws what no row is to blame for
 */
export function insertIsolated({ values }: Run, options: IsolationOptions): Steps<void> {
  return insertRange(0, values.length, options)
}

function* insertRange(from: number, to: number, options: IsolationOptions): Steps<void> {
  let at = from
  while (at < to) {
    options.signal?.throwIfAborted()
    const { outcome, done, failure } = yield* options.insert(at, to)
    if (done > 0) yield* options.done(at, at + done, outcome)
    at += done
    if (failure === undefined) continue
    const { error, size } = failure
    if (isDuplicate(error)) {
      const end = at + size
      const duplicates = options.duplicatesIn(at, end)
      const refusal = duplicateError(error)
      if (duplicates.length === 0) throw refusal
      for (const duplicate of duplicates) {
        if (duplicate > at && options.canGoOn) yield* insertRange(at, duplicate, options)
        yield* options.reject(duplicate, refusal)
        at = duplicate + 1
      }
      if (at < end) yield* insertRange(at, end, options)
      at = end
      continue
    }
    if (!isRowFault(error)) throw error
    if (!options.canGoOn) {
      if (failure.position === undefined && size > 1) throw error
      yield* options.reject(at + (failure.position ?? 0), error)
      return
    }
    if (size === 1) {
      yield* options.reject(at, error)
      at++
      continue
    }
    if (failure.position !== undefined) {
      const position = at + failure.position
      if (position > at) yield* insertRange(at, position, options)
      yield* options.reject(position, error)
      at = position + 1
      continue
    }
    const half = at + Math.ceil(size / 2)
    yield* insertRange(at, half, options)
    yield* insertRange(half, at + size, options)
    at += size
  }
}

function duplicateError(cause: unknown): RowError {
  return new RowError(
    'DUPLICATE_IN_INPUT',
    'has the key of another row of the input, and which of them is to be kept the engine cannot decide: it takes the ' +
      "rows of a statement as a set. Say so with `duplicatesInInput: 'first'` or 'last', or leave one out.",
    undefined,
    { cause },
  )
}
