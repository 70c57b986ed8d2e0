import { milliseconds, printable } from '@keelson/core'
import type { DatabaseReport, PoolGauges } from '@keelson/timing'
import Table from 'cli-table3'
import { styleText } from 'node:util'
import type { Activity, QueryActivity } from './activity.ts'
import { sorted } from './sorting.ts'

/** How much of an activity is shown, and how. */
export interface FrameOptions {
  /** Characters in a line. */
  readonly width: number
  /** Lines; `Infinity` where nobody minds. */
  readonly height: number
  /** One of `sortings`. */
  readonly sort: string
  /** Queries at most. */
  readonly limit: number
  /** The first line: where it comes from. */
  readonly title: string
  /** The last line: what can be done. */
  readonly footer?: string | undefined
  /** In the place of what is not known. */
  readonly trouble?: string | undefined
}

/** Of findings that would fill the screen, so many are shown. */
const mostFindings = 5
/** Of a query's text at least so many characters are shown. */
const leastText = 20
/** Below it there is no room for all columns. */
const wideEnough = 100

type Format = Parameters<typeof styleText>[0]

/** Nothing is coloured where the output is no terminal, or NO_COLOR is set. */
function paint(format: Format, text: string): string {
  return styleText(format, text, { stream: process.stdout })
}

/** What `keelson top` shows of an activity, line by line. */
export function frame(activity: Activity, options: FrameOptions): string[] {
  const { width, height, title, footer, trouble } = options
  const head = [title, ...(trouble === undefined ? [] : [paint('red', trouble)]), summary(activity)]
  head.push(...activity.databases.map(databaseLine))
  head.push(...findingLines(activity.findings, height === Infinity ? Infinity : mostFindings))
  const foot = footer === undefined ? [] : [paint('dim', footer)]
  // The head of the table, the line about what is left out, and one that is empty.
  const room = Math.max(1, Math.min(options.limit, height - head.length - foot.length - 3))
  return [...head, '', ...queryLines(activity, options, room, width), ...foot]
}

function summary({ totals, callsPerSecond, seconds }: Activity): string {
  const { calls, errors, p50Ms, p95Ms, p99Ms, waitShare, totalMs, waitMs } = totals
  const failed = calls === 0 ? 0 : errors / calls
  const parts = [
    `${paint('bold', perSecond(callsPerSecond))} queries/s${seconds === undefined ? ' in the last minute' : ''}`,
    `p50 ${milliseconds(p50Ms)}  p95 ${milliseconds(p95Ms)}  p99 ${milliseconds(p99Ms)}`,
    totalMs + waitMs === 0
      ? 'wait 0 %'
      : `wait ${percent(waitShare)}, execute ${percent(1 - waitShare)}`,
    errors === 0
      ? 'no errors'
      : paint('red', `${count(errors)} errors (${(failed * 100).toFixed(1)} %)`),
  ]
  if (seconds === undefined) parts.push(`${count(calls)} queries since the beginning`)
  return parts.join('   ')
}

function databaseLine({ name, system, pool, running, transactions, wait }: DatabaseReport): string {
  const parts = [paint('cyan', printable(name === system ? name : `${name} (${system})`))]
  if (pool !== undefined) parts.push(poolGauge(pool))
  parts.push(`${running} running`)
  const { open, oldestMs, outcomes } = transactions
  const ended = Object.entries(outcomes).map(
    ([outcome, times]) => `${count(times)} ${outcome.replaceAll('_', ' ')}`,
  )
  parts.push(
    `transactions: ${open} open${oldestMs === undefined ? '' : `, the oldest for ${milliseconds(oldestMs)}`}${ended.length === 0 ? '' : ` (${ended.join(', ')})`}`,
  )
  if (wait.maxMs > 0)
    parts.push(`waits p95 ${milliseconds(wait.p95Ms)}, max ${milliseconds(wait.maxMs)}`)
  return parts.join('   ')
}

function poolGauge({ max, size, idle, pending }: PoolGauges): string {
  const inUse = size - idle
  const cells = Math.min(10, Math.max(0, max === 0 ? 0 : Math.round((inUse / max) * 10)))
  const bar = `${'█'.repeat(cells)}${'░'.repeat(10 - cells)}`
  const text = `pool ${bar} ${inUse} of ${max}, ${pending} waiting`
  if (pending > 0) return paint('red', text)
  return cells > 7 ? paint('yellow', text) : text
}

