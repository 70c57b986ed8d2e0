import type { Columns, Run } from '../shape/run.ts'

/**
 * The positions of the rows that have the key of one before them, as far as the values tell: an engine may find more
 * values equal.
 */
export function duplicatesAmong(
  { keys, columns }: Run,
  from: number,
  to: number,
  target: readonly string[] | undefined,
): number[] {
  const places = target?.map((key) => keys.indexOf(key))
  if (places === undefined || places.includes(-1)) return []
  const found: number[] = []
  const seen = new Set<string>()
  for (let row = from; row < to; row++) {
    const text = keyText(columns, row, places)
    if (text === undefined) continue
    if (seen.has(text)) found.push(row)
    else seen.add(text)
  }
  return found
}

/** A key of a row as text; undefined where there is a NULL in it, so that it is like no other. */
export function keyText(
  columns: Columns,
  row: number,
  places: readonly number[],
): string | undefined {
  const parts: string[] = []
  for (const place of places) {
    const part = columns[place]![row] ?? null
    if (part === null) return undefined
    parts.push(textOf(part))
  }
  return parts.length === 1 ? parts[0] : JSON.stringify(parts)
}

function textOf(value: unknown): string {
  // One that is no date is told of when its row is sent.
  if (value instanceof Date) return String(value.getTime())
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return typeof value === 'object'
    ? JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each))
    : String(value as string | number)
}
