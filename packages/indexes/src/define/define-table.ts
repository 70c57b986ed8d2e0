import { checkOptionNames } from '@keelson/core'
import type { $ZodObject, input, output } from 'zod/v4/core'
import type { Predicate } from '../ir/expression.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { columnName } from '../read/table-of-fields.ts'
import { checkedTable } from '../read/checked-table.ts'
import { readZod } from '../read/zod/read-zod.ts'
import type { IndexBuilder } from './index-builder.ts'
import { type Operators, operators } from './operators.ts'
import { given } from './predicates.ts'
import type { QueryBuilder } from './query-builder.ts'
import type { Column, Columns } from './typed-expression.ts'

declare const rowType: unique symbol

/** A table, and the type of its rows in TypeScript, which is in no object: at run time it is plain data. */
export type DefinedTable<Row> = TableDefinition & { readonly [rowType]?: Row }

/** The rows of a table that `defineTable()` has returned. */
export type InferRow<Table extends DefinedTable<any>> =
  Table extends DefinedTable<infer Row> ? Row : never

/** What a table has besides its columns. */
export interface TableParts {
  /** In place of what `db: { primaryKey: true }` says; the order is that of the key. */
  readonly primaryKey?: readonly Column[]
  readonly indexes?: readonly IndexBuilder[]
  /** How the table is asked; indexes are derived where those above do not serve. */
  readonly queries?: readonly QueryBuilder[]
  readonly foreignKeys?: readonly ForeignKeyDefinition[]
  readonly checks?: readonly Predicate[]
}

export interface DefineTableOptions<Io extends 'input' | 'output' = 'input' | 'output'> {
  /** The schema that holds the table. @default the connection's own */
  readonly schema?: string
  /** Whether what parsing takes, or what it gives, is stored. @default 'output' */
  readonly io?: Io
}

type RowOf<Schema extends $ZodObject, Io> = Io extends 'input' ? input<Schema> : output<Schema>

/**
 * Makes a table of an object of zod 4 or zod/mini: one column for each field, in their order. What an engine can check of
 * the schema becomes a CHECK that refuses nothing which the schema accepts; the rest is listed in `notEnforced`. A default is
 * taken over if it is a constant.
 *
 * A field says more of its column by `.meta({ db: { primaryKey, unique, index, references, ... } })`, see `ColumnMeta`.
 * Without `primaryKey` the table has no key, whatever its fields are called.
 *
 * @param build declares indexes, or how the table is asked. Its `columns` have the names of the fields.
 * @throws {SchemaError} for what no column can hold, and for contradictions, naming the field
 *
 * @example
 * const Ticket = z.object({
 *   id: z.uuid().meta({ db: { primaryKey: true } }),
 *   status: z.enum(['open', 'closed']),
 *   closedAt: z.date().optional(),
 * })
 * const tickets = defineTable('tickets', Ticket, (columns, { index, desc, isNotNull }) => ({
 *   indexes: [index(columns.status, desc(columns.closedAt)).where(isNotNull(columns.closedAt))],
 * }))
 */
export function defineTable<Schema extends $ZodObject, Io extends 'input' | 'output' = 'output'>(
  name: string,
  schema: Schema,
  build?: (columns: Columns<RowOf<Schema, Io>>, operators: Operators) => TableParts,
  options: DefineTableOptions<Io> = {},
): DefinedTable<RowOf<Schema, Io>> {
  checkOptionNames('defineTable()', options, ['schema', 'io'])
  const { table, fields } = readZod(name, schema, {
    io: options.io ?? 'output',
    schema: options.schema,
  })
  // A misspelled one is undefined, which the operators refuse.
  const columns: Record<string, Column> = Object.create(null)
  for (const field of fields) columns[field.name] = { kind: 'column', name: columnName(field) }
  const parts = build?.(columns as Columns<RowOf<Schema, Io>>, operators) ?? {}
  checkOptionNames('What defineTable() was given', parts, [
    'primaryKey',
    'indexes',
    'queries',
    'foreignKeys',
    'checks',
  ])
  return checkedTable({
    ...table,
    primaryKey:
      parts.primaryKey?.map((column) => given('primaryKey', column).name) ?? table.primaryKey,
    indexes: [...table.indexes, ...(parts.indexes ?? []).map(({ definition }) => definition)],
    queries: (parts.queries ?? []).map(({ pattern }) => pattern),
    foreignKeys: [...table.foreignKeys, ...(parts.foreignKeys ?? [])],
    checks: [...table.checks, ...(parts.checks ?? []).map((predicate) => ({ predicate }))],
  })
}
