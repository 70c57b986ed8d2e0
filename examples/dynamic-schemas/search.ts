/**
 * `GET /schemas/:name/records`: filters, one sort, a page at a time.
 *
 * The next page begins after the last record of this one (keyset), whatever was inserted meanwhile, and costs no more than
 * the first. Records without a value in the field that is sorted by come last, on every engine.
 */
import { indexName } from '@keelson/indexes'
import type {
  ComparisonOperatorExpression,
  Expression,
  ExpressionBuilder,
  SelectQueryBuilder,
  SqlBool,
} from 'kysely'
import type { Database } from './database.ts'
import { type Plan, planOf } from './plan.ts'
import { Problem } from './problem.ts'
import { recordOf, type Row } from './records.ts'
import { keysOf, type Schema } from './schemas.ts'

export interface Page {
  readonly records: readonly Row[]
  /** What to pass as `after` for the next page; null at the end. */
  readonly next: string | null
  readonly plans?: readonly Plan[]
}

export async function findRecords(
  database: Database,
  schema: Schema,
  parameters: URLSearchParams,
): Promise<Page> {
  const search = searchOf(schema, parameters, database)
  const { limit, field, explain } = search
  const plans: Plan[] = []
  const rows: Row[] = []
  for (const query of pages(database, schema, search)) {
    const missing = limit + 1 - rows.length
    if (missing === 0) break
    const limited = query.limit(missing)
    if (explain) plans.push(await planOf(database, limited))
    rows.push(...(await limited.execute()))
  }
  const records = rows.slice(0, limit).map((row) => recordOf(schema, row))
  const last = records.at(-1)
  const next = rows.length > limit && last !== undefined ? cursorOf(last[field], last['id']) : null
  return { records, next, ...(explain && { plans }) }
}

interface Search {
  readonly filters: readonly Filter[]
  readonly field: string
  readonly direction: 'asc' | 'desc'
  readonly limit: number
  /** The value and the id of the record that the page before has ended with. */
  readonly after: Place | undefined
  readonly explain: boolean
}

interface Place {
  readonly value: unknown
  readonly id: unknown
}

interface Filter {
  readonly field: string
  readonly operator: ComparisonOperatorExpression
  readonly value: unknown
}

/** Those with a value first, then those without: one query each, each served by the index over the field and the id. */
function* pages(database: Database, schema: Schema, search: Search): Generator<Query> {
  const { field, direction, after } = search
  const query = matching(database, schema, search.filters)
  const operator = direction === 'asc' ? '>' : '<'
  if (field === 'id') {
    yield (after === undefined ? query : query.where('id', operator, after.id)).orderBy(
      'id',
      direction,
    )
    return
  }
  const isNullable = schema.table.columns.some(({ name, nullable }) => name === field && nullable)
  if (after?.value !== null) {
    const valued = isNullable ? query.where(field, 'is not', null) : query
    const rest =
      after === undefined ? valued : valued.where(isBehind(database, field, operator, after))
    yield rest.orderBy(field, direction).orderBy('id', direction)
  }
  if (!isNullable) return
  const without = query.where(field, 'is', null)
  yield (after?.value === null ? without.where('id', operator, after.id) : without).orderBy(
    'id',
    direction,
  )
}

/** What the filters let through. */
function matching(
  { db, engine }: Database,
  { table, indexes }: Schema,
  filters: readonly Filter[],
): Query {
  let query: Query = db.selectFrom(table.name).selectAll()
  for (const { field, operator, value } of filters) query = query.where(field, operator, value)
  const [filter] = filters
  const isFound =
    filters.length === 1 &&
    filter?.operator === '=' &&
    indexes.some(({ fields }) => fields[0] === filter.field)
  // DuckDB finds the first rows of an order by a filter of its own, and reads no index where there are two filters.
  if (engine !== 'duckdb' || !isFound) return query
  return db
    .with(
      (cte) => cte('found').materialized(),
      () => query,
    )
    .selectFrom('found')
    .selectAll()
}

function isBehind({ engine }: Database, field: string, operator: '>' | '<', { value, id }: Place) {
  return (eb: ExpressionBuilder<any, string>): Expression<SqlBool> =>
    engine === 'duckdb'
      ? // It takes a tuple of parameters for one of texts.
        eb.or([eb(field, operator, value), eb.and([eb(field, '=', value), eb('id', operator, id)])])
      : eb(eb.refTuple(field, 'id'), operator, eb.tuple(value, id))
}

type Query = SelectQueryBuilder<any, string, Row>

