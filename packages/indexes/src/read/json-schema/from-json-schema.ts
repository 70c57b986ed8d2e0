import { checkOptionNames, invalidOption } from '@keelson/core'
import { SchemaError } from '../../errors.ts'
import type { Expression, JsonPath } from '../../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../../ir/index-definition.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { checkedTable } from '../checked-table.ts'
import { columnName, tableOfFields } from '../table-of-fields.ts'
import { jsonField } from './json-field.ts'
import { isJsonSchema, type JsonSchema } from './json-schema.ts'

export interface FromJsonSchemaOptions {
  /** The table's name. @default `name` of the schema's `x-db` */
  readonly name?: string
  /** The schema of the database that holds the table. @default the connection's own */
  readonly schema?: string
  /**
   * Which names there may be: `'strict'`, ASCII letters, digits and underscores, not starting with a digit; `'any'`, whatever
   * an engine takes between quotes. @default 'strict', since such schemas mostly come from outside
   */
  readonly names?: 'strict' | 'any'
}

const where = 'fromJsonSchema()'

/**
 * Makes a table of a JSON Schema (drafts 4 to 2020-12) whose type is `object`: one column for each property.
 *
 * What belongs to a column stands in its `x-db`, see `ColumnMeta`. What belongs to the table stands at the top, or in the
 * `x-db` there: `primaryKey` (a name, or several), `indexes` and `unique` (each a name, several, or
 * `{ keys, name?, unique?, method?, include? }` with keys `{ column, direction?, collation? }`). `a.b` is the value of `b` inside
 * of the JSON column `a`. It can have no SQL, since schemas may come from people who should not write any.
 *
 * @throws {SchemaError}
 * @throws {IdentifierError} for a name that is not allowed
 *
 * @example
 * fromJsonSchema(
 *   {
 *     type: 'object',
 *     primaryKey: 'id',
 *     properties: { id: { type: 'string', format: 'uuid' }, status: { enum: ['open', 'closed'] }, at: { type: 'string', format: 'date-time' } },
 *     required: ['id', 'status', 'at'],
 *     indexes: ['at', ['status', 'at']],
 *   },
 *   { name: 'tickets' },
 * )
 */
export function fromJsonSchema(
  schema: Readonly<Record<string, unknown>>,
  options: FromJsonSchemaOptions = {},
): TableDefinition {
  checkOptionNames(where, options, ['name', 'schema', 'names'])
  const { names = 'strict' } = options
  if (names !== 'strict' && names !== 'any')
    invalidOption(where, 'names', names, "'strict' or 'any'")
  if (!isJsonSchema(schema)) invalidOption(where, 'schema', schema, 'a JSON Schema, as an object')
  const head = headOf(schema, options.name)
  const { table } = head
  if (!isJsonSchema(schema.properties)) {
    throw new SchemaError(
      'NOT_A_SCHEMA',
      table,
      undefined,
      `The schema of ${table} has no \`properties\`, and a table is made of an object. Give it some.`,
    )
  }
  const keys = primaryKeyOf(head)
  const required = new Set([...(schema.required ?? []), ...keys])
  const fields = Object.entries(schema.properties).map(([name, property]) =>
    jsonField(table, name, property, schema, required.has(name)),
  )
  const columns = new Map(fields.map((field) => [field.name, columnName(field)]))
  const made = tableOfFields(
    {
      name: table,
      schema: options.schema,
      description: typeof schema.description === 'string' ? schema.description : undefined,
      notEnforced: ofRows
        .filter((keyword) => schema[keyword] !== undefined)
        .map((keyword) => ({ column: '*', what: keyword, why: 'no CHECK is made of it' })),
    },
    fields,
  )
  const named: Named = { table, columns, properties: schema.properties }
  return checkedTable(
    {
      ...made,
      primaryKey: keys.length > 0 ? keys.map((key) => columns.get(key) ?? key) : made.primaryKey,
      indexes: [
        ...made.indexes,
        ...listOf(head, 'indexes').map((index) => indexOf(index, false, named)),
        ...listOf(head, 'unique').map((index) => indexOf(index, true, named)),
      ],
    },
    { strictNames: names === 'strict' },
  )
}

/** What a schema may demand of a row as a whole. */
const ofRows: readonly string[] = [
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'dependentRequired',
  'dependentSchemas',
  'minProperties',
  'maxProperties',
]

interface Head {
  readonly table: string
  /** The schema itself, and its `x-db` over it. */
  readonly parts: Readonly<Record<string, unknown>>
}

function headOf(schema: JsonSchema, name: string | undefined): Head {
  const own = schema['x-db'] ?? {}
  const named = isJsonSchema(own) ? own['name'] : undefined
  const table = name ?? named
  if (typeof table !== 'string') {
    return invalidOption(
      where,
      'name',
      table,
      "the table's name, here or in the `x-db` of the schema",
    )
  }
  if (!isJsonSchema(own)) {
    throw new SchemaError(
      'INVALID_META',
      table,
      undefined,
      `\`x-db\` of ${table} is not an object.`,
    )
  }
  const known = ['name', 'primaryKey', 'indexes', 'unique']
  const unknown = Object.keys(own).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    throw new SchemaError(
      'UNKNOWN_META',
      table,
      undefined,
      `\`x-db\` of ${table} has no ${JSON.stringify(unknown)}. It takes ${known.join(', ')}.`,
    )
  }
  const { primaryKey, indexes, unique } = schema
  return { table, parts: { primaryKey, indexes, unique, ...own } }
}

