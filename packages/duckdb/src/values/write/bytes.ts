/** The bytes of a value, not copied; undefined for what is none. Other views have a meaning beyond their bytes. */
export function bytesOf(value: object): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined
}
