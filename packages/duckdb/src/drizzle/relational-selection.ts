import {
  aliasedTableColumn,
  Column,
  getOrderByOperators,
  is,
  mapColumnsInAliasedSQLToAlias,
  mapColumnsInSQLToAlias,
  type Relation,
  type SQL,
  sql,
} from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type {
  BuildRelationalQueryResult,
  DBQueryConfig,
  TableRelationalConfig,
} from 'drizzle-orm/relations'
import { getOperators } from './internals.ts'

/** What a relational query selects, field by field, with related rows as one field. */
export type RelationalSelection = BuildRelationalQueryResult['selection']

/** What `findMany()` is given, or a relation in its `with`. */
export type RelationalOptions = DBQueryConfig<'many', true>

/** The columns of a table under the name that it has in the query. */
export type AliasedColumns = Readonly<Record<string, PgColumn>>

export function aliasedColumns(
  { columns }: TableRelationalConfig,
  tableAlias: string,
): AliasedColumns {
  return Object.fromEntries(
    Object.entries(columns).map(([key, column]) => [
      key,
      aliasedTableColumn(column as PgColumn, tableAlias),
    ]),
  )
}

/** The columns and extras that are selected of the table itself. */
export function* ownFields(
  config: RelationalOptions,
  { columns: all }: TableRelationalConfig,
  tableAlias: string,
  columns: AliasedColumns,
): Generator<RelationalSelection[number]> {
  const item = (tsKey: string, dbKey: string, field: PgColumn | SQL.Aliased) => ({
    dbKey,
    tsKey,
    field,
    relationTableTsKey: undefined,
    isJson: false,
    selection: [],
  })
  for (const key of selectedColumns(config.columns, all)) {
    yield item(key, all[key]!.name, columns[key]!)
  }
  const extras =
    typeof config.extras === 'function' ? config.extras(columns, { sql }) : config.extras
  for (const [key, extra] of Object.entries(extras ?? {})) {
    yield item(key, extra.fieldAlias, mapColumnsInAliasedSQLToAlias(extra, tableAlias))
  }
}

/** As Drizzle reads `columns`: those that are `true`, or if none is, all but those that are `false`. */
function selectedColumns(
  wanted: RelationalOptions['columns'],
  columns: Readonly<Record<string, Column>>,
): readonly string[] {
  const named = Object.entries(wanted ?? {}).filter(
    ([key, value]) => value !== undefined && key in columns,
  )
  if (wanted === undefined) return Object.keys(columns)
  if (named.length === 0) return []
  const included = named.filter(([, value]) => value === true).map(([key]) => key)
  if (included.length > 0) return included
  const excluded = new Set(named.map(([key]) => key))
  return Object.keys(columns).filter((key) => !excluded.has(key))
}

/** A relation that is asked for, and what of it. */
export interface RelatedTable {
  readonly relation: Relation
  readonly config: true | RelationalOptions
}

export function relationsIn(
  config: RelationalOptions,
  { relations }: TableRelationalConfig,
): readonly (readonly [key: string, RelatedTable])[] {
  return Object.entries(config.with ?? {})
    .filter(([, wanted]) => Boolean(wanted))
    .map(([key, wanted]) => [
      key,
      { relation: relations[key]!, config: wanted as unknown as true | RelationalOptions },
    ])
}

export function whereOf(
  { where }: RelationalOptions,
  tableAlias: string,
  columns: AliasedColumns,
): SQL | undefined {
  const condition = typeof where === 'function' ? where(columns, getOperators()) : where
  return condition && mapColumnsInSQLToAlias(condition, tableAlias)
}

export function orderOf(
  { orderBy }: RelationalOptions,
  tableAlias: string,
  columns: AliasedColumns,
): SQL[] {
  const order = typeof orderBy === 'function' ? orderBy(columns, getOrderByOperators()) : orderBy
  return [order ?? []]
    .flat()
    .map((each) =>
      is(each, Column)
        ? sql`${aliasedTableColumn(each, tableAlias)}`
        : mapColumnsInSQLToAlias(each, tableAlias),
    )
}