function primaryKeyOf({ table, parts }: Head): readonly string[] {
  const { primaryKey } = parts
  if (primaryKey === undefined) return []
  // RxDB's key of several fields.
  const given = isJsonSchema(primaryKey) ? primaryKey['fields'] : primaryKey
  const keys = [given].flat()
  if (keys.every((key) => typeof key === 'string')) return keys
  throw new SchemaError(
    'INVALID_META',
    table,
    undefined,
    `\`primaryKey\` of ${table} is ${JSON.stringify(primaryKey)}. It takes the name of a property, or an array of them.`,
  )
}

function listOf({ table, parts }: Head, key: 'indexes' | 'unique'): readonly unknown[] {
  const list = parts[key]
  if (list === undefined) return []
  if (Array.isArray(list)) return list
  throw new SchemaError(
    'INVALID_META',
    table,
    undefined,
    `\`${key}\` of ${table} is ${JSON.stringify(list)}. It takes an array, such as ["a", ["a", "b"]].`,
  )
}

interface Named {
  readonly table: string
  /** Columns by the names of their properties. */
  readonly columns: ReadonlyMap<string, string>
  readonly properties: JsonSchema
}

function indexOf(given: unknown, isUnique: boolean, named: Named): IndexDefinition {
  if (!isJsonSchema(given)) {
    const keys = [given].flat().map((key) => keyOf(key, given, named))
    if (keys.length === 0) wrongIndex(given, named)
    return { keys, unique: isUnique }
  }
  const { keys, name, unique = isUnique, method, include, ...more } = given
  const fits =
    Array.isArray(keys) &&
    keys.length > 0 &&
    (name === undefined || typeof name === 'string') &&
    typeof unique === 'boolean' &&
    (method === undefined || (isJsonSchema(method) && Object.values(method).every(isWord))) &&
    (include === undefined ||
      (Array.isArray(include) && include.every((column) => typeof column === 'string'))) &&
    Object.keys(more).length === 0
  if (!fits) wrongIndex(given, named)
  return {
    ...(name !== undefined && { name }),
    keys: keys.map((key) => keyOf(key, given, named)),
    unique,
    ...(method !== undefined && { method: method as IndexDefinition['method'] & object }),
    ...(include !== undefined && {
      include: (include as readonly string[]).map((key) => named.columns.get(key) ?? key),
    }),
  }
}

function isWord(value: unknown): boolean {
  return typeof value === 'string' && /^\w+$/.test(value)
}

function keyOf(given: unknown, index: unknown, named: Named): IndexKey {
  if (typeof given === 'string') return { expression: expressionOf(given, named) }
  if (!isJsonSchema(given)) return wrongIndex(index, named)
  const { column, direction, collation, ...more } = given
  const fits =
    typeof column === 'string' &&
    (direction === undefined || direction === 'asc' || direction === 'desc') &&
    (collation === undefined || typeof collation === 'string') &&
    Object.keys(more).length === 0
  if (!fits) return wrongIndex(index, named)
  return {
    expression: expressionOf(column, named),
    ...(direction !== undefined && { direction }),
    ...(collation !== undefined && { collation }),
  }
}

function expressionOf(given: string, named: Named): Expression {
  const column = named.columns.get(given)
  if (column !== undefined) return { kind: 'column', name: column }
  const [outer, ...path] = given.split('.') as [string, ...string[]]
  const inside = named.columns.get(outer)
  if (inside === undefined || path.length === 0) return { kind: 'column', name: given }
  let schema: unknown = named.properties[outer]
  for (const key of path) schema = isJsonSchema(schema) ? schema.properties?.[key] : undefined
  const type = isJsonSchema(schema) ? schema.type : undefined
  const as = Object.hasOwn(comparable, String(type)) ? (type as JsonPath['as']) : undefined
  if (as !== undefined) return { kind: 'json', column: inside, path, as }
  throw new SchemaError(
    'INVALID_KEY',
    named.table,
    given,
    `An index of ${named.table} is over ${JSON.stringify(given)}, which is no string, number, integer or boolean of the schema. Declare it among the \`properties\` of ${JSON.stringify(outer)}.`,
  )
}

const comparable: Readonly<Record<JsonPath['as'], true>> = {
  string: true,
  number: true,
  integer: true,
  boolean: true,
}

function wrongIndex(index: unknown, { table }: Named): never {
  throw new SchemaError(
    'INVALID_META',
    table,
    undefined,
    `An index of ${table} is ${JSON.stringify(index)}. It takes the name of a property, an array of them, or { keys, name?, unique?, method?, include? }.`,
  )
}
