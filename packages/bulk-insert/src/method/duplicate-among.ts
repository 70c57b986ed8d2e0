import type { Run } from '../shape/row-shaper.ts'

/**
 * The position of the first row that has the key of one before it, as far as the values tell: an engine may find more
 * values equal.
 */
export function duplicateAmong(
  { keys, values }: Run,
  from: number,
  to: number,
  target: readonly string[] | undefined,
): number | undefined {
  const places = target?.map((key) => keys.indexOf(key))
  if (places === undefined || places.includes(-1)) return undefined
  const seen = new Set<string>()
  for (let row = from; row < to; row++) {
    const key = places.map((place) => values[row]![place])
    if (key.some((part) => part === null || part === undefined)) continue
    const text = JSON.stringify(key.map(textOf))
    if (seen.has(text)) return row
    seen.add(text)
  }
  return undefined
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number)
}
