import type {
  CatalogueColumn,
  CatalogueForeignKey,
  CatalogueIndex,
  CatalogueIndexColumn,
  CatalogueKey,
  CatalogueTable,
  ReferentialAction,
} from './catalogue.ts'
import { type CatalogueRow, flagOf, groupRows, integerOf, textOf } from './rows.ts'
import {
  readSqliteIndex,
  readSqliteTable,
  type SqliteIndexKeyText,
  type SqliteTableText,
} from './sqlite-ddl.ts'

/** What the queries say of one table. */
export interface SqliteTableRows {
  readonly columns: readonly CatalogueRow[]
  readonly indexes: readonly CatalogueRow[]
  readonly foreignKeys: readonly CatalogueRow[]
}

/** Puts together what the rows say of a table, a view or a virtual table with what only its text says. */
export function readSqliteTableRows(
  row: CatalogueRow,
  schema: string,
  rows: SqliteTableRows,
): CatalogueTable {
  const kind = kinds.find((known) => known === row['kind']) ?? 'table'
  const written = kind === 'table' ? readSqliteTable(textOf(row['sql'])) : undefined
  const withoutRowid = flagOf(row['wr'])
  const indexes = readIndexes(rows.indexes)
  const keyed = rows.columns
    .filter((column) => integerOf(column['pk']) > 0)
    .toSorted((a, b) => integerOf(a['pk']) - integerOf(b['pk']))
  // https://www.sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key: all other keys have an index.
  const rowidAlias = keyed.length === 1 && !indexes.some((index) => index.origin === 'primaryKey')
  const name = textOf(row['name'])
  const common = { name, schema, kind, uniques: readUniques(indexes, written), indexes }
  const columns = rows.columns.map((column) =>
    readColumn(column, written, rowidAlias && keyed[0] === column),
  )
  if (written === undefined) return { ...common, columns, foreignKeys: [] }
  return {
    ...common,
    columns,
    ...(keyed.length > 0 && {
      primaryKey: named(
        written.primaryKeyName,
        keyed.map((column) => textOf(column['name'])),
      ),
    }),
    foreignKeys: readForeignKeys(rows.foreignKeys, written),
    checks: written.checks,
    strict: flagOf(row['strict']),
    withoutRowid,
  }
}

const kinds: readonly CatalogueTable['kind'][] = ['table', 'view', 'virtual']

function readColumn(
  row: CatalogueRow,
  written: SqliteTableText | undefined,
  rowidAlias: boolean,
): CatalogueColumn {
  const name = textOf(row['name'])
  const generated = integerOf(row['hidden'])
  const collation = written?.collations.get(name)
  return {
    name,
    type: textOf(row['type']),
    // An alias of the rowid takes NULL for "the next number" and never holds one.
    nullable: !flagOf(row['notnull']) && !rowidAlias,
    ...(typeof row['dflt'] === 'string' && { default: row['dflt'] }),
    ...(generated > 0 && {
      generated: { expression: written?.generated.get(name), stored: generated === 3 },
    }),
    autoIncrement: rowidAlias && written?.autoIncrement === true,
    ...(rowidAlias && { rowidAlias }),
    ...(collation !== undefined && { collation }),
  }
}

function readIndexes(rows: readonly CatalogueRow[]): readonly CatalogueIndex[] {
  return Array.from(groupRows(rows, 'idx'), ([name, keys]) => {
    const first = keys[0] ?? {}
    const sql = first['sql']
    const written = typeof sql === 'string' ? readSqliteIndex(sql) : undefined
    return {
      name,
      unique: flagOf(first['uniq']),
      partial: written?.where,
      columns: keys.map((key, position) => {
        const common = { descending: flagOf(key['descending']), collation: textOf(key['coll']) }
        const column = key['name']
        if (typeof column === 'string') return { name: column, ...common }
        return { ...expressionOf(written?.keys[position], common.collation), ...common }
      }),
      origin: origins.get(textOf(first['origin'])) ?? 'index',
    }
  })
}

const origins: ReadonlyMap<string, CatalogueIndex['origin']> = new Map([
  ['u', 'unique'],
  ['pk', 'primaryKey'],
])

/** A COLLATE at the end is the key's collation when SQLite took it for that, and part of the expression otherwise. */
function expressionOf(
  key: SqliteIndexKeyText | undefined,
  collation: string,
): Pick<CatalogueIndexColumn, 'expression'> {
  if (key === undefined) return {}
  const taken = key.collation !== undefined && sameName(key.collation, collation)
  return { expression: taken ? key.uncollated : key.text }
}

function readUniques(
  indexes: readonly CatalogueIndex[],
  written: SqliteTableText | undefined,
): readonly CatalogueKey[] {
  return indexes
    .filter((index) => index.origin === 'unique')
    .map((index) => {
      const columns = index.columns.map((column) => column.name ?? '')
      const constraint = written?.uniques.find((unique) => sameNames(unique.columns, columns))
      return named(constraint?.name, columns)
    })
}

function readForeignKeys(
  rows: readonly CatalogueRow[],
  written: SqliteTableText,
): readonly CatalogueForeignKey[] {
  // SQLite counts them backwards; the rows come in the order of the declarations.
  return Array.from(groupRows(rows, 'id').values(), (parts, position) => {
    const first = parts[0] ?? {}
    const columns = parts.map((part) => textOf(part['child']))
    const referencedTable = textOf(first['parent'])
    const declared = written.foreignKeys[position]
    const same =
      declared !== undefined &&
      sameNames(declared.columns, columns) &&
      sameName(declared.referencedTable, referencedTable)
    return {
      ...named(same ? declared.name : undefined, columns),
      referencedTable,
      referencedColumns: parts.every((part) => typeof part['referenced'] === 'string')
        ? parts.map((part) => textOf(part['referenced']))
        : undefined,
      onDelete: action(first['del']),
      onUpdate: action(first['upd']),
      deferrable: same ? declared.deferrable : undefined,
    }
  })
}

function action(value: unknown): ReferentialAction {
  const word = textOf(value).toLowerCase()
  return actions.find((known) => known === word) ?? 'no action'
}

const actions: readonly ReferentialAction[] = [
  'no action',
  'restrict',
  'cascade',
  'set null',
  'set default',
]

function named(name: string | undefined, columns: readonly string[]): CatalogueKey {
  return name === undefined ? { columns } : { name, columns }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => sameName(name, b[index] ?? ''))
}

function sameName(a: string, b: string): boolean {
  return folded(a) === folded(b)
}

/** SQLite tells upper from lower case in all letters but these. */
function folded(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
