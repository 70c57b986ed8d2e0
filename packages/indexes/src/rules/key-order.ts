import type { Expression } from '../ir/expression.ts'
import type { IndexKey } from '../ir/index-definition.ts'
import { expressionText } from './expression-text.ts'

/**
 * The order of keys that a query wants of an index, from the first on: keys of one block may stand in any order. What is
 * compared by equality may, and has no direction; a sort may not.
 */
export type WantedOrder = readonly KeyBlock[]

export type KeyBlock = readonly WantedKey[]

export interface WantedKey {
  readonly expression: Expression
  readonly collation?: string
  /** Undefined when both do. */
  readonly direction?: 'asc' | 'desc'
}

/**
 * An order in which both are satisfied, `first` by its first keys; undefined when there is none.
 *
 * @example
 * placeFirst([[a]], [[a, b], [c]]) // [[a], [b], [c]]
 */
export function placeFirst(first: WantedOrder, all: WantedOrder): WantedOrder | undefined {
  const placed: KeyBlock[] = []
  const wanted = first.filter((block) => block.length > 0)
  const rest = all.filter((block) => block.length > 0)
  while (wanted.length > 0) {
    const [block, available] = [wanted[0]!, rest[0]]
    if (available === undefined) return undefined
    const both = available.flatMap((key) => {
      const same = block.find((other) => isSameKey(key, other))
      return same === undefined ? [] : [withDirection(key, same)]
    })
    // One of the two has to lie within the other, which is then cut.
    if (both.length !== Math.min(block.length, available.length)) return undefined
    placed.push(both)
    takeFrom(wanted, both)
    takeFrom(rest, both)
  }
  return [...placed, ...rest]
}

/** One after the other, those of a block by how they compare. */
export function orderKeys(
  order: WantedOrder,
  compare: (a: WantedKey, b: WantedKey) => number,
): readonly IndexKey[] {
  return order.flatMap((block) => block.toSorted(compare).map(keyOf))
}

/** The order that an index has. */
export function orderOf(keys: readonly IndexKey[]): WantedOrder {
  return keys.map((key) => [{ ...key, direction: key.direction ?? 'asc' }])
}

export function keyText({ expression, collation }: WantedKey): string {
  return collation === undefined
    ? expressionText(expression)
    : `${expressionText(expression)}\0${collation}`
}

function isSameKey(a: WantedKey, b: WantedKey): boolean {
  const isOpen = a.direction === undefined || b.direction === undefined
  return (isOpen || a.direction === b.direction) && keyText(a) === keyText(b)
}

function withDirection(key: WantedKey, { direction }: WantedKey): WantedKey {
  return direction === undefined ? key : { ...key, direction }
}

function takeFrom(order: KeyBlock[], keys: KeyBlock): void {
  const left = order[0]!.filter((key) => !keys.some((other) => isSameKey(key, other)))
  if (left.length === 0) order.shift()
  else order[0] = left
}

function keyOf({ expression, collation, direction }: WantedKey): IndexKey {
  return {
    expression,
    ...(direction === 'desc' && { direction }),
    ...(collation !== undefined && { collation }),
  }
}
