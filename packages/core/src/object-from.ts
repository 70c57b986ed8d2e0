/** An object whose properties are its own, whatever they are called: `object['__proto__'] = x` would set its prototype. */
export function objectFrom(
  names: readonly string[],
  valueAt: (index: number) => unknown,
): Record<string, unknown> {
  const object = {}
  for (const [index, name] of names.entries())
    Object.defineProperty(object, name, {
      value: valueAt(index),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  return object
}
