import type { Expression } from '../ir/expression.ts'
import type { IndexDefinition, IndexKey, QueryPattern } from '../ir/index-definition.ts'
import { methodOf } from '../sql/index-method.ts'
import { engineRules, objectionTo, objectionToPattern } from './engine-rules.ts'
import { isSameExpression } from './expression-text.ts'
import type { IndexedTable } from './indexed-table.ts'
import {
  keyText,
  orderKeys,
  orderOf,
  placeFirst,
  type WantedKey,
  type WantedOrder,
} from './key-order.ts'
import type { Objection } from './objection.ts'
import { primaryKeyOf, reversed } from './redundancy.ts'

/**
 * The indexes that the query patterns of a table need beside its primary key and the indexes that it has: for each pattern
 * what is compared by equality, then what it sorts by, then what it compares with a range. Patterns share an index where the
 * keys of one can stand first in that of another.
 *
 * @see https://www.mongodb.com/docs/manual/tutorial/equality-sort-range-guideline/
 */
export function deriveIndexes(
  table: IndexedTable,
  existing: readonly IndexDefinition[],
  refuse: (index: IndexDefinition, objection: Objection) => void,
): readonly IndexDefinition[] {
  const compare = comparison(table)
  const wanted = new Map<string, WantedOrder>()
  for (const pattern of table.definition.queries) {
    if (findsFewRows(pattern, existing, table)) continue
    const order = wantedOrder(pattern, table)
    const index = indexOver(orderKeys(order, compare))
    const text = order.map((block) => block.map(orderedText).toSorted().join('\0,')).join('\0;')
    const isNothing = index.keys.length === 0
    if (wanted.has(text) || (!isNothing && isServed(order, existing, table))) continue
    const objection =
      objectionToPattern(pattern, table) ?? (isNothing ? undefined : objectionTo(index, table))
    if (objection !== undefined) refuse(indexOver(asked(pattern, index.keys)), objection)
    else if (!isNothing) wanted.set(text, order)
  }
  return shared(wanted).map((order) => indexOver(orderKeys(order, compare)))
}

/**
 * The keys by which a pattern finds its rows. A sort is of use only where the rows come out of the index in its order, so that
 * a list of values before it, or a range over another column, leaves the choice: a sort for which only the first rows are asked
 * saves more than either, any other one less.
 */
function wantedOrder(pattern: QueryPattern, table: IndexedTable): WantedOrder {
  const equals = distinct(pattern.equals)
  const among = without(distinct(pattern.among), equals)
  const ranges = without(distinct(pattern.ranges), [...equals, ...among])
  const looked = [...equals, ...among].map((expression) => ({ expression }))
  if (!engineRules[table.engine].readsInOrder) return [looked]

  const sort = sortKeys(pattern, equals, table)
  const isInOrder =
    among.length === 0 &&
    (ranges.length === 0 || ranges.some((range) => isSameExpression(range, sort[0]?.expression)))
  if (sort.length > 0 && (pattern.limited || isInOrder)) {
    const order = [equals.map((expression) => ({ expression })), ...sort.map((key) => [key])]
    return withoutImpliedKey(order, table)
  }
  return withoutImpliedKey(
    [looked, ranges.slice(0, 1).map((expression) => ({ expression }))],
    table,
  )
}

/** What is left of a sort: nothing that is of one value, nothing after a key, and ascending first, being read from both ends. */
function sortKeys(
  { sort }: QueryPattern,
  equals: readonly Expression[],
  table: IndexedTable,
): readonly WantedKey[] {
  const left = sort.filter(
    ({ expression }, position) =>
      without([expression], equals).length > 0 &&
      sort.findIndex((other) => isSameExpression(other.expression, expression)) === position,
  )
  const end = left.findIndex((_, position) => {
    const fixed = [...equals, ...left.slice(0, position + 1).map((key) => key.expression)]
    const primaryKey = primaryKeyOf(table).map((key) => key.expression)
    return primaryKey.length > 0 && without(primaryKey, fixed).length === 0
  })
  const needed = end === -1 ? left : left.slice(0, end + 1)
  const keys = needed[0]?.direction === 'desc' ? reversed(needed) : needed
  return keys.map((key) => ({ ...key, direction: key.direction ?? 'asc' }))
}

