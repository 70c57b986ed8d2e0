import {
  checkOptionNames,
  type QueryEvent,
  type Signal,
  type TransactionEvent,
} from '@keelson/core'
import { relative } from 'node:path'
import { messageOf } from '../record/message-of.ts'
import type { Sink } from '../sink.ts'
import { signalLine } from './findings.ts'
import { milliseconds, printable } from '@keelson/core'

/** How lines for the terminal look. */
export interface PrettySinkOptions {
  /** Where a line goes. @default console.log */
  readonly write?: ((line: string) => void) | undefined
  /** Only queries that took so many milliseconds or more, and those that failed. @default 0 */
  readonly minMs?: number | undefined
  /** ANSI colours. @default whether standard output is a terminal and NO_COLOR is not set */
  readonly color?: boolean | undefined
}

/**
 * One line for each query, transaction and signal, for development. With `createTiming({ callSites: true })` it ends with
 * the caller's file and line.
 *
 * @throws {OptionError} for an option that is unknown
 * @example
 * createTiming({ callSites: true, sinks: [prettySink()] })
 * // SELECT orders  12.4 ms (wait 8.10 ms, execute 3.90 ms)  20 rows  src/orders.ts:41:5
 */
export function prettySink(options: PrettySinkOptions = {}): Sink {
  checkOptionNames('prettySink()', options, ['write', 'minMs', 'color'])
  const { write = console.log, minMs = 0, color } = options
  const isColored = color ?? (process.stdout.isTTY && process.env['NO_COLOR'] === undefined)
  const paint = (code: number, text: string): string =>
    isColored ? `\u001b[${code}m${text}\u001b[0m` : text
  return {
    query(event) {
      const isBad = event.outcome === 'error' || event.outcome === 'aborted'
      if (event.totalMs < minMs && !isBad) return
      const line = printable(queryLine(event))
      write(isBad ? paint(31, line) : line)
    },
    transaction(event) {
      if (event.openMs < minMs && event.outcome === 'committed') return
      write(paint(2, transactionLine(event)))
    },
    signal: (signal) =>
      write(paint(signal.level === 'critical' ? 31 : 33, printable(warning(signal)))),
  }
}

function queryLine(event: QueryEvent): string {
  const { fp, totalMs, waitMs, executeMs, decodeMs, rows, affectedRows, outcome, error, site, tx } =
    event
  const split = [`wait ${milliseconds(waitMs)}`, `execute ${milliseconds(executeMs)}`]
  if (decodeMs !== undefined) split.push(`decode ${milliseconds(decodeMs)}`)
  const parts = [
    `${'  '.repeat((tx?.depth ?? -1) + 1)}${fp!.summary}`,
    `${milliseconds(totalMs)} (${split.join(', ')})`,
    affectedRows === undefined ? `${rows} rows` : `${affectedRows} changed`,
  ]
  if (outcome !== 'ok')
    parts.push(error === undefined ? String(outcome) : `${outcome}: ${messageOf(error)}`)
  if (site !== undefined) parts.push(shortSite(site))
  return parts.join('  ')
}

function transactionLine({
  depth,
  outcome,
  openMs,
  idleInTxMs,
  queries,
}: TransactionEvent): string {
  return `${'  '.repeat(depth)}${depth === 0 ? 'transaction' : 'savepoint'} ${outcome!.replaceAll('_', ' ')}  ${milliseconds(openMs)} (idle ${milliseconds(idleInTxMs)})  ${queries} queries`
}

function warning(signal: Signal): string {
  return `${signal.level === 'critical' ? '✖' : '⚠'} ${signalLine(signal)}`
}

function shortSite(site: string): string {
  const path = relative(process.cwd(), site)
  return path.startsWith('..') ? site : path
}
