/**
 * Makes the value of a STRUCT from its fields: an object, or an array where the fields have no names, as those of
 * `row(1, 2)`.
 */
export function structOf(
  names: readonly string[],
): (valueAt: (field: number) => unknown) => unknown {
  if (isUnnamed(names)) return (valueAt) => names.map((_, field) => valueAt(field))
  if (names.includes('__proto__')) return (valueAt) => definedObject(names, valueAt)
  return (valueAt) => {
    const object: Record<string, unknown> = {}
    for (let field = 0; field < names.length; field++) object[names[field]!] = valueAt(field)
    return object
  }
}

export function isUnnamed(names: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => name === '')
}

/** An assignment to `__proto__` would set the prototype, and the value would be gone. */
function definedObject(
  names: readonly string[],
  valueAt: (field: number) => unknown,
): Record<string, unknown> {
  const object = {}
  names.forEach((name, field) =>
    Object.defineProperty(object, name, {
      value: valueAt(field),
      configurable: true,
      enumerable: true,
      writable: true,
    }),
  )
  return object
}
