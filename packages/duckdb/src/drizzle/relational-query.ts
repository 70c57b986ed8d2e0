/**
 * The SQL of `db.query`. Drizzle's own asks PostgreSQL for the related rows as JSON, which DuckDB writes otherwise and
 * which has no dates, no bytes and no large integers. DuckDB has lists and structs, so the related rows come as those,
 * with every value in its own type.
 */
import { invalidOption } from '@keelson/core'
import {
  aliasedTable,
  aliasedTableColumn,
  and,
  Column,
  DrizzleError,
  eq,
  getTableUniqueName,
  is,
  Many,
  type Placeholder,
  type Relation,
  SQL,
  sql,
  Subquery,
} from 'drizzle-orm'
import type { PgColumn, PgDialect, PgTable } from 'drizzle-orm/pg-core'
import type { BuildRelationalQueryResult } from 'drizzle-orm/relations'
import { normalizeRelation } from './internals.ts'
import {
  aliasedColumns,
  orderOf,
  ownFields,
  type RelatedTable,
  type RelationalOptions,
  type RelationalSelection,
  relationsIn,
  whereOf,
} from './relational-selection.ts'

export type RelationalConfig = Parameters<PgDialect['buildRelationalQueryWithoutPK']>[0]
export type RelationalResult = BuildRelationalQueryResult<PgTable, PgColumn>

/** What building needs of the dialect. */
export interface RelationalBuilder {
  buildSelectQuery(config: SelectConfig): SQL
  buildRelationalQueryWithoutPK(config: RelationalConfig): RelationalResult
  /** The column as it is selected, where its values would not arrive as its decoder wants them. */
  delivered(column: PgColumn): SQL | undefined
}

type SelectConfig = Parameters<PgDialect['buildSelectQuery']>[0]
type Join = NonNullable<SelectConfig['joins']>[number]

/** Of the rows of a table with their relations: a select of its own, or the `"data"` for a row of another table. */
export function buildRelationalQuery(
  dialect: RelationalBuilder,
  level: RelationalConfig,
): RelationalResult {
  const { table, tableConfig, tableAlias, nestedQueryRelation: relation } = level
  const config: RelationalOptions = level.queryConfig === true ? {} : level.queryConfig
  const columns = aliasedColumns(tableConfig, tableAlias)
  const selection = [...ownFields(config, tableConfig, tableAlias, columns)]
  const joins: Join[] = []
  for (const [key, related] of relationsIn(config, tableConfig)) {
    const alias = `${tableAlias}_${key}`
    const built = buildRelated(dialect, level, alias, related)
    joins.push({
      on: sql`true`,
      table: new Subquery(built.sql as SQL, {}, alias),
      alias,
      joinType: 'left',
      lateral: true,
    })
    selection.push({
      dbKey: key,
      tsKey: key,
      field: sql`${sql.identifier(alias)}.${sql.identifier('data')}`.as(key),
      relationTableTsKey: built.tableTsKey,
      isJson: true,
      selection: built.selection,
    })
  }
  if (selection.length === 0) {
    throw new DrizzleError({
      message: `No fields selected for table "${tableConfig.tsName}" ("${tableAlias}")`,
    })
  }
  const query: Select = {
    table: aliasedTable(table, tableAlias),
    where: and(level.joinOn, whereOf(config, tableAlias, columns)),
    orderBy: orderOf(config, tableAlias, columns),
    limit: config.limit,
    offset: config.offset,
    joins,
  }
  const fields = selection.map((item) => delivered(dialect, item))
  return {
    tableTsKey: tableConfig.tsName,
    sql:
      relation === undefined
        ? select(dialect, query, fields)
        : selectRelated(dialect, query, fields, relation, tableAlias),
    selection: selection as RelationalResult['selection'],
  }
}

interface Select {
  readonly table: SelectConfig['table']
  readonly where: SQL | undefined
  readonly orderBy: SQL[]
  readonly limit: number | Placeholder | undefined
  readonly offset: number | Placeholder | undefined
  readonly joins: Join[]
}