/** Rows with equal keys are in the order of this key anyway. */
function withoutImpliedKey(order: WantedOrder, { impliedLastKey }: IndexedTable): WantedOrder {
  const [key] = order.at(-1) ?? []
  const isImplied =
    order.flat().length > 1 &&
    impliedLastKey !== undefined &&
    key !== undefined &&
    key.direction !== 'desc' &&
    isSameExpression({ kind: 'column', name: impliedLastKey }, key.expression)
  return isImplied ? order.slice(0, -1) : order
}

/** Whether a pattern gives all columns of a key a value: whatever else it asks, there is one row for each. */
function findsFewRows(
  { equals, among }: QueryPattern,
  existing: readonly IndexDefinition[],
  table: IndexedTable,
): boolean {
  const given = [...equals, ...among]
  const keys = [
    primaryKeyOf(table),
    ...existing
      .filter(({ unique, where }) => unique && where === undefined)
      .map(({ keys }) => keys),
  ]
  return keys.some((key) => {
    const expressions = key.map(({ expression }) => expression)
    return key.length > 0 && without(expressions, given).length === 0
  })
}

function isServed(
  order: WantedOrder,
  existing: readonly IndexDefinition[],
  table: IndexedTable,
): boolean {
  const isPlain = (index: IndexDefinition): boolean =>
    index.where === undefined && methodOf(index, table.engine) === undefined
  const orders = [primaryKeyOf(table), ...existing.filter(isPlain).map(({ keys }) => keys)]
  return orders.some(
    (keys) =>
      placeFirst(order, orderOf(keys)) !== undefined ||
      placeFirst(order, orderOf(reversed(keys))) !== undefined,
  )
}

/** As few as serve all: the longest first, each other one in the first in which its keys can stand first. */
function shared(wanted: ReadonlyMap<string, WantedOrder>): readonly WantedOrder[] {
  const longestFirst = [...wanted].toSorted(
    ([aText, a], [bText, b]) => b.flat().length - a.flat().length || (aText < bText ? -1 : 1),
  )
  const orders: WantedOrder[] = []
  for (const [, order] of longestFirst) {
    const joined = orders.findIndex((other) => placeFirst(order, other) !== undefined)
    if (joined === -1) orders.push(order)
    else orders[joined] = placeFirst(order, orders[joined]!)!
  }
  return orders
}

/** Keys that more patterns compare by equality come first, so that more of them share an index; then in the table's order. */
function comparison(table: IndexedTable): (a: WantedKey, b: WantedKey) => number {
  const { definition } = table
  const uses = new Map<string, number>()
  for (const { equals, among } of definition.queries) {
    for (const expression of distinct([...equals, ...among])) {
      const text = keyText({ expression })
      uses.set(text, (uses.get(text) ?? 0) + 1)
    }
  }
  const position = ({ expression }: WantedKey): number => {
    const column = table.columnOf(expression)
    return column === undefined ? definition.columns.length : definition.columns.indexOf(column)
  }
  return (a, b) => {
    const [aText, bText] = [keyText(a), keyText(b)]
    return (
      (uses.get(bText) ?? 0) - (uses.get(aText) ?? 0) ||
      position(a) - position(b) ||
      (aText < bText ? -1 : 1)
    )
  }
}

function orderedText(key: WantedKey): string {
  return `${keyText(key)} ${key.direction}`
}

/** What names a refused index: all that the pattern compares and sorts by, where an index would have had none of it. */
function asked(pattern: QueryPattern, keys: readonly IndexKey[]): readonly IndexKey[] {
  const { equals, among, ranges, sort } = pattern
  const compared = distinct([...equals, ...among, ...ranges])
  if (keys.length >= compared.length && keys.length > 0) return keys
  const more = sort.filter(({ expression }) => without([expression], compared).length > 0)
  return [...compared.map((expression) => ({ expression })), ...more]
}

function indexOver(keys: readonly IndexKey[]): IndexDefinition {
  return { keys, unique: false }
}

function distinct(expressions: readonly Expression[]): readonly Expression[] {
  return expressions.filter(
    (expression, position) =>
      expressions.findIndex((other) => isSameExpression(other, expression)) === position,
  )
}

function without(
  expressions: readonly Expression[],
  others: readonly Expression[],
): readonly Expression[] {
  return expressions.filter(
    (expression) => !others.some((other) => isSameExpression(other, expression)),
  )
}
