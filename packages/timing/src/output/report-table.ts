import Table from 'cli-table3'
import { milliseconds, printable } from '@keelson/core'
import type { DatabaseReport, QueryReport, TimingReport } from './report.ts'

/** Queries that are shown. */
const most = 30
/** Of a query's text at least so many characters are shown. */
const leastText = 20

interface Column {
  readonly head: string
  readonly align: 'left' | 'right'
  /** Whether there has to be room for it. */
  readonly isExtra?: boolean
  readonly of: (query: QueryReport) => string
}

const columns: readonly Column[] = [
  { head: '%', align: 'right', of: ({ share }) => (share * 100).toFixed(1) },
  { head: 'calls', align: 'right', of: ({ calls }) => String(calls) },
  { head: 'p50', align: 'right', isExtra: true, of: ({ p50Ms }) => milliseconds(p50Ms) },
  { head: 'p95', align: 'right', of: ({ p95Ms }) => milliseconds(p95Ms) },
  { head: 'p99', align: 'right', isExtra: true, of: ({ p99Ms }) => milliseconds(p99Ms) },
  { head: 'max', align: 'right', of: ({ maxMs }) => milliseconds(maxMs) },
  { head: 'rows', align: 'right', isExtra: true, of: ({ rows }) => String(rows) },
  {
    head: 'err',
    align: 'right',
    isExtra: true,
    of: ({ errors }) => (errors === 0 ? '' : String(errors)),
  },
  { head: 'wait', align: 'right', of: waitShare },
  { head: 'plan', align: 'left', isExtra: true, of: planOf },
]

/**
 * A report for people: what to do, then each database in a line, then the queries by their total time.
 *
 * @param width characters in a line
 */
export function reportTable(
  { findings, queries, databases, totals }: TimingReport,
  width: number,
): string {
  const lines = [...findings.map(printable), ...databases.map(databaseLine)]
  lines.push(
    `${totals.calls} queries of ${queries.length} kinds, ${milliseconds(totals.totalMs)} in all, ${milliseconds(totals.waitMs)} waiting, ${totals.errors} failed`,
  )
  const wrapped = lines.flatMap((line) => wrap(line, width))
  if (queries.length > 0) wrapped.push(queryTable(queries.slice(0, most), width))
  if (queries.length > most) wrapped.push(`… and ${queries.length - most} more`)
  return wrapped.join('\n')
}

function queryTable(queries: readonly QueryReport[], width: number): string {
  const shown = columns.filter(({ isExtra }) => width >= 120 || isExtra !== true)
  const cells = queries.map((query) => shown.map(({ of }) => of(query)))
  // A column is as wide as its widest cell, with a space on each side and a line.
  const taken = shown.reduce(
    (sum, { head }, index) =>
      sum + 3 + Math.max(head.length, ...cells.map((row) => row[index]!.length)),
    0,
  )
  const room = Math.max(leastText, width - taken - 4)
  const table = new Table({
    head: [...shown.map(({ head }) => head), 'query'],
    colAligns: [...shown.map(({ align }) => align), 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const [index, { text }] of queries.entries())
    table.push([...cells[index]!, shortened(text, room)])
  return table.toString()
}

function waitShare({ waitMs, totalMs }: QueryReport): string {
  const whole = waitMs + totalMs
  return whole === 0 || waitMs / whole < 0.005 ? '' : `${Math.round((waitMs / whole) * 100)} %`
}

function planOf({ plan }: QueryReport): string {
  if (plan === undefined) return ''
  return plan.scans.length > 0 ? printable(`SCAN ${plan.scans.join(', ')}`) : 'index'
}

/** Breaks a line between words; what has none that fits goes over the edge. */
function wrap(line: string, width: number): string[] {
  const wrapped: string[] = []
  let rest = line
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width)
    const end = space > 2 ? space : width
    wrapped.push(rest.slice(0, end))
    rest = `  ${rest.slice(end).trimStart()}`
  }
  return [...wrapped, rest]
}

function databaseLine({ name, system, pool, transactions, wait, running }: DatabaseReport): string {
  const parts = [`${name === system ? name : `${name} (${system})`}: ${running} running`]
  if (pool !== undefined)
    parts.push(`pool ${pool.size - pool.idle} of ${pool.max} in use, ${pool.pending} waiting`)
  if (wait.maxMs > 1)
    parts.push(`waited p95 ${milliseconds(wait.p95Ms)}, max ${milliseconds(wait.maxMs)}`)
  const ended = Object.entries(transactions.outcomes).map(
    ([outcome, count]) => `${count} ${outcome.replaceAll('_', ' ')}`,
  )
  if (ended.length > 0)
    parts.push(
      `transactions: ${ended.join(', ')}, open p95 ${milliseconds(transactions.p95OpenMs)}`,
    )
  if (transactions.open > 0) parts.push(`${transactions.open} open`)
  return printable(parts.join('; '))
}

function shortened(text: string, room: number): string {
  const line = printable(text)
  return line.length > room ? `${line.slice(0, room - 1)}…` : line
}
