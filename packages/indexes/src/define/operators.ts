import type { ColumnReference, Expression, JsonPath } from '../ir/expression.ts'
import type { IndexKey } from '../ir/index-definition.ts'
import { IndexBuilder, keyOf, type KeyInput } from './index-builder.ts'
import type { JsonKind, JsonPathOf, JsonValueAt } from './json-types.ts'
import { given, type Predicates, predicates, refuse } from './predicates.ts'
import { QueryBuilder } from './query-builder.ts'
import type { Call, Column, JsonValue, Typed } from './typed-expression.ts'

/** What an index is declared with. It comes as an argument, so that nobody imports Drizzle's `index` or `eq` by mistake. */
export interface Operators extends Predicates {
  /** An index over these keys, from the left to the right. */
  index(...keys: readonly [KeyInput, ...KeyInput[]]): IndexBuilder
  /** No two rows have the same keys. */
  unique(...keys: readonly [KeyInput, ...KeyInput[]]): IndexBuilder
  /** Descending. It matters where an index has several keys and not all of them are. */
  desc(key: KeyInput): IndexKey
  asc(key: KeyInput): IndexKey
  /** By the engine's collation of this name. */
  collate(key: KeyInput, collation: string): IndexKey
  /**
   * A value inside of a JSON column.
   *
   * @param path one key, or keys and positions from the outside in
   * @param as what it is compared as
   */
  json<Value, const Path extends JsonPathOf<Value>, As extends JsonKind<JsonValueAt<Value, Path>>>(
    column: Column<Value>,
    path: Path,
    as: As,
  ): JsonValue<JsonValues[As]>
  lower(text: TextExpression): Call<string>
  upper(text: TextExpression): Call<string>
  /** Characters of a text. */
  length(text: TextExpression): Call<number>
  /** How the table is asked, instead of an index. */
  readonly query: QueryBuilder
  /** SQL of the engine, as a key or as a predicate. It is printed as it is, for every engine. */
  unsafeSql(sql: string): UnsafeSql
}

/** What the values of a JSON path are in TypeScript. */
export interface JsonValues {
  readonly string: string
  readonly number: number
  readonly integer: number
  readonly boolean: boolean
}

type TextExpression = (ColumnReference | JsonPath) & Typed<any>

/** Both an `Expression` and a `Predicate`. */
export interface UnsafeSql {
  readonly kind: 'unsafeSql'
  readonly sql: string
}

export const operators: Operators = Object.freeze({
  ...predicates,
  index: (...keys: readonly KeyInput[]): IndexBuilder => builder('index()', keys, false),
  unique: (...keys: readonly KeyInput[]): IndexBuilder => builder('unique()', keys, true),
  desc: (key: KeyInput): IndexKey => ({ ...keyOf('desc()', key), direction: 'desc' }),
  asc: (key: KeyInput): IndexKey => ({ ...keyOf('asc()', key), direction: 'asc' }),
  collate: (key: KeyInput, collation: string): IndexKey => ({
    ...keyOf('collate()', key),
    collation,
  }),
  json: (column: ColumnReference, path: unknown, as: JsonPath['as']): JsonPath => ({
    kind: 'json',
    column: given('json()', column).name,
    path: pathOf(path),
    as: kindOf(as),
  }),
  lower: call('lower'),
  upper: call('upper'),
  length: call('length') as unknown as Operators['length'],
  query: new QueryBuilder(),
  unsafeSql: (sql: string): UnsafeSql => {
    if (typeof sql !== 'string' || sql.trim() === '') refuse('unsafeSql()', sql, 'SQL as a string')
    return { kind: 'unsafeSql', sql }
  },
})

function builder(where: string, keys: readonly KeyInput[], unique: boolean): IndexBuilder {
  if (keys.length === 0) refuse(where, keys, 'at least one key')
  return new IndexBuilder({ keys: keys.map((key) => keyOf(where, key)), unique })
}

function call(name: 'lower' | 'upper' | 'length'): (text: Expression) => Call<string> {
  return (text) => {
    const { kind } = given(`${name}()`, text)
    if (kind !== 'column' && kind !== 'json') {
      refuse(`${name}()`, text, 'a column or a JSON path')
    }
    return { kind: 'call', function: name, argument: text as ColumnReference | JsonPath }
  }
}

function pathOf(path: unknown): readonly (string | number)[] {
  const keys: readonly unknown[] = Array.isArray(path) ? path : [path]
  const isPath = keys.every((key) => typeof key === 'string' || Number.isSafeInteger(key))
  if (isPath && keys.length > 0) return keys as readonly (string | number)[]
  return refuse('json()', path, 'a key, or an array of keys and positions, as `path`')
}

function kindOf(as: unknown): JsonPath['as'] {
  const kinds: readonly unknown[] = ['string', 'number', 'integer', 'boolean']
  if (kinds.includes(as)) return as as JsonPath['as']
  return refuse('json()', as, "'string', 'number', 'integer' or 'boolean' as what the value is")
}
