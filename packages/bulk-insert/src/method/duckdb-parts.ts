import type { Conflict } from '../conflict.ts'
import type { Run } from '../shape/run.ts'
import type { TableInfo } from '../shape/table-info.ts'
import type { MethodContext } from './context.ts'
import { duplicatesAmong, keyText } from './duplicates-among.ts'

/** Rows that go in one statement. */
export interface Part {
  /** Their positions in the run. */
  readonly rows: readonly number[]
  readonly conflict: Conflict | undefined
  /** Tells apart statements of different conflicts. */
  readonly variant: number
}

/**
 * How rows are to be sent whose conflicts DuckDB would not see as they are:
 *
 * - of several rows of one statement with a NULL in their key its `ON CONFLICT` takes the first and drops the others, as if
 *   they were equal. Such a row can meet no other by that key, so that the key is not one for it.
 * - of several rows of one statement with one key it drops all but the first before it looks whether the first meets a row
 *   of the table by another key, and so may insert none of them. They go one after the other.
 *
 * @returns the parts that the rows are to be sent in, or undefined where they can go together
 */
export function partsOf(
  run: Run,
  from: number,
  to: number,
  { conflict, table, key }: MethodContext,
): readonly Part[] | undefined {
  if (conflict === undefined) return undefined
  const keys = key === undefined ? table.uniqueKeys : [key]
  const patterns = patternsOf(run, from, to, keys, table)
  const turns = keys.length > 1 ? turnsOf(run, from, to, keys) : undefined
  if (patterns === undefined && turns === undefined) return undefined
  const none = '1'.repeat(keys.length)
  const groups = grouped(
    Array.from({ length: to - from }, (_, row) => ({
      pattern: patterns?.[row] ?? none,
      turn: turns?.[row] ?? 0,
    })),
  )
  return groups.map(({ pattern, rows }) => ({
    rows: rows.map((row) => from + row),
    ...partOf(pattern, keys, run, conflict),
  }))
}

/** Of each row which keys have no NULL: `10` for the first of two. Undefined where none has one. */
function patternsOf(
  run: Run,
  from: number,
  to: number,
  keys: readonly (readonly string[])[],
  table: TableInfo,
): readonly string[] | undefined {
  const tests = keys.map((key) => hasNull(run, key, table))
  if (tests.every((test) => test === undefined)) return undefined
  const patterns: string[] = []
  for (let row = from; row < to; row++) {
    patterns.push(tests.map((test) => (test?.(row) === true ? '0' : '1')).join(''))
  }
  return patterns.some((pattern) => pattern.includes('0')) ? patterns : undefined
}

/** After how many others each row is sent, the rows of one key in their order. Undefined where all can go together. */
function turnsOf(
  run: Run,
  from: number,
  to: number,
  keys: readonly (readonly string[])[],
): readonly number[] | undefined {
  const { names, columns } = run
  const named = { ...run, keys: names }
  if (!keys.some((key) => duplicatesAmong(named, from, to, key).length > 0)) return undefined
  const given = keys
    .map((key) => key.map((name) => names.indexOf(name)))
    .filter((places) => !places.includes(-1))
  const latest = given.map(() => new Map<string, number>())
  // What becomes of the first one with the same keys becomes of no other: it is in the table, or what kept it out is.
  const same = new Map<string, number>()
  const turns: number[] = []
  for (let row = from; row < to; row++) {
    const texts = given.map((places) => keyText(columns, row, places))
    let turn = 0
    for (const [at, text] of texts.entries())
      if (text !== undefined) turn = Math.max(turn, (latest[at]!.get(text) ?? -1) + 1)
    if (turn > 0 && given.length === keys.length && !texts.includes(undefined))
      turn = same.get(JSON.stringify(texts)) ?? turn
    turns.push(turn)
    for (const [at, text] of texts.entries())
      if (text !== undefined) latest[at]!.set(text, Math.max(turn, latest[at]!.get(text) ?? 0))
    if (given.length === keys.length) same.set(JSON.stringify(texts), turn)
  }
  return turns
}

/** Tells of a row whether there is a NULL in a key; undefined where there can be none. */
function hasNull(
  { names, columns }: Run,
  key: readonly string[],
  table: TableInfo,
): ((row: number) => boolean) | undefined {
  const places = key.map((name) => names.indexOf(name))
  if (key.some((name, at) => places[at] === -1 && table.columns.get(name)?.hasDefault === false))
    return () => true
  const given = places.filter((place) => place !== -1)
  return given.length === 0
    ? undefined
    : (row) => given.some((place) => (columns[place]![row] ?? null) === null)
}

interface Sending {
  readonly pattern: string
  readonly turn: number
}

/** Rows of one turn and pattern, one turn after the other. */
function grouped(
  sendings: readonly Sending[],
): readonly (Sending & { readonly rows: readonly number[] })[] {
  const groups: (Sending & { readonly rows: number[] })[] = []
  const known = new Map<string, number[]>()
  for (const [row, { pattern, turn }] of sendings.entries()) {
    const rows = known.get(`${turn} ${pattern}`)
    // With several keys left and one that is not, DuckDB cannot be told of them: such a row goes alone.
    const isAlone = pattern.includes('0') && pattern.replaceAll('0', '').length > 1
    if (rows !== undefined && !isAlone) rows.push(row)
    else {
      const group = { pattern, turn, rows: [row] }
      groups.push(group)
      known.set(`${turn} ${pattern}`, group.rows)
    }
  }
  return groups.toSorted((one, other) => one.turn - other.turn)
}

function partOf(
  pattern: string,
  keys: readonly (readonly string[])[],
  { keys: given, names }: Run,
  conflict: Conflict,
): Omit<Part, 'rows'> {
  if (!pattern.includes('1')) return { conflict: undefined, variant: 1 }
  const at = pattern.indexOf('1')
  const isOnly = pattern.includes('0') && pattern.lastIndexOf('1') === at
  const places = keys[at]!.map((name) => names.indexOf(name))
  if (conflict.target !== undefined || !isOnly || places.includes(-1))
    return { conflict, variant: 0 }
  const target = places.map((place) => given[place]!)
  return { conflict: { ...conflict, target }, variant: 2 + at }
}
