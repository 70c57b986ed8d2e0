/** How the engine finds the records of a page, in its own words. */
import { CompiledQuery, type SelectQueryBuilder } from 'kysely'
import type { Database, Engine } from './database.ts'

export interface Plan {
  /** Whether an index finds the records, or has them in order. */
  readonly usesIndex: boolean
  readonly lines: readonly string[]
}

export async function planOf(
  { db, engine }: Database,
  query: SelectQueryBuilder<any, string, any>,
): Promise<Plan> {
  const { explain, column, linesOf, index } = explains[engine]
  const { sql, parameters } = query.compile()
  const { rows } = await db.executeQuery<Record<string, string>>(
    CompiledQuery.raw(`${explain} ${sql}`, [...parameters]),
  )
  const lines = rows.flatMap((row) => linesOf(row[column]!))
  return { usesIndex: lines.some((line) => index.test(line)), lines }
}

interface Explain {
  readonly explain: string
  /** The column of the answer that has the plan. */
  readonly column: string
  readonly linesOf: (text: string) => string[]
  /** What a line says that reads an index. */
  readonly index: RegExp
}

const explains: Readonly<Record<Engine, Explain>> = {
  sqlite: {
    explain: 'explain query plan',
    column: 'detail',
    linesOf: (detail) => [detail],
    index: / USING (COVERING )?INDEX | USING (INTEGER )?PRIMARY KEY/,
  },
  duckdb: {
    // Whether it reads an index DuckDB decides while it runs.
    explain: 'explain (analyze, format json)',
    column: 'explain_value',
    linesOf: (json) => operatorsOf(JSON.parse(json)),
    index: /Index Scan/,
  },
  postgresql: {
    explain: 'explain',
    column: 'QUERY PLAN',
    linesOf: (line) => [line],
    index: /Index (Only )?Scan/,
  },
}

interface Operator {
  readonly operator_name?: string
  readonly extra_info?: Readonly<Record<string, string>>
  readonly children?: readonly Operator[]
}

/** The tree of DuckDB's operators, a line each. */
function operatorsOf(
  { operator_name: name, extra_info: info = {}, children = [] }: Operator,
  depth = 0,
): string[] {
  const about = ['Type', 'Filters', 'Order By', 'Top'].flatMap((key) =>
    info[key] === undefined ? [] : `${key}: ${info[key]}`,
  )
  const below = children.flatMap((child) =>
    operatorsOf(child, name === undefined ? depth : depth + 1),
  )
  return name === undefined
    ? below
    : [`${'  '.repeat(depth)}${[name.trim(), ...about].join('; ')}`, ...below]
}
