import type { ColumnDefinition } from '../ir/column.ts'
import type { Literal, Predicate } from '../ir/expression.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type {
  CheckDefinition,
  ForeignKeyDefinition,
  NotEnforced,
  TableDefinition,
} from '../ir/table-definition.ts'
import type { Demand, Field } from './field.ts'

/** What a table has besides its fields. */
export interface TableHead {
  readonly name: string
  readonly schema?: string | undefined
  readonly description?: string | undefined
  /** What the source demands of a row as a whole. */
  readonly notEnforced?: readonly NotEnforced[]
}

/** Puts fields together to a table; the same for every language they were declared in. */
export function tableOfFields(head: TableHead, fields: readonly Field[]): TableDefinition {
  const columns: ColumnDefinition[] = []
  const primaryKey: string[] = []
  const indexes: IndexDefinition[] = []
  const foreignKeys: ForeignKeyDefinition[] = []
  const checks: CheckDefinition[] = []
  const notEnforced: NotEnforced[] = []
  for (const field of fields) {
    const { meta } = field
    const name = columnName(field)
    columns.push(columnOf(field, name))
    if (meta.primaryKey === true) primaryKey.push(name)
    // One index serves both.
    if (meta.unique === true || meta.index === true) {
      indexes.push({
        keys: [{ expression: { kind: 'column', name } }],
        unique: meta.unique === true,
      })
    }
    if (meta.references !== undefined) {
      const { table, column, onDelete, onUpdate } = meta.references
      foreignKeys.push({
        columns: [name],
        referencedTable: table,
        referencedColumns: [column],
        ...(onDelete !== undefined && { onDelete }),
        ...(onUpdate !== undefined && { onUpdate }),
      })
    }
    const isRetyped = typeOf(field).kind !== field.type.kind
    // A check that was asked for twice is one.
    const seen = new Set<string>()
    for (const demand of field.demands) {
      const words = wordsOf(demand)
      if (seen.has(words)) continue
      seen.add(words)
      if (isRetyped) notEnforced.push({ column: name, what: words, why: retyped })
      else checks.push({ predicate: predicateOf(demand, name) })
    }
    for (const { what, why } of field.notEnforced) notEnforced.push({ column: name, what, why })
  }
  notEnforced.push(...(head.notEnforced ?? []))
  return {
    name: head.name,
    ...(head.schema !== undefined && { schema: head.schema }),
    columns,
    primaryKey,
    indexes,
    foreignKeys,
    checks,
    queries: [],
    ...(head.description !== undefined && { description: head.description }),
    ...(notEnforced.length > 0 && { notEnforced }),
  }
}

/** The name that a field has as a column. */
export function columnName(field: Pick<Field, 'name' | 'meta'>): string {
  return field.meta.name ?? field.name
}

function columnOf(field: Field, name: string): ColumnDefinition {
  const { meta } = field
  const given = defaultOf(field)
  return {
    name,
    type: typeOf(field),
    nullable: field.nullable,
    ...(given !== undefined && { default: given }),
    ...(meta.identity === true && { identity: true }),
    ...(meta.type !== undefined && { override: meta.type }),
    ...(field.description !== undefined && { description: field.description }),
  }
}

function typeOf({ meta, type }: Field): PortableType {
  if (meta.decimal !== undefined) {
    const [precision, scale] = meta.decimal
    return { kind: 'decimal', precision, scale }
  }
  if (meta.kind === undefined || meta.kind === type.kind) return type
  return { kind: meta.kind }
}

function defaultOf({ meta, default: given }: Field): ColumnDefinition['default'] {
  if (meta.default === false || meta.identity === true) return undefined
  return meta.default === 'now' ? { kind: 'now' } : given
}

const retyped = '`db` gives the column another type, whose values may compare otherwise'

/** A demand as the list of what is not enforced shows it. */
export function wordsOf(demand: Demand): string {
  const shown = (value: Literal): string =>
    typeof value === 'bigint' ? `${value}n` : JSON.stringify(value)
  if ('values' in demand) return `one of ${demand.values.map(shown).join(', ')}`
  return `${demand.of === 'length' ? 'length ' : ''}${demand.operator} ${shown(demand.value)}`
}

function predicateOf(demand: Demand, name: string): Predicate {
  const column = { kind: 'column', name } as const
  if ('values' in demand) return { kind: 'in', expression: column, values: demand.values }
  return {
    kind: 'compare',
    operator: demand.operator,
    expression:
      demand.of === 'length' ? { kind: 'call', function: 'length', argument: column } : column,
    value: demand.value,
  }
}
