import { describeValue, type EngineName, invalidOption } from '@keelson/core'
import { SchemaError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { TableDefinition } from '../ir/table-definition.ts'

/**
 * Makes a function that turns a row, as a schema gives it, into what the columns of the table take on an engine, whatever the
 * driver: moments become UTC with milliseconds, objects and lists the text of their JSON, booleans 0 and 1 where there are
 * none. `undefined` is left out, so that it becomes the column's DEFAULT; keys that are no columns stay as they are.
 *
 * @throws {SchemaError} `VALUE`, by the function, for a moment that a column would not keep exactly, for what is no moment, and for what
 * JSON cannot say
 *
 * @example
 * const encode = rowEncoder(tickets, 'sqlite')
 * await db.insertInto('tickets').values(encode(Ticket.parse(body))).execute()
 */
export function rowEncoder(
  table: TableDefinition,
  engine: EngineName,
): (row: Readonly<Record<string, unknown>>) => Record<string, unknown> {
  if (!Object.hasOwn(moments, engine)) {
    invalidOption('rowEncoder()', 'engine', engine, Object.keys(moments).join(', '))
  }
  const encoders = new Map<string, Encode>()
  for (const column of table.columns) {
    const encode = encoderOf(column, table.name, engine)
    if (encode !== undefined) encoders.set(column.name, encode)
  }
  return (row) => {
    const encoded: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(row)) {
      if (value === undefined) continue
      const encode = value === null ? undefined : encoders.get(name)
      encoded[name] = encode === undefined ? value : encode(value)
    }
    return encoded
  }
}

type Encode = (value: unknown) => unknown

/** How each engine writes a moment of which the text in ISO 8601, in UTC, with milliseconds is given. */
const moments: Readonly<Record<EngineName, (iso: string) => string>> = {
  sqlite: (iso) => iso,
  duckdb: (iso) => iso,
  postgresql: (iso) => iso,
  // It takes no Z.
  mysql: (iso) => iso.slice(0, -1).replace('T', ' '),
}

const withoutBooleans: ReadonlySet<EngineName> = new Set(['sqlite', 'mysql'])
const withLists: ReadonlySet<EngineName> = new Set(['duckdb', 'postgresql'])

function encoderOf(
  { name, type, override }: ColumnDefinition,
  table: string,
  engine: EngineName,
): Encode | undefined {
  if (type.kind === 'json') return (value) => jsonOf(value, table, name)
  // What another type takes is not known here.
  if (override?.[engine] !== undefined) return undefined
  switch (type.kind) {
    case 'datetime':
      return (value) => moments[engine](isoOf(value, table, name))
    case 'boolean':
      return withoutBooleans.has(engine)
        ? (value) => (value === true ? 1 : value === false ? 0 : value)
        : undefined
    case 'decimal':
      return (value) =>
        typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
    case 'array': {
      if (!withLists.has(engine)) return (value) => jsonOf(value, table, name)
      const encode = encoderOf({ name, type: type.of, nullable: false }, table, engine)
      if (encode === undefined) return undefined
      return (value) => (Array.isArray(value) ? value.map(encode) : value)
    }
    default:
      return undefined
  }
}

function jsonOf(value: unknown, table: string, field: string): string {
  const instead = 'Turn it into texts, numbers, lists and plain objects first'
  // `undefined` for a function or a symbol, whatever the declaration says.
  let text: string | undefined
  try {
    text = JSON.stringify(value) as string | undefined
  } catch (error) {
    const why = `it cannot be written as JSON (${error instanceof Error ? error.message : String(error)})`
    throw refusal(value, table, field, why, instead, { cause: error })
  }
  if (text !== undefined) return text
  throw refusal(value, table, field, 'JSON has nothing like it', instead)
}

function refusal(
  value: unknown,
  table: string,
  field: string,
  why: string,
  instead: string,
  options?: ErrorOptions,
): SchemaError {
  const message = `${table}.${field} cannot hold ${describeValue(value)}: ${why}. ${instead}.`
  return new SchemaError('VALUE', table, field, message, options)
}

function isoOf(value: unknown, table: string, field: string): string {
  const refuse = (why: string, instead: string): never => {
    throw refusal(value, table, field, why, instead)
  }
  if (typeof value === 'string') {
    if (!/^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:?\d\d)$/.test(value)) {
      return refuse('it is no moment in ISO 8601 with a zone', "Write '2026-01-31T12:00:00Z'")
    }
    if (/\.\d{3}\d*[1-9]/.test(value)) return refuse('a moment has milliseconds', 'Round it first')
  }
  if (typeof value !== 'string' && !(value instanceof Date)) {
    return refuse('it is neither a Date nor a text', 'Make a Date of it')
  }
  const date = new Date(value)
  const iso = Number.isNaN(date.getTime()) ? '' : date.toISOString()
  if (/^\d{4}-/.test(iso) && !iso.startsWith('0000')) return iso
  return refuse('a moment is in the years 1 to 9999', 'Check where it comes from')
}
