import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { PortableKind, PortableType } from '../ir/portable-type.ts'
import { columnTypeSql } from '../sql/print-table.ts'
import { jsonListType } from './driver-values.ts'
import { stringCode } from './typescript.ts'

/** How Drizzle declares a column of a type. */
export interface DrizzleColumn {
  /** What `drizzle-orm/<engine>-core` exports: `text`. */
  readonly factory: string
  /** Its options, `{ mode: 'json' }`; undefined for none. */
  readonly options?: string
  /** Calls on what it returns: `.$type<string[]>()`. */
  readonly calls: readonly string[]
  /** What a value is in JavaScript, as far as a constant can be written for it: drizzle-kit takes no bigint. */
  readonly constant?: 'string' | 'number' | 'boolean'
  /** The engine's type, where Drizzle has no factory for it: the file makes one of its own by this name. */
  readonly custom?: CustomType
}

export interface CustomType {
  readonly native: string
  /** Code of the type of its values. */
  readonly data: string
}

/** The modules of Drizzle, and what makes a table. */
export const drizzleDialects: Readonly<
  Record<
    EngineName,
    {
      readonly module: string
      readonly table: string
      readonly schema: string | undefined
      readonly extra: string
    }
  >
> = {
  sqlite: {
    module: 'drizzle-orm/sqlite-core',
    table: 'sqliteTable',
    schema: undefined,
    extra: 'SQLiteTableExtraConfigValue',
  },
  duckdb: {
    module: 'drizzle-orm/pg-core',
    table: 'pgTable',
    schema: 'pgSchema',
    extra: 'PgTableExtraConfigValue',
  },
  postgresql: {
    module: 'drizzle-orm/pg-core',
    table: 'pgTable',
    schema: 'pgSchema',
    extra: 'PgTableExtraConfigValue',
  },
  mysql: {
    module: 'drizzle-orm/mysql-core',
    table: 'mysqlTable',
    schema: 'mysqlSchema',
    extra: 'MySqlTableExtraConfigValue',
  },
}

export function drizzleColumn(column: ColumnDefinition, engine: EngineName): DrizzleColumn {
  if (column.override?.[engine] !== undefined) {
    const native = columnTypeSql(column, engine)
    return { factory: 'customType', calls: [], custom: { native, data: dataType(column.type) } }
  }
  return columnOf(column.type, engine)
}

type Simple = readonly [
  factory: string,
  options?: string | undefined,
  constant?: DrizzleColumn['constant'],
]
type Kinds = Readonly<Record<Exclude<PortableKind, 'enum' | 'array' | 'decimal' | 'blob'>, Simple>>

const sqlite: Kinds = {
  string: ['text', undefined, 'string'],
  int32: ['integer', undefined, 'number'],
  integer: ['integer', undefined, 'number'],
  bigint: ['integer', undefined, 'number'],
  number: ['real', undefined, 'number'],
  boolean: ['integer', `{ mode: 'boolean' }`, 'boolean'],
  date: ['text', undefined, 'string'],
  datetime: ['text', undefined, 'string'],
  uuid: ['text', undefined, 'string'],
  json: ['text', `{ mode: 'json' }`],
}

const postgresql: Kinds = {
  string: ['text', undefined, 'string'],
  int32: ['integer', undefined, 'number'],
  integer: ['bigint', `{ mode: 'number' }`, 'number'],
  bigint: ['bigint', `{ mode: 'bigint' }`],
  number: ['doublePrecision', undefined, 'number'],
  boolean: ['boolean', undefined, 'boolean'],
  date: ['date', undefined, 'string'],
  datetime: ['timestamp', `{ precision: 3, withTimezone: true }`],
  uuid: ['uuid', undefined, 'string'],
  json: ['jsonb'],
}

const duckdb: Kinds = { ...postgresql, datetime: ['timestamp'], json: ['json'] }

const mysql: Kinds = {
  string: ['text', undefined, 'string'],
  int32: ['int', undefined, 'number'],
  integer: ['bigint', `{ mode: 'number' }`, 'number'],
  bigint: ['bigint', `{ mode: 'bigint' }`],
  number: ['double', undefined, 'number'],
  boolean: ['boolean', undefined, 'boolean'],
  date: ['date', `{ mode: 'string' }`, 'string'],
  datetime: ['datetime', `{ fsp: 3 }`],
  uuid: ['char', `{ length: 36 }`, 'string'],
  json: ['json'],
}

const kinds: Readonly<Record<EngineName, Kinds>> = { sqlite, duckdb, postgresql, mysql }

function columnOf(type: PortableType, engine: EngineName): DrizzleColumn {
  switch (type.kind) {
    case 'array': {
      if (engine === 'sqlite' || engine === 'mysql') {
        const calls = [`.$type<${jsonListType(type)}>()`]
        return engine === 'sqlite'
          ? { factory: 'text', options: `{ mode: 'json' }`, calls }
          : { factory: 'json', calls }
      }
      const { constant: _, ...of } = columnOf(type.of, engine)
      return { ...of, calls: [...of.calls, '.array()'] }
    }
    case 'blob':
      return blobOf(engine)
    case 'decimal':
      return engine === 'sqlite'
        ? { factory: 'text', calls: [], constant: 'string' }
        : {
            factory: engine === 'mysql' ? 'decimal' : 'numeric',
            options: `{ precision: ${type.precision}, scale: ${type.scale} }`,
            calls: [],
            constant: 'string',
          }
    case 'enum': {
      const values = `enum: [${type.values.map(stringCode).join(', ')}]`
      if (engine !== 'mysql')
        return { factory: 'text', options: `{ ${values} }`, calls: [], constant: 'string' }
      const length = Math.max(1, ...type.values.map((value) => Array.from(value).length))
      return {
        factory: 'varchar',
        options: `{ length: ${length}, ${values} }`,
        calls: [],
        constant: 'string',
      }
    }
    case 'string':
      // The bound up to which the SQL has a VARCHAR.
      if (engine === 'mysql' && type.maxLength !== undefined && type.maxLength <= 16_383) {
        return {
          factory: 'varchar',
          options: `{ length: ${type.maxLength} }`,
          calls: [],
          constant: 'string',
        }
      }
  }
  const [factory, options, constant] = kinds[engine][type.kind]
  return {
    factory,
    calls: [],
    ...(options !== undefined && { options }),
    ...(constant !== undefined && { constant }),
  }
}

function blobOf(engine: EngineName): DrizzleColumn {
  if (engine === 'sqlite') return { factory: 'blob', options: `{ mode: 'buffer' }`, calls: [] }
  const natives = { duckdb: 'blob', postgresql: 'bytea', mysql: 'longblob' } as const
  return {
    factory: 'customType',
    calls: [],
    custom: { native: natives[engine], data: 'Uint8Array' },
  }
}

/** Of a value whose type is the engine's own. */
function dataType(type: PortableType): string {
  switch (type.kind) {
    case 'int32':
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'blob':
      return 'Uint8Array'
    case 'bigint':
    case 'json':
    case 'array':
      return 'unknown'
    default:
      return 'string'
  }
}
