import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { PortableKind, PortableType, ScalarType } from '../ir/portable-type.ts'
import { stringCode } from './typescript.ts'

/** What a driver gives for the values of a type, and what it takes: code of TypeScript types. */
export interface DriverValue {
  readonly read: string
  readonly write: string
}

/**
 * The values of a column as they pass through an engine's driver with its default options: those of `@keelson/sqlite`,
 * `@keelson/duckdb`, `pg` and `mysql2`.
 */
export function driverValue({ type }: ColumnDefinition, engine: EngineName): DriverValue {
  const { values, arrays } = drivers[engine]
  if (type.kind !== 'array') return valueOf(type, values)
  if (arrays === 'json text') return same('string')
  if (arrays === 'json') return { read: listOf(jsonScalar(type.of)), write: 'string' }
  const element = valueOf(type.of, { ...values, ...arrays })
  return { read: listOf(element.read), write: listOf(element.write) }
}

/** A list of what stands inside of JSON. */
export function jsonListType(type: PortableType): string {
  return listOf(jsonScalar(type.kind === 'array' ? type.of : type))
}

type Values = Readonly<Record<Exclude<PortableKind, 'enum' | 'array'>, DriverValue>>

interface Driver {
  readonly values: Values
  /** As a text or as JSON; or as a list, with what its elements are in place of the values. */
  readonly arrays: 'json text' | 'json' | Partial<Values>
}

const text = same('string')
const number = same('number')

const drivers: Readonly<Record<EngineName, Driver>> = {
  sqlite: {
    arrays: 'json text',
    values: {
      string: text,
      int32: number,
      integer: number,
      bigint: { read: 'number', write: 'number | bigint' },
      number,
      boolean: number,
      decimal: text,
      date: text,
      datetime: text,
      uuid: text,
      json: text,
      blob: same('Uint8Array'),
    },
  },
  duckdb: {
    arrays: {},
    values: {
      string: text,
      int32: number,
      integer: number,
      bigint: { read: 'number', write: 'number | bigint' },
      number,
      boolean: same('boolean'),
      decimal: { read: 'string', write: 'string | number' },
      date: { read: 'string', write: 'string | Date' },
      datetime: { read: 'string', write: 'string | Date' },
      uuid: text,
      json: same('Json'),
      blob: same('Uint8Array'),
    },
  },
  postgresql: {
    arrays: { decimal: { read: 'number', write: 'string | number' } },
    values: {
      string: text,
      int32: number,
      integer: { read: 'string', write: 'number | bigint | string' },
      bigint: { read: 'string', write: 'number | bigint | string' },
      number,
      boolean: same('boolean'),
      decimal: { read: 'string', write: 'string | number' },
      date: { read: 'Date', write: 'string | Date' },
      datetime: { read: 'Date', write: 'string | Date' },
      uuid: text,
      json: { read: 'Json', write: 'string' },
      blob: same('Uint8Array'),
    },
  },
  mysql: {
    arrays: 'json',
    values: {
      string: text,
      int32: number,
      integer: number,
      bigint: { read: 'number', write: 'number | bigint | string' },
      number,
      boolean: { read: 'number', write: 'number | boolean' },
      decimal: { read: 'string', write: 'string | number' },
      date: { read: 'Date', write: 'string | Date' },
      datetime: { read: 'Date', write: 'string | Date' },
      uuid: text,
      json: { read: 'Json', write: 'string' },
      blob: same('Uint8Array'),
    },
  },
}

function valueOf(type: ScalarType, values: Values): DriverValue {
  return type.kind === 'enum' ? same(unionOf(type.values)) : values[type.kind]
}

function jsonScalar(type: ScalarType): string {
  switch (type.kind) {
    case 'enum':
      return unionOf(type.values)
    case 'int32':
    case 'integer':
    case 'bigint':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'json':
      return 'unknown'
    default:
      return 'string'
  }
}

function unionOf(values: readonly string[]): string {
  return [...new Set(values)].map(stringCode).join(' | ')
}

function listOf(element: string): string {
  return element.includes(' | ') ? `(${element})[]` : `${element}[]`
}

function same(type: string): DriverValue {
  return { read: type, write: type }
}
