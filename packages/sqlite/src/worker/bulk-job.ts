import type { BulkStatementsResult } from '@keelson/core'
import { valuesByRow } from '@keelson/core/base'
import type { StatementEngine } from '../statement/statement-engine.ts'
import type { ColumnarRows } from './protocol.ts'

/** Runs statements for rows that came by column. Their values were made ready to be bound where they came from. */
export function runColumns(
  engine: StatementEngine,
  { full, rest, rowsPerStatement, rowCount, columns, tail, countsUpserts }: ColumnarRows,
): BulkStatementsResult {
  return engine.writeStatements({
    rowCount,
    rowsPerStatement,
    countsUpserts,
    statement: (count) => (count === rowsPerStatement ? full : rest!),
    parameters: (from, count) => {
      const values = valuesByRow<unknown>(columns, from, from + count, tail)
      for (let at = 0; at < values.length; at++)
        if (typeof values[at] === 'object') values[at] = bound(values[at])
      return values
    },
  })
}

/** Bytes lose their class on their way. */
function bound(value: unknown): unknown {
  return value === null ? null : Buffer.from((value as Uint8Array).buffer as ArrayBuffer)
}
