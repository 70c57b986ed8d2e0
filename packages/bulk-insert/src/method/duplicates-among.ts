import type { Run } from '../shape/row-shaper.ts'

/**
 * The positions of the rows that have the key of one before them, as far as the values tell: an engine may find more
 * values equal.
 */
export function duplicatesAmong(
  { keys, values }: Run,
  from: number,
  to: number,
  target: readonly string[] | undefined,
): number[] {
  const places = target?.map((key) => keys.indexOf(key))
  if (places === undefined || places.includes(-1)) return []
  const found: number[] = []
  const seen = new Set<string>()
  for (let row = from; row < to; row++) {
    const key = places.map((place) => values[row]![place])
    if (key.some((part) => part === null || part === undefined)) continue
    const text = JSON.stringify(key.map(textOf))
    if (seen.has(text)) found.push(row)
    else seen.add(text)
  }
  return found
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number)
}
