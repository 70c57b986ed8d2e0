import type { CatalogueIndexColumn, CatalogueTable } from '@keelson/core'
import type { LiveColumn, LiveIndex, LiveKey, LiveTable } from './live-table.ts'

/** What of a table core's catalogue readers tell. */
export function liveTable(
  table: CatalogueTable,
  isDefaultCollation: (collation: string) => boolean,
): LiveTable {
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
          keys: columns.map((column) => liveKey(column, isDefaultCollation)),
          ...(partial !== undefined && { where: partial }),
          constraint: origin === 'unique',
        }
      }),
  }
}

function liveColumn(column: CatalogueTable['columns'][number]): LiveColumn {
  const { name, type, nullable, generated, autoIncrement } = column
  return {
    name,
    native: type,
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
  isDefaultCollation: (collation: string) => boolean,
): LiveKey {
  return {
    ...(name === undefined ? { expression: expression ?? '' } : { column: name }),
    descending,
    ...(!isDefaultCollation(collation) && { collation }),
  }
}
