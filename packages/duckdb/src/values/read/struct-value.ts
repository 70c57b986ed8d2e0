import { objectFrom } from '@keelson/core'

/**
 * Makes the value of a STRUCT from its fields: an object, or an array where the fields have no names, as those of
 * `row(1, 2)`.
 */
export function structOf(
  names: readonly string[],
): (valueAt: (field: number) => unknown) => unknown {
  if (isUnnamed(names)) return (valueAt) => names.map((_, field) => valueAt(field))
  if (names.includes('__proto__')) return (valueAt) => objectFrom(names, valueAt)
  return (valueAt) => {
    const object: Record<string, unknown> = {}
    for (let field = 0; field < names.length; field++) object[names[field]!] = valueAt(field)
    return object
  }
}

export function isUnnamed(names: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => name === '')
}
