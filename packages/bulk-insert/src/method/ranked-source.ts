import { type EngineName, quoteIdentifier } from '@keelson/core'

/** The column that numbers the rows of a source. */
export const ordinalName = 'keelson_ordinal'

/** What DuckDB says where two rows of one statement have one key, and that is an error. */
export const duplicateMark = 'keelson: two rows of the input have the same key'

/**
 * A query that leaves, of several rows with one key, the first or the last: an engine that takes the rows of a statement
 * as a set cannot decide between them. A key with a NULL in it is like no other.
 *
 * @param source a query or table, with the columns and `keelson_ordinal`
 * @param key the columns of the key
 */
export function rankedSource(
  engine: EngineName,
  source: string,
  names: readonly string[],
  key: readonly string[],
  keep: 'first' | 'last',
): string {
  const quote = (name: string): string => quoteIdentifier(name, engine)
  const list = names.map(quote).join(', ')
  const order = keep === 'last' ? ' desc' : ''
  return (
    `select ${list} from (select *, row_number() over (partition by ${partition(quote, key)} order by ${ordinalName}${order}) as keelson_rank ` +
    `from ${source}) as keelson_ranked where keelson_rank = 1 order by ${ordinalName}`
  )
}

/** A query for DuckDB that fails where two rows have one key: its upsert would take the first, and say nothing. */
export function refusingSource(
  source: string,
  names: readonly string[],
  key: readonly string[],
): string {
  const quote = (name: string): string => quoteIdentifier(name, 'duckdb')
  return (
    `select ${names.map(quote).join(', ')} from (select *, count(*) over (partition by ${partition(quote, key)}) as keelson_count ` +
    `from ${source}) where if(keelson_count > 1, error('${duplicateMark}'), true) order by ${ordinalName}`
  )
}

/**
 * A query for the rows whose key another one has, each by its number with that of the first one of them.
 *
 * @param source a query or table, with the columns and `keelson_ordinal`
 */
export function sameKeysQuery(engine: EngineName, source: string, key: readonly string[]): string {
  const parts = key.map((name) => quoteIdentifier(name, engine)).join(', ')
  return (
    `select cast(${ordinalName} as integer) as keelson_row, cast(keelson_first as integer) as keelson_first from (` +
    `select ${ordinalName}, min(${ordinalName}) over (partition by ${parts}) as keelson_first, ` +
    `count(*) over (partition by ${parts}) as keelson_count from ${source}) as keelson_keys ` +
    `where keelson_count > 1 order by ${ordinalName}`
  )
}

/** What the query has found, as groups of positions in what was asked about. */
export function groupsOf(rows: readonly Readonly<Record<string, unknown>>[]): number[][] {
  const groups = new Map<number, number[]>()
  for (const row of rows) {
    const first = Number(row['keelson_first'])
    const group = groups.get(first)
    if (group === undefined) groups.set(first, [Number(row['keelson_row'])])
    else group.push(Number(row['keelson_row']))
  }
  return [...groups.values()]
}

function partition(quote: (name: string) => string, key: readonly string[]): string {
  const parts = key.map(quote)
  const isNull = parts.map((part) => `${part} is null`).join(' or ')
  return [...parts, `case when ${isNull} then ${ordinalName} end`].join(', ')
}
