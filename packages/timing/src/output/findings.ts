import { milliseconds, type Signal } from '@keelson/core'
import { messageOf } from '../record/message-of.ts'
import type { DatabaseReport, QueryReport } from './report.ts'

const weight: Readonly<Record<Signal['type'], number>> = {
  pool_saturated: 0,
  error_rate: 1,
  long_tx: 2,
  nplusone: 3,
  scan: 4,
  duplicate: 5,
  wal_size: 6,
  db_size: 7,
  slow: 8,
}
const most = 20

/** What findings are made from. */
interface Facts {
  readonly queries: readonly QueryReport[]
  readonly evictions: number
  readonly databases: readonly DatabaseReport[]
  readonly signals: readonly Signal[]
}

/** One line each, the most important first: what is wrong, and what to do. */
export function findingsOf(
  { databases, signals, evictions }: Facts,
  advice: (() => readonly string[]) | undefined,
): string[] {
  const lines = signals
    .toSorted(
      (one, other) =>
        Number(other.level === 'critical') - Number(one.level === 'critical') ||
        weight[one.type] - weight[other.type],
    )
    .map((signal) => `${signal.level === 'critical' ? '✖' : '⚠'} ${signalLine(signal)}`)
  const distinct = [...new Set(lines)]
  const shown = distinct.slice(0, most)
  if (distinct.length > most) shown.push(`… and ${distinct.length - most} more`)
  for (const { name, transactions } of databases) {
    if (transactions.totalIdleMs > 1_000 && transactions.totalIdleMs > transactions.totalOpenMs / 2)
      shown.push(
        `⚠ ${name}: transactions were idle for ${milliseconds(transactions.totalIdleMs)} of the ${milliseconds(transactions.totalOpenMs)} that they were open.`,
      )
  }
  if (evictions > 0)
    shown.push(
      `ℹ ${evictions} fingerprints have lost their place to others and are counted in <other>; raise \`maxFingerprints\` to see them.`,
    )
  return [...shown, ...adviceLines(advice)]
}

/** What a signal says in one line. */
export function signalLine({ type, evidence, fix }: Signal): string {
  const what = whatHappened(type, evidence)
  return fix === undefined ? `${what}.` : `${what}. ${fix}`
}

function whatHappened(type: Signal['type'], evidence: Signal['evidence']): string {
  const text = (name: string): string => String(evidence[name])
  const ms = (name: string): string => milliseconds(Number(evidence[name]))
  const site = evidence['site'] === undefined ? '' : ` at ${text('site')}`
  switch (type) {
    case 'slow':
      return `${text('summary')} took ${ms('ms')}${site}${'p95Ms' in evidence ? `, its p95 is ${ms('p95Ms')}` : ''}`
    case 'nplusone':
      return `N+1: ${text('summary')} ran ${text('count')} times in "${text('scope')}"${site}`
    case 'duplicate':
      return `${text('summary')} ran ${text('count')} times with the same values in "${text('scope')}"${site}`
    case 'scan':
      return `${text('summary')} scans ${(evidence['tables'] as string[]).join(', ')}, p95 ${ms('p95Ms')}`
    case 'long_tx':
      return `${text('database')}: a transaction is open for ${ms('openMs')} after ${text('queries')} queries`
    case 'pool_saturated':
      return `${text('database')}: ${Math.round(Number(evidence['share']) * 100)} % of the pool of ${text('max')} is in use, ${text('pending')} wait`
    case 'error_rate':
      return `${text('database')}: ${(Number(evidence['rate']) * 100).toFixed(1)} % of ${text('calls')} queries failed within a minute`
    case 'db_size':
    case 'wal_size':
      return `${text('database')}: ${type === 'db_size' ? 'the database' : 'its write-ahead log'} has ${text('megabytes')} MB`
  }
}

/** A report is made all the same where the advisor fails. */
function adviceLines(advice: (() => readonly string[]) | undefined): readonly string[] {
  if (advice === undefined) return []
  try {
    return advice().map((line) => `→ ${line}`)
  } catch (error) {
    return [`⚠ The advice of createTiming() failed: ${messageOf(error)}`]
  }
}
