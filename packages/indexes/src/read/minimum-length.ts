import type { Demand } from './field.ts'

/** `''` is refused as such: SQLite's length() ends at a NUL character. */
export function minimumLength(minimum: number): readonly Demand[] {
  if (minimum <= 0) return []
  if (minimum <= 1) return [{ of: 'value', operator: '<>', value: '' }]
  return [{ of: 'length', operator: '>=', value: Math.ceil(minimum) }]
}
