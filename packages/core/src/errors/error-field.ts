/**
 * A property of a thrown value, or `undefined`. What is thrown can be anything, a revoked proxy or an object with
 * throwing getters included, and describing an error must never be what fails.
 */
export function errorField(error: object, name: string): unknown {
  try {
    return Reflect.get(error, name)
  } catch {
    return undefined
  }
}

/** A property that is text and not empty; `undefined` otherwise. */
export function textField(error: object, name: string): string | undefined {
  const value = errorField(error, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A property that is an integer; `undefined` otherwise. */
export function integerField(error: object, name: string): number | undefined {
  const value = errorField(error, name)
  return Number.isInteger(value) ? (value as number) : undefined
}
