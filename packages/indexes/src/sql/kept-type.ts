import type { PortableType } from '../ir/portable-type.ts'

/** A whole number has 64 bits; what JavaScript reads it as is the reader's choice. */
export function keptScalar<T extends PortableType>(type: T): T | { readonly kind: 'integer' } {
  return type.kind === 'bigint' ? { kind: 'integer' } : type
}

/** The same of an engine with types of lists, which say nothing of how long a text in them is. */
export function keptWithArrays(type: PortableType): PortableType {
  if (type.kind !== 'array') return keptScalar(type)
  const { of } = type
  return { kind: 'array', of: of.kind === 'string' ? { kind: 'string' } : keptScalar(of) }
}
