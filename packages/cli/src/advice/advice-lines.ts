import { printable } from '@keelson/core'
import { adviceTable, type FullScan, type IndexAdvice } from '@keelson/indexes'
import Table from 'cli-table3'
import { paint } from '../schema/paint.ts'
import { plainTable } from '../schema/plain-table.ts'

/** What `keelson advise` shows: the proposals as a table, then their SQL and what becomes of the queries. */
export function adviceReport(advice: IndexAdvice, scans: readonly FullScan[]): string[] {
  return [
    ...proposalLines(advice),
    ...adviceTable(advice).split('\n').map(painted),
    ...scanLines(scans),
  ]
}

function proposalLines({ proposals, engine }: IndexAdvice): string[] {
  if (proposals.length === 0)
    return [`${paint('green', 'Nothing to create')}: no index on ${engine} would be worth it.`, '']
  const table = new Table({
    head: ['#', 'table', 'saves', 'size', 'queries', 'confidence', 'index'],
    style: { head: [], border: [] },
    chars: plainTable,
  })
  for (const [at, { table: name, gain, bytes, queries, confidence, index }] of proposals.entries())
    table.push([
      at + 1,
      printable(name),
      `${(gain * 100).toFixed(1)} %`,
      `${(bytes / 1e6).toFixed(1)} MB`,
      queries.length,
      confidence,
      printable(index.name),
    ])
  return [
    ...table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd()),
    '',
  ]
}

function painted(line: string): string {
  const shown = printable(line)
  if (line.startsWith('  + ')) return paint('green', shown)
  return line.startsWith('  - ') ? paint('red', shown) : shown
}

function scanLines(scans: readonly FullScan[]): string[] {
  if (scans.length === 0) return []
  return [
    '',
    ...scans.map(
      ({ table, query, text }) =>
        `${paint('red', 'new full scan')} of ${printable(table)}: ${query} ${printable(text)}`,
    ),
  ]
}