const operators: Readonly<Record<string, ComparisonOperatorExpression>> = {
  eq: '=',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  in: 'in',
}

function searchOf(schema: Schema, parameters: URLSearchParams, database: Database): Search {
  const filters: Filter[] = []
  const settings: Record<string, string> = {}
  for (const [name, text] of parameters) {
    const [where, field, operator = 'eq', ...more] = name.split('.')
    if (
      where === 'where' &&
      field !== undefined &&
      Object.hasOwn(operators, operator) &&
      more.length === 0
    ) {
      const read = (each: string): unknown => valueOf(schema, field, each, true)
      checkSearched(schema, field, database)
      const value = operator === 'in' ? text.split(',').map(read) : read(text)
      filters.push({ field, operator: operators[operator]!, value })
    } else if (known.has(name)) {
      if (Object.hasOwn(settings, name)) {
        throw new Problem(
          400,
          'REPEATED_PARAMETER',
          `${name} is there more than once, and only one of them could count. Pass one.`,
        )
      }
      settings[name] = text
    } else {
      throw new Problem(
        400,
        'UNKNOWN_PARAMETER',
        `There is no parameter ${JSON.stringify(name)}. There are ${[...known].join(', ')} and where.<field> or where.<field>.<${Object.keys(operators).join('|')}>.`,
      )
    }
  }
  const { sort = 'id', limit = '50', after, explain = '0' } = settings
  const field = sort.replace(/^-/, '')
  checkSearched(schema, field, database)
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > 1_000) {
    throw new Problem(
      400,
      'INVALID_LIMIT',
      `The limit is 1 to 1000, and not ${JSON.stringify(limit)}.`,
    )
  }
  if (explain !== '0' && explain !== '1') {
    throw new Problem(
      400,
      'INVALID_EXPLAIN',
      `explain is 1 to see the plans, or 0, and not ${JSON.stringify(explain)}.`,
    )
  }
  return {
    filters,
    field,
    direction: sort.startsWith('-') ? 'desc' : 'asc',
    limit: Number(limit),
    after: after === undefined ? undefined : afterOf(schema, field, after),
    explain: explain === '1',
  }
}

const known = new Set(['sort', 'limit', 'after', 'explain'])

/** Refuses what no index serves, with the reason that the engine has for it. */
function checkSearched(
  { name, table, indexes, refused }: Schema,
  field: string,
  { engine }: Database,
): void {
  const column = table.columns.find((each) => each.name === field)
  if (column === undefined) {
    const fields = table.columns.map((each) => each.name).join(', ')
    throw new Problem(
      400,
      'NO_FIELD',
      `${name} has no field ${JSON.stringify(field)}. It has ${fields}.`,
      { field },
    )
  }
  // DuckDB keeps the least and the greatest value of each block of a column, and skips blocks: that is its index.
  const { kind } = column.type
  if (engine === 'duckdb' && kind !== 'json' && kind !== 'array' && kind !== 'blob') return
  if (field === 'id' || indexes.some(({ fields }) => fields[0] === field)) return
  const index = indexName(table, { keys: keysOf(field), unique: false }, engine)
  const refusal = refused.find((each) => each.index === index)
  const why = refusal === undefined ? `it holds ${kind}` : `${refusal.why}. ${refusal.instead}`
  throw new Problem(422, 'NOT_SERVED', `No index serves ${JSON.stringify(field)}: ${why}.`, {
    field,
  })
}

/** Takes what stands in a URL, or in a cursor, for a value of the field. */
function valueOf({ codecs }: Schema, field: string, value: unknown, isText: boolean): unknown {
  const codec = codecs.get(field)
  if (codec === undefined) return undefined
  const { success, data, error } = codec.input.safeParse(
    isText ? codec.ofText(String(value)) : value,
  )
  if (success && data !== undefined) return data
  const why = error?.issues.map(({ message }) => message).join('; ') ?? 'there is none'
  throw new Problem(
    400,
    'INVALID_VALUE',
    `${JSON.stringify(value)} is no value of ${JSON.stringify(field)}: ${why}.`,
    { field },
  )
}

function cursorOf(value: unknown, id: unknown): string {
  return Buffer.from(JSON.stringify([value, id])).toString('base64url')
}

function afterOf(schema: Schema, field: string, cursor: string): Place {
  try {
    const [value, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return {
      value: value === null ? null : valueOf(schema, field, value, false),
      id: valueOf(schema, 'id', id, false),
    }
  } catch {
    throw new Problem(
      400,
      'INVALID_CURSOR',
      'Pass as `after` what the page before had as `next`, with the same `sort`.',
    )
  }
}
