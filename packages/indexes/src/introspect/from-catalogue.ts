import type { CatalogueIndexColumn, CatalogueTable } from '@keelson/core'
import type { NotEnforced } from '../ir/table-definition.ts'
import {
  deferrableKey,
  type LiveColumn,
  type LiveIndex,
  type LiveKey,
  type LiveTable,
} from './live-table.ts'

/** What of a table core's catalogue readers tell. */
export function liveTable(table: CatalogueTable): LiveTable {
  const collations = new Map(table.columns.map(({ name, collation }) => [name, collation]))
  return {
    name: table.name,
    columns: table.columns.map((column) => liveColumn(column)),
    primaryKey: table.primaryKey?.columns ?? [],
    foreignKeys: table.foreignKeys.map(
      ({ name, columns, referencedTable, referencedColumns, onDelete, onUpdate }) => ({
        ...(name !== undefined && { name }),
        columns,
        referencedTable,
        // A key whose parent is missing names none.
        referencedColumns: referencedColumns ?? [],
        onDelete,
        onUpdate,
      }),
    ),
    checks: table.checks ?? [],
    indexes: table.indexes
      .filter(({ origin }) => origin !== 'primaryKey')
      .map((index): LiveIndex => {
        const { name, unique, partial, columns, origin } = index
        return {
          name,
          unique,
          keys: columns.map((column) =>
            liveKey(column, (column.name && collations.get(column.name)) ?? 'binary'),
          ),
          ...(partial !== undefined && { where: partial }),
          constraint: origin === 'unique',
        }
      }),
    unsaid: unsaidOf(table),
  }
}

function unsaidOf({ foreignKeys, withoutRowid }: CatalogueTable): readonly NotEnforced[] {
  const waiting = foreignKeys.flatMap(({ columns, deferrable = 'no' }) =>
    deferrable === 'no' ? [] : [deferrableKey(columns, deferrable)],
  )
  if (withoutRowid !== true) return waiting
  const why = 'a table that is created from a definition has row ids'
  return [{ column: '*', what: 'without rowid', why }, ...waiting]
}

function liveColumn(column: CatalogueTable['columns'][number]): LiveColumn {
  const { name, type, nullable, generated, autoIncrement, collation } = column
  return {
    name,
    // It belongs to what stands after the name: a column of the type alone would compare otherwise.
    native: collation === undefined ? type : `${type} collate ${collation}`,
    nullable,
    ...(column.default !== undefined && { default: column.default }),
    ...(generated !== undefined && {
      generated: { sql: generated.expression ?? '', stored: generated.stored },
    }),
    identity: autoIncrement,
  }
}

function liveKey(
  { name, expression, descending, collation }: CatalogueIndexColumn,
  ofColumn: string,
): LiveKey {
  return {
    ...(name === undefined ? { expression: expression ?? '' } : { column: name }),
    descending,
    ...(collation.toLowerCase() !== ofColumn.toLowerCase() && { collation }),
  }
}
