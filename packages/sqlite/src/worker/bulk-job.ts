import type { BulkStatementsResult } from '@keelson/core'
import type { StatementEngine } from '../statement/statement-engine.ts'
import type { ColumnarRows } from './protocol.ts'

/** Runs statements for rows that came by column. Their values were made ready to be bound where they came from. */
export function runColumns(
  engine: StatementEngine,
  { full, rest, rowsPerStatement, rowCount, columns, tail, countsUpserts }: ColumnarRows,
): BulkStatementsResult {
  const width = columns.length
  return engine.writeStatements({
    rowCount,
    rowsPerStatement,
    countsUpserts,
    statement: (count) => (count === rowsPerStatement ? full : rest!),
    parameters: (from, count) => {
      const values = Array<unknown>(count * width + tail.length)
      for (let column = 0; column < width; column++) {
        const items = columns[column]!
        for (let row = 0, at = column; row < count; row++, at += width)
          values[at] = bound(items[from + row])
      }
      for (let at = 0; at < tail.length; at++) values[count * width + at] = bound(tail[at])
      return values
    },
  })
}

/** Bytes lose their class on their way. */
function bound(value: unknown): unknown {
  return typeof value === 'object' && value !== null
    ? Buffer.from((value as Uint8Array).buffer as ArrayBuffer)
    : value
}
