import type { PortableType } from '../ir/portable-type.ts'

/** The narrowest type that holds the values of all of these. */
export function union(types: readonly PortableType[]): PortableType {
  return types.reduce((left, right) => both(left, right))
}

function both(left: PortableType, right: PortableType): PortableType {
  if (left.kind === 'enum' && right.kind === 'enum') {
    return { kind: 'enum', values: [...new Set([...left.values, ...right.values])] }
  }
  if (left.kind === 'string' && right.kind === 'string') {
    if (left.maxLength === undefined || right.maxLength === undefined) return { kind: 'string' }
    return { kind: 'string', maxLength: Math.max(left.maxLength, right.maxLength) }
  }
  if (JSON.stringify(left) === JSON.stringify(right)) return left
  const [from, to] = [numbers.indexOf(left.kind), numbers.indexOf(right.kind)]
  if (from >= 0 && to >= 0) return from > to ? left : right
  if (texts.has(left.kind) && texts.has(right.kind)) return { kind: 'string' }
  return { kind: 'json' }
}

/** Each holds the values of those before it. */
const numbers: readonly string[] = ['int32', 'integer', 'number']

/** A `datetime` is not among them: it may come as a Date. */
const texts: ReadonlySet<string> = new Set(['string', 'enum', 'uuid', 'date'])