function findingLines(findings: readonly string[], most: number): string[] {
  const shown = findings.slice(0, findings.length > most ? most - 1 : most).map((line) => {
    const text = printable(line)
    if (text.startsWith('✖')) return paint('red', text)
    return text.startsWith('⚠') ? paint('yellow', text) : text
  })
  const left = findings.length - shown.length
  return left === 0 ? shown : [...shown, paint('dim', `… and ${left} more findings`)]
}

interface Column {
  readonly head: string
  /** What `--sort` calls it. */
  readonly sort?: string
  /** Whether there has to be room for it. */
  readonly isExtra?: boolean
  readonly of: (query: QueryActivity) => string
}

const columns: readonly Column[] = [
  { head: '%', sort: 'time', of: ({ share }) => (share * 100).toFixed(1) },
  { head: 'calls', sort: 'calls', of: ({ calls }) => count(calls) },
  { head: 'p50', sort: 'p50', isExtra: true, of: ({ p50Ms }) => milliseconds(p50Ms) },
  { head: 'p95', sort: 'p95', of: ({ p95Ms }) => milliseconds(p95Ms) },
  { head: 'p99', sort: 'p99', of: ({ p99Ms }) => milliseconds(p99Ms) },
  { head: 'max', sort: 'max', isExtra: true, of: ({ maxMs }) => milliseconds(maxMs) },
  { head: 'rows', sort: 'rows', isExtra: true, of: ({ rows }) => count(rows) },
  { head: 'err', sort: 'errors', of: ({ errors }) => (errors === 0 ? '' : count(errors)) },
  {
    head: 'wait',
    sort: 'wait',
    of: ({ waitShare }) => (waitShare < 0.005 ? '' : percent(waitShare)),
  },
]

function queryLines(
  { queries, databases, seconds }: Activity,
  { sort }: FrameOptions,
  most: number,
  width: number,
): string[] {
  if (queries.length === 0)
    return [
      seconds === undefined ? 'No query yet.' : `No query within the last ${seconds.toFixed(0)} s.`,
    ]
  const shown = sorted(queries, sort).slice(0, most)
  const visible = columns.filter(({ isExtra }) => width >= wideEnough || isExtra !== true)
  const database: Column[] =
    databases.length > 1 ? [{ head: 'database', of: (query) => printable(query.database) }] : []
  const cells = shown.map((query) => [...visible, ...database].map(({ of }) => of(query)))
  const heads = [...visible, ...database].map(({ head }) => head)
  const taken = heads.reduce(
    (sum, head, index) =>
      sum + 2 + Math.max(head.length, ...cells.map((row) => row[index]!.length)),
    0,
  )
  const room = Math.max(leastText, width - taken)
  const table = new Table({
    head: [
      ...visible.map((column) =>
        paint(column.sort === sort ? ['bold', 'underline'] : 'bold', column.head),
      ),
      ...database.map(({ head }) => paint('bold', head)),
      paint('bold', 'query'),
    ],
    colAligns: [
      ...visible.map(() => 'right' as const),
      ...database.map(() => 'left' as const),
      'left',
    ],
    chars: noLines,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  })
  for (const [index, query] of shown.entries()) table.push([...cells[index]!, textOf(query, room)])
  const left = queries.length - shown.length
  return [
    ...table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd()),
    ...(left > 0 ? [paint('dim', `… and ${count(left)} more`)] : []),
  ]
}

const corners = 'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right'
const lines = 'left left-mid mid mid-mid right right-mid'

/** Two spaces between the columns, and no lines. */
const noLines: Readonly<Record<string, string>> = {
  ...Object.fromEntries(`${corners} ${lines}`.split(' ').map((name) => [name, ''])),
  middle: '  ',
}

function textOf({ text, errors, scans }: QueryActivity, room: number): string {
  const scan = scans.length === 0 ? '' : printable(`SCAN ${scans.join(', ')} `)
  const line = printable(text)
  const rest = room - scan.length
  const shortened = line.length > rest ? `${line.slice(0, Math.max(1, rest - 1))}…` : line
  return `${scan === '' ? '' : paint('yellow', scan)}${errors > 0 ? paint('red', shortened) : shortened}`
}

const grouped = new Intl.NumberFormat('en')

function count(value: number): string {
  return value >= 1e7 ? `${grouped.format(Math.round(value / 1e6))} M` : grouped.format(value)
}

function perSecond(value: number): string {
  return value > 0 && value < 9.95 ? value.toFixed(1) : count(Math.round(value))
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
