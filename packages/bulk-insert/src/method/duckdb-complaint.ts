import { describeError } from '@keelson/core'
import type { Columns, Shape } from '../shape/run.ts'

/** Rows as they were sent. */
export interface SentRun extends Pick<Shape, 'names'> {
  readonly columns: Columns
}

/**
 * The row that DuckDB complains of, by the key or the column that its message names: `Duplicate key "id: 5" violates ...`,
 * `NOT NULL constraint failed: flight.id`. Undefined where that is not certain.
 */
export function rowOfComplaint(
  error: unknown,
  run: SentRun,
  from: number,
  to: number,
): number | undefined {
  const { category, columns } = describeError(error)
  const message = error instanceof Error ? error.message : ''
  if (category === 'notNull' && columns?.length === 1) {
    const place = run.names.indexOf(columns[0]!)
    const found =
      place === -1 ? [] : matching(from, to, (row) => (run.columns[place]![row] ?? null) === null)
    return found[0]
  }
  const named = /Duplicate key \\?"(.*?)\\?" violates/.exec(message)?.[1]
  if (named !== undefined) return rowWithKey(named, run, from, to)
  const bare = /duplicate key \\?"(.*?)\\?"/.exec(message)?.[1]
  return bare === undefined ? undefined : rowWithValue(bare, run, from, to)
}

/** @param key such as `id: 5` or `a: 1, b: x` */
function rowWithKey(key: string, run: SentRun, from: number, to: number): number | undefined {
  const columns = run.names
    .map((name, place) => ({ name, place, at: key.indexOf(`${name}: `) }))
    .filter(({ name, at }) => at === 0 || (at > 0 && key.slice(at - 2).startsWith(`, ${name}: `)))
    .toSorted((one, other) => one.at - other.at)
  if (columns.length === 0 || columns[0]!.at !== 0) return undefined
  const wanted = columns.map(({ name, place, at }, each) => {
    const next = columns[each + 1]
    return [
      place,
      key.slice(at + name.length + 2, next === undefined ? undefined : next.at - 2),
    ] as const
  })
  const found = matching(from, to, (row) =>
    wanted.every(([place, text]) => String(run.columns[place]![row]) === text),
  )
  // The first of two is new and the second one is to blame; a single one has met a row of the table.
  return found[1] ?? found[0]
}

/** Of a key that is told without its column: the second of two rows that have it, where only one column can be meant. */
function rowWithValue(text: string, run: SentRun, from: number, to: number): number | undefined {
  const found = run.names
    .map((_, place) => matching(from, to, (row) => String(run.columns[place]![row]) === text)[1])
    .filter((row) => row !== undefined)
  return found.length === 1 ? found[0] : undefined
}

function matching(from: number, to: number, test: (row: number) => boolean): number[] {
  const found: number[] = []
  for (let row = from; row < to && found.length < 2; row++) if (test(row)) found.push(row)
  return found
}
