import type { Conflict } from '../conflict.ts'
import type { Run } from '../shape/row-shaper.ts'
import type { TableInfo } from '../shape/table-info.ts'
import type { MethodContext } from './context.ts'
import { duplicatesAmong } from './duplicates-among.ts'

/** Rows that go in one statement. */
export interface Part {
  /** Their positions in the run. */
  readonly rows: readonly number[]
  readonly conflict: Conflict | undefined
  /** Tells apart statements of different conflicts. */
  readonly variant: number
}

/**
 * Of several rows of one statement with a NULL in their key DuckDB's `ON CONFLICT` takes the first and drops the others,
 * as if they were equal. Such a row can meet no other by that key, so that the key is not one for it.
 *
 * @returns the parts that the rows are to be sent in, or undefined where they can go together
 */
export function partsByNulls(
  run: Run,
  from: number,
  to: number,
  { conflict, table, key: target }: MethodContext,
): readonly Part[] | undefined {
  if (conflict === undefined) return undefined
  const keys = target === undefined ? table.uniqueKeys : [target]
  const tests = keys.map((key) => hasNull(run, key, table))
  if (tests.every((test) => test === undefined)) return undefined
  const patterns: string[] = []
  for (let row = from; row < to; row++) {
    const values = run.values[row]!
    patterns.push(tests.map((test) => (test?.(values) === true ? '0' : '1')).join(''))
  }
  if (patterns.every((pattern) => !pattern.includes('0'))) return undefined
  // Which of two rows of one key is the first is to stay as it is.
  const isOrdered =
    keys.length > 1 &&
    keys.some((key) => {
      const names = { ...run, keys: run.names }
      return duplicatesAmong(names, from, to, key).length > 0
    })
  return grouped(patterns, isOrdered).map(({ pattern, rows }) => ({
    rows: rows.map((row) => from + row),
    ...partOf(pattern, keys, run, conflict),
  }))
}

/** Tells of a row's values whether there is a NULL in a key; undefined where there can be none. */
function hasNull(
  { names }: Run,
  key: readonly string[],
  { columns }: TableInfo,
): ((values: readonly unknown[]) => boolean) | undefined {
  const places = key.map((name) => names.indexOf(name))
  if (key.some((name, at) => places[at] === -1 && columns.get(name)?.hasDefault === false))
    return () => true
  const given = places.filter((place) => place !== -1)
  return given.length === 0
    ? undefined
    : (values) => given.some((place) => (values[place] ?? null) === null)
}

function grouped(
  patterns: readonly string[],
  isOrdered: boolean,
): readonly { readonly pattern: string; readonly rows: number[] }[] {
  const groups: { readonly pattern: string; readonly rows: number[] }[] = []
  const known = new Map<string, number[]>()
  for (const [row, pattern] of patterns.entries()) {
    // With several keys left and one that is not, DuckDB cannot be told of them: such a row goes alone.
    const isAlone = pattern.includes('0') && pattern.replaceAll('0', '').length > 1
    const last = groups.at(-1)
    const rows = isOrdered
      ? last?.pattern === pattern
        ? last.rows
        : undefined
      : known.get(pattern)
    if (rows !== undefined && !isAlone) rows.push(row)
    else {
      const group = { pattern, rows: [row] }
      groups.push(group)
      known.set(pattern, group.rows)
    }
  }
  return groups
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