function buildRelated(
  dialect: RelationalBuilder,
  { fullSchema, schema, tableNamesMap, tableAlias }: RelationalConfig,
  alias: string,
  { relation, config }: RelatedTable,
): RelationalResult {
  const { fields, references } = normalizeRelation(schema, tableNamesMap, relation)
  const tsName = tableNamesMap[getTableUniqueName(relation.referencedTable)]!
  return dialect.buildRelationalQueryWithoutPK({
    fullSchema,
    schema,
    tableNamesMap,
    table: fullSchema[tsName] as PgTable,
    tableConfig: schema[tsName]!,
    queryConfig: config,
    tableAlias: alias,
    joinOn: and(
      ...fields.map((field, index) =>
        eq(aliasedTableColumn(references[index]!, alias), aliasedTableColumn(field, tableAlias)),
      ),
    )!,
    nestedQueryRelation: relation,
  })
}

function delivered(
  dialect: RelationalBuilder,
  { field }: RelationalSelection[number],
): PgColumn | SQL | SQL.Aliased {
  if (!is(field, Column)) return field
  return dialect.delivered(field as PgColumn) ?? (field as PgColumn)
}

function select(
  dialect: RelationalBuilder,
  { table, where, orderBy, limit, offset, joins }: Select,
  fields: readonly (PgColumn | SQL | SQL.Aliased)[],
): SQL {
  return dialect.buildSelectQuery({
    table,
    fields: {},
    fieldsFlat: fields.map((field) => ({ path: [], field })),
    where,
    orderBy,
    limit,
    offset,
    joins,
    setOperators: [],
  } as SelectConfig)
}

/**
 * A struct for the one related row, a list of structs for many. The members are called by their positions: two columns
 * may have names that DuckDB takes for the same.
 */
function selectRelated(
  dialect: RelationalBuilder,
  query: Select,
  fields: readonly (PgColumn | SQL | SQL.Aliased)[],
  relation: Relation,
  tableAlias: string,
): SQL {
  const members = fields.map((field, index) => {
    const value = is(field, SQL.Aliased) ? field.sql : field
    return sql`${sql.raw(`'${index}'`)}: ${value}`
  })
  const struct = sql`{${sql.join(members, sql`, `)}}`
  const rest = { ...query, orderBy: [], limit: undefined, offset: undefined }
  if (!is(relation, Many)) {
    return select(dialect, rest, [sql`first(${struct})`.as('data')])
  }
  const order =
    query.orderBy.length > 0 ? sql` order by ${sql.join(query.orderBy, sql`, `)}` : undefined
  const list = sql`coalesce(list(${struct}${order}), [])`
  const { limit, offset } = query
  if (typeof limit === 'object' || typeof offset === 'object') {
    return select(dialect, rest, [sql`${list}${slice(limit, offset)}`.as('data')])
  }
  if (limit === undefined && offset === undefined) return select(dialect, rest, [list.as('data')])
  // Before the join with relations of its own, which are not asked for rows that are left out.
  const limited = select(
    dialect,
    { ...query, joins: [], limit: constant('limit', limit), offset: constant('offset', offset) },
    [sql.raw('*') as SQL],
  )
  const table = new Subquery(limited, {}, tableAlias)
  return select(dialect, { ...rest, table, where: undefined }, [list.as('data')])
}

/**
 * DuckDB: "Non-constant limit not supported in correlated subquery".
 *
 * @throws {OptionError} for anything but a number, which would become a part of the SQL
 */
function constant(name: 'limit' | 'offset', count: number | undefined): Select['limit'] {
  if (count === undefined) return undefined
  if (!Number.isSafeInteger(count) || count < 0)
    invalidOption('with', name, count, 'a whole number from 0, or a placeholder')
  return sql.raw(`${count}`) as unknown as number
}

function slice(limit: Select['limit'], offset: Select['offset']): SQL {
  const start = offset ?? 0
  const end = limit === undefined ? undefined : sql`${start}::bigint + ${limit}::bigint`
  return sql`[${start}::bigint + 1:${end}]`
}
