import { type EngineName, engineTraits } from '@keelson/core'
import type { Expression } from '../ir/expression.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { foreignKeyName } from '../names/constraint-name.ts'
import { indexTable, type IndexedTable } from './indexed-table.ts'
import { keyBytes, nameOfKey } from './key-bytes.ts'
import { orderOf, placeFirst } from './key-order.ts'
import { primaryKeyOf } from './redundancy.ts'
import { refusedName } from './refused-name.ts'
import { resolveIndexes } from './resolve-indexes.ts'
import type { RefusalCode } from '../ir/refusal.ts'
import { methodOf } from '../sql/index-method.ts'

/** Something of a table that works, and works badly. */
export interface LintFinding {
  readonly table: string
  /** The index, foreign key or column. */
  readonly object: string
  readonly code: LintCode
  /** What is wrong, in a sentence. */
  readonly message: string
  /** What to do instead, in a sentence. */
  readonly instead: string
}

export type LintCode =
  | RefusalCode
  /** Deleting a row of the other table, and every join, reads this whole one. */
  | 'FOREIGN_KEY_WITHOUT_INDEX'
  /** An index over nothing but a boolean, or an enum of a few values. */
  | 'LOW_SELECTIVITY'
  /** A unique index over text without a bound, in which a long value fails. */
  | 'WIDE_TEXT'
  /** PostgreSQL cuts names off, and two become one. */
  | 'NAME_TOO_LONG'

/**
 * What is wrong with the indexes of tables, such as live ones from `introspect()`: all that `resolveIndexes()` would refuse,
 * foreign keys without an index, indexes that find too many rows, names that are too long.
 *
 * @throws {DefinitionError} for an index over a column that its table does not have
 *
 * @example
 * lintTables(await introspect(db), 'sqlite')
 * // [{ table: 'orders', object: 'ix_orders_paid_0c...', code: 'LOW_SELECTIVITY', ... }]
 */
export function lintTables(
  tables: readonly TableDefinition[],
  engine: EngineName,
): readonly LintFinding[] {
  return tables.flatMap((table) => {
    const indexed = indexTable(table, engine)
    return [
      ...refusedOf(table, engine),
      ...foreignKeysWithoutIndex(indexed),
      ...table.indexes.flatMap((index) => ofIndex(index, indexed)),
      ...longNames(table, engine),
    ]
  })
}

function refusedOf(table: TableDefinition, engine: EngineName): readonly LintFinding[] {
  return resolveIndexes(table, engine).refused.map(({ index, code, why, instead }) => ({
    table: table.name,
    object: index,
    code,
    message: `Index ${JSON.stringify(index)}: ${why}`,
    instead,
  }))
}

function foreignKeysWithoutIndex(table: IndexedTable): readonly LintFinding[] {
  const { definition, engine } = table
  // DuckDB has an index for each foreign key, as InnoDB has.
  if (engine === 'duckdb' || engine === 'mysql') return []
  const isPlain = (index: IndexDefinition): boolean =>
    index.where === undefined && methodOf(index, engine) === undefined
  const orders = [
    primaryKeyOf(table),
    ...resolveIndexes(definition, engine)
      .indexes.filter(isPlain)
      .map(({ keys }) => keys),
  ]
  const hasIndex = ({ columns }: ForeignKeyDefinition): boolean => {
    const wanted = columns.map((name) => ({ expression: { kind: 'column', name } as const }))
    return orders.some((keys) => placeFirst([wanted], orderOf(keys)) !== undefined)
  }
  return definition.foreignKeys
    .filter((key) => !hasIndex(key))
    .map((key) => ({
      table: definition.name,
      object: foreignKeyName(definition, key),
      code: 'FOREIGN_KEY_WITHOUT_INDEX',
      message:
        `No index begins with ${key.columns.join(', ')}: to delete a row of ${key.referencedTable}, ` +
        'and to find those that refer to it, the whole table is read',
      instead: `Create an index on (${key.columns.join(', ')}), unless the table stays small`,
    }))
}

function ofIndex(index: IndexDefinition, table: IndexedTable): readonly LintFinding[] {
  const { definition, engine } = table
  const finding = { table: definition.name, object: refusedName(definition, index, engine) }
  const width = keyBytes(index, table)
  const found: LintFinding[] = []
  if (index.unique && engine === 'postgresql' && 'unbounded' in width) {
    found.push({
      ...finding,
      code: 'WIDE_TEXT',
      message: `An entry of a B-tree has at most 2,704 bytes, and ${nameOfKey(width.unbounded, table)} has no bound: a longer one fails`,
      instead: 'Give it a maxLength of at most 676',
    })
  }
  if (
    !index.unique &&
    index.where === undefined &&
    index.keys.every(({ expression }) => hasFewValues(expression, table))
  ) {
    found.push({
      ...finding,
      code: 'LOW_SELECTIVITY',
      message:
        'It is over nothing but a few values, so that each finds a large part of the table, more slowly than a scan',
      instead:
        'Put it before the column by which these rows are sorted, or index the rare value alone with `where`',
    })
  }
  return found
}

/** With fewer, each has more than a twelfth of the rows: a scan reads them faster than an index finds them. */
const fewValues = 12

function hasFewValues(expression: Expression, table: IndexedTable): boolean {
  if (expression.kind === 'json') return expression.as === 'boolean'
  if (expression.kind !== 'column') return false
  const type = table.columnOf(expression)?.type
  return type?.kind === 'boolean' || (type?.kind === 'enum' && type.values.length < fewValues)
}

function longNames(table: TableDefinition, engine: EngineName): readonly LintFinding[] {
  const { maxIdentifierBytes, maxIdentifierCharacters } = engineTraits[engine]
  const isLong = (name: string): boolean =>
    Buffer.byteLength(name) > (maxIdentifierBytes ?? Number.POSITIVE_INFINITY) ||
    Array.from(name).length > (maxIdentifierCharacters ?? Number.POSITIVE_INFINITY)
  const names = [
    table.name,
    ...table.columns.map(({ name }) => name),
    ...[...table.indexes, ...table.checks, ...table.foreignKeys].flatMap(({ name }) => name ?? []),
  ]
  const limit =
    maxIdentifierBytes === undefined
      ? `${maxIdentifierCharacters} characters`
      : `${maxIdentifierBytes} bytes`
  return names.filter(isLong).map((name) => ({
    table: table.name,
    object: name,
    code: 'NAME_TOO_LONG',
    message: `${engine} has names of at most ${limit}, and two that begin alike become one`,
    instead: 'Give it a shorter name',
  }))
}
