import { aliasesIn } from '../fingerprint/fingerprint.ts'
import type { StatementSetting } from '../record/database-instance.ts'
import type { QueryPlan } from '../stats/query-stats.ts'

/** How a plan is asked for, and what its rows mean. */
export interface PlanReader {
  /** The statement that tells the plan and runs nothing. */
  explain(sql: string): string
  /** Whether it has to get the values of the statement's parameters. */
  readonly bindsParameters: boolean
  /** With which a plan scans what cannot be found by an index, and not also what is so small that reading it whole costs less. */
  readonly avoidingScans?: StatementSetting
  /** @param sql the statement itself, of which a plan may have nothing but the aliases */
  read(rows: readonly Record<string, unknown>[], sql: string): QueryPlan
}

const explainable: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'UPDATE', 'DELETE'])

/**
 * Whether its plan can be asked for without anything running. Of several statements in one text EXPLAIN would be about the
 * first one, and the others would run. A semicolon within a value is taken for the same: a plan is not worth the risk.
 */
export function mayExplain(operation: string, sql: string): boolean {
  return explainable.has(operation) && !/;\s*\S/.test(sql)
}

/** By OpenTelemetry's name of the system; engines that are not here tell no plan. */
export const planReaders: Readonly<Record<string, PlanReader>> = {
  /** https://www.sqlite.org/eqp.html */
  sqlite: {
    explain: (sql) => `explain query plan ${sql}`,
    bindsParameters: true,
    read(rows, sql) {
      const lines = rows.map((row) => text(row['detail']))
      const plan = planOf(lines, {
        // Not `SCAN t USING COVERING INDEX`, and no virtual table, subquery or list of values.
        // `SCAN TABLE t AS a` before 3.36.
        scan: /^SCAN (?:TABLE )?(?!CONSTANT ROW|\(|\d+ CONSTANT ROWS|\d+-ROW VALUES|.* (?:USING (?:COVERING )?INDEX|VIRTUAL TABLE INDEX) )(.+?)(?: AS \S+)?(?: EXISTS)?(?: LEFT-JOIN)?$/,
        index: /USING (?:COVERING |AUTOMATIC (?:PARTIAL )?(?:COVERING )?)?INDEX (\S+)/,
        sorts: /USE TEMP B-TREE/,
      })
      // Common table expressions, views and subqueries, whose own scans are in the plan besides.
      const made = new Set(lines.map((line) => /^(?:MATERIALIZE|CO-ROUTINE) (.+)$/.exec(line)?.[1]))
      const aliases = aliasesIn(sql)
      const scans = plan.scans.map((name) => aliases.get(name) ?? name)
      return { ...plan, scans: unique(scans).filter((name) => !made.has(name)) }
    },
  },
  /**
   * GENERIC_PLAN since PostgreSQL 16, for statements whose parameters are not given; it fails before, and there is no plan.
   * https://www.postgresql.org/docs/current/sql-explain.html
   */
  postgresql: {
    explain: (sql) => `explain (generic_plan) ${sql}`,
    bindsParameters: false,
    avoidingScans: { name: 'enable_seqscan', value: 'off' },
    read(rows) {
      const lines = rows.map((row) => text(row['QUERY PLAN']))
      return planOf(lines, {
        scan: /Seq Scan on ("(?:[^"]|"")+"|\S+)/,
        index:
          /(?:Index(?: Only)? Scan(?: Backward)? using|Bitmap Index Scan on) ("(?:[^"]|"")+"|\S+)/,
        sorts: /^\s*(?:->\s+)?(?:Incremental )?Sort\b/,
      })
    },
  },
  /** https://duckdb.org/docs/stable/guides/meta/explain */
  duckdb: {
    explain: (sql) => `explain (format json) ${sql}`,
    bindsParameters: true,
    read(rows) {
      const nodes = rows.flatMap((row) => duckdbNodes(row['explain_value']))
      const scans = nodes.filter(({ name, hasFilter }) => name === 'SEQ_SCAN' && hasFilter)
      return {
        scans: unique(scans.map(({ table }) => table)),
        indexes: nodes.some(({ isIndex }) => isIndex) ? ['ART'] : [],
        sorts: nodes.some(({ name }) => name === 'ORDER_BY'),
        lines: nodes.map(({ name, table }) => `${name} ${table}`.trim()),
      }
    },
  },
}

interface Patterns {
  readonly scan: RegExp
  readonly index: RegExp
  readonly sorts: RegExp
}

function planOf(lines: readonly string[], { scan, index, sorts }: Patterns): QueryPlan {
  const found = (pattern: RegExp): string[] =>
    unique(lines.map((line) => unquoted(pattern.exec(line)?.[1] ?? '')))
  return {
    scans: found(scan),
    indexes: found(index),
    sorts: lines.some((line) => sorts.test(line)),
    lines,
  }
}

interface DuckDBNode {
  readonly name: string
  readonly table: string
  /** A scan with a filter reads what it then leaves out; one without gives every row that was asked for. */
  readonly hasFilter: boolean
  readonly isIndex: boolean
}

interface DuckDBPlan {
  readonly name?: string
  readonly children?: readonly DuckDBPlan[]
  readonly extra_info?: Readonly<Record<string, unknown>>
}

function duckdbNodes(value: unknown): DuckDBNode[] {
  const plans = (typeof value === 'string' ? JSON.parse(value) : value) as readonly DuckDBPlan[]
  return plans.flatMap(({ name = '', children = [], extra_info: info = {} }) => [
    {
      name: name.trim(),
      table: text(info['Table']).split('.').at(-1)!,
      hasFilter: 'Filters' in info,
      isIndex: /index/i.test(text(info['Type'])),
    },
    ...duckdbNodes(children),
  ])
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => name !== '')
}

/** PostgreSQL writes what is no plain name as a statement has to. */
function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
