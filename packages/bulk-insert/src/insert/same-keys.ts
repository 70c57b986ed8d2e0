import { ParameterError, type Steps } from '@keelson/core'
import { type Columns, picked, type Run } from '../shape/run.ts'
import type { Place } from './key-choice.ts'
import { isRowFault } from './row-fault.ts'

export interface SameKeysOptions {
  /** The columns of the key. */
  readonly key: readonly string[]
  /** Whether something else can be asked after a question that has failed. */
  readonly canGoOn: boolean
  isExpression(value: unknown): boolean
  /** Asks the engine which of the keys are equal, of which it is given the values by column. */
  ask(keys: Columns): Steps<readonly (readonly number[])[]>
}

/**
 * The rows of a batch that have one key, by the engine's own word: what it takes for equal depends on types and
 * collations. A key that has a NULL, is left to its default or is SQL is like no other.
 */
export function* sameKeys(runs: readonly Run[], options: SameKeysOptions): Steps<Place[][]> {
  const places: Place[] = []
  const keys: unknown[][] = options.key.map(() => [])
  for (const run of runs) {
    const columns = options.key.map((name) => run.names.indexOf(name))
    if (columns.includes(-1)) continue
    for (let position = 0; position < run.indexes.length; position++) {
      const key = columns.map((column) => run.columns[column]![position])
      if (key.some((value) => isUnlike(value, options))) continue
      places.push({ run, position })
      for (const [at, value] of key.entries()) keys[at]!.push(value)
    }
  }
  const groups = yield* askAbout(
    places.map((_, at) => at),
    keys,
    options,
  )
  return groups.map((group) => group.map((at) => places[at]!))
}

function isUnlike(value: unknown, options: SameKeysOptions): boolean {
  return value === null || value === undefined || options.isExpression(value)
}

function* askAbout(
  asked: readonly number[],
  keys: Columns,
  options: SameKeysOptions,
): Steps<readonly (readonly number[])[]> {
  if (asked.length < 2) return []
  try {
    return numbered(yield* options.ask(picked(keys, asked)), asked)
  } catch (error) {
    if (!mayGoOn(error, options)) throw error
  }
  const sound = yield* soundAmong(asked, keys, options)
  return sound.length < 2 ? [] : numbered(yield* options.ask(picked(keys, sound)), sound)
}

/** Without the keys that the engine cannot take, which are told of when their rows are sent. */
function* soundAmong(
  asked: readonly number[],
  keys: Columns,
  options: SameKeysOptions,
): Steps<readonly number[]> {
  try {
    yield* options.ask(picked(keys, asked))
    return asked
  } catch (error) {
    if (!mayGoOn(error, options)) throw error
  }
  if (asked.length === 1) return []
  const half = Math.ceil(asked.length / 2)
  const one = yield* soundAmong(asked.slice(0, half), keys, options)
  const other = yield* soundAmong(asked.slice(half), keys, options)
  return [...one, ...other]
}

/** A value that the driver has refused was not sent. */
function mayGoOn(error: unknown, { canGoOn }: SameKeysOptions): boolean {
  return isRowFault(error) && (canGoOn || error instanceof ParameterError)
}

function numbered(
  groups: readonly (readonly number[])[],
  asked: readonly number[],
): readonly (readonly number[])[] {
  return groups.map((group) => group.map((at) => asked[at]!))
}
