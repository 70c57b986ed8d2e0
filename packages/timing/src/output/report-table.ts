import Table from 'cli-table3'
import { milliseconds } from './milliseconds.ts'
import type { DatabaseReport, QueryReport, TimingReport } from './report.ts'

const widest = 60
const most = 30

/** A report for people: what to do, then each database in a line, then the queries by their total time. */
export function reportTable({ findings, queries, databases, totals }: TimingReport): string {
  const table = new Table({
    head: ['%', 'calls', 'p50', 'p95', 'p99', 'max', 'rows', 'err', 'wait', 'plan', 'query'],
    colAligns: [
      'right',
      'right',
      'right',
      'right',
      'right',
      'right',
      'right',
      'right',
      'right',
      'left',
      'left',
    ],
    style: { head: [], border: [], compact: true },
  })
  for (const query of queries.slice(0, most)) table.push(row(query))
  const lines = [...findings.map(printable), ...databases.map(databaseLine)]
  lines.push(
    `${totals.calls} queries of ${queries.length} kinds, ${milliseconds(totals.totalMs)} in all, ${milliseconds(totals.waitMs)} waiting, ${totals.errors} failed`,
  )
  if (queries.length > 0) lines.push(table.toString())
  if (queries.length > most) lines.push(`… and ${queries.length - most} more`)
  return lines.join('\n')
}

function row(query: QueryReport): string[] {
  const { calls, rows, errors, waitMs, totalMs, plan } = query
  const whole = waitMs + totalMs
  return [
    (query.share * 100).toFixed(1),
    String(calls),
    milliseconds(query.p50Ms),
    milliseconds(query.p95Ms),
    milliseconds(query.p99Ms),
    milliseconds(query.maxMs),
    String(rows),
    errors === 0 ? '' : String(errors),
    whole === 0 || waitMs / whole < 0.005 ? '' : `${Math.round((waitMs / whole) * 100)} %`,
    plan === undefined
      ? ''
      : plan.scans.length > 0
        ? printable(`SCAN ${plan.scans.join(', ')}`)
        : 'index',
    shortened(query.text),
  ]
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

function shortened(text: string): string {
  const line = printable(text)
  return line.length > widest ? `${line.slice(0, widest - 1)}…` : line
}

/** SQL may hold whatever somebody has sent: it must not move the cursor of a terminal, or colour it. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ')
}
