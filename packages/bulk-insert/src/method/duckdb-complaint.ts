import { describeError } from '@keelson/core'
import type { Run } from '../shape/row-shaper.ts'

/**
 * The row that DuckDB complains of, by the key or the column that its message names: `Duplicate key "id: 5" violates ...`,
 * `NOT NULL constraint failed: flight.id`. Undefined where that is not certain.
 */
export function rowOfComplaint(
  error: unknown,
  run: Run,
  from: number,
  to: number,
): number | undefined {
  const { category, columns } = describeError(error)
  const message = error instanceof Error ? error.message : ''
  if (category === 'notNull' && columns?.length === 1) {
    const place = run.names.indexOf(columns[0]!)
    const found =
      place === -1 ? [] : matching(run, from, to, (row) => (row[place] ?? null) === null)
    return found[0]
  }
  const key = /[Dd]uplicate key \\?"([^"\\]*)\\?"/.exec(message)?.[1]
  if (key === undefined) return undefined
  const parts = key.split(', ').map((part) => /^(.*?): (.*)$/.exec(part))
  if (parts.some((part) => part === null)) return undefined
  const wanted = parts.map((part) => [run.names.indexOf(part![1]!), part![2]!] as const)
  if (wanted.some(([place]) => place === -1)) return undefined
  const found = matching(run, from, to, (row) =>
    wanted.every(([place, text]) => String(row[place]) === text),
  )
  // The first of two is new and the second one is to blame; a single one has met a row of the table.
  return found[1] ?? found[0]
}

function matching(
  { values }: Run,
  from: number,
  to: number,
  test: (row: readonly unknown[]) => boolean,
): number[] {
  const found: number[] = []
  for (let row = from; row < to && found.length < 2; row++) if (test(values[row]!)) found.push(row)
  return found
}
