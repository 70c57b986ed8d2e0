import type {
  CatalogueCheck,
  CatalogueColumn,
  CatalogueForeignKey,
  CatalogueIndex,
  CatalogueIndexColumn,
  CatalogueKey,
  CatalogueTable,
} from './catalogue.ts'
import {
  type DuckDBTableText,
  readDuckDBIndex,
  readDuckDBTable,
  withoutParentheses,
} from './duckdb-ddl.ts'
import { type CatalogueRow, flagOf, textOf } from './rows.ts'

/** What the queries say of one table. */
export interface DuckDBTableRows {
  readonly columns: readonly CatalogueRow[]
  readonly constraints: readonly CatalogueRow[]
  readonly indexes: readonly CatalogueRow[]
}

/** Puts together what the rows say of a table or a view with what only its text says. */
export function readDuckDBTableRows(
  row: CatalogueRow,
  { columns, constraints, indexes }: DuckDBTableRows,
): CatalogueTable {
  const kind = row['kind'] === 'view' ? 'view' : 'table'
  const written = kind === 'table' ? readDuckDBTable(textOf(row['sql'])) : undefined
  const keys = constraints.filter((each) => origins.has(textOf(each['kind'])))
  const collationOf = (column: string): string => written?.collations.get(column) ?? 'binary'
  const common = {
    name: textOf(row['name']),
    schema: textOf(row['schema']),
    kind,
    columns: columns.map((column) => readColumn(column, written)),
    uniques: keys.filter((key) => key['kind'] === 'UNIQUE').map(readKey),
    indexes: [
      ...keys.map((key) => readKeyIndex(key, collationOf)),
      ...indexes.map((index) => readIndex(index, collationOf)),
    ],
  } as const
  if (kind === 'view') return { ...common, foreignKeys: [] }
  const primaryKey = keys.find((key) => key['kind'] === 'PRIMARY KEY')
  return {
    ...common,
    ...(primaryKey !== undefined && { primaryKey: readKey(primaryKey) }),
    foreignKeys: constraints
      .filter((constraint) => constraint['kind'] === 'FOREIGN KEY')
      .map(readForeignKey),
    checks: constraints.filter((constraint) => constraint['kind'] === 'CHECK').map(readCheck),
  }
}

const origins: ReadonlyMap<string, CatalogueIndex['origin']> = new Map([
  ['PRIMARY KEY', 'primaryKey'],
  ['UNIQUE', 'unique'],
])

function readColumn(row: CatalogueRow, written: DuckDBTableText | undefined): CatalogueColumn {
  const name = textOf(row['name'])
  const fallback = row['dflt']
  const expression = written?.generated.get(name)
  const collation = written?.collations.get(name)
  return {
    name,
    type: textOf(row['type']),
    nullable: flagOf(row['nullable']),
    // Of a generated column DuckDB shows the expression here once more.
    ...(expression === undefined && typeof fallback === 'string' && { default: fallback }),
    // https://duckdb.org/docs/stable/sql/statements/create_table#generated-columns: it stores none.
    ...(expression !== undefined && { generated: { expression, stored: false } }),
    autoIncrement: expression === undefined && /^nextval\(/i.test(textOf(fallback)),
    ...(collation !== undefined && { collation }),
  }
}

// The name in duckdb_constraints() is DuckDB's own: the one that was given is not kept.
function readKey(row: CatalogueRow): CatalogueKey {
  return { columns: namesOf(row['cols']) }
}

function readForeignKey(row: CatalogueRow): CatalogueForeignKey {
  return {
    columns: namesOf(row['cols']),
    referencedTable: textOf(row['parent']),
    referencedColumns: namesOf(row['referenced']),
    // It takes no other actions, and checks at once.
    onDelete: 'no action',
    onUpdate: 'no action',
    deferrable: 'no',
  }
}

function readCheck(row: CatalogueRow): CatalogueCheck {
  return { expression: withoutParentheses(textOf(row['expression'])) }
}

type CollationOf = (column: string) => string

/** The index behind a key, which duckdb_indexes() leaves out. */
function readKeyIndex(row: CatalogueRow, collationOf: CollationOf): CatalogueIndex {
  return {
    name: textOf(row['name']),
    unique: true,
    partial: undefined,
    columns: namesOf(row['cols']).map((name) => indexColumn({ name }, collationOf)),
    origin: origins.get(textOf(row['kind'])) ?? 'unique',
  }
}

function readIndex(row: CatalogueRow, collationOf: CollationOf): CatalogueIndex {
  return {
    name: textOf(row['idx']),
    unique: flagOf(row['uniq']),
    partial: undefined,
    columns: readDuckDBIndex(textOf(row['sql'])).map((key) => indexColumn(key, collationOf)),
    origin: 'index',
  }
}

function indexColumn(
  key: { readonly name: string } | { readonly expression: string },
  collationOf: CollationOf,
): CatalogueIndexColumn {
  const collation = 'name' in key ? collationOf(key.name) : 'binary'
  // DESC is taken and forgotten.
  return { ...key, descending: false, collation }
}

function namesOf(json: unknown): readonly string[] {
  return JSON.parse(textOf(json)) as string[]
}
