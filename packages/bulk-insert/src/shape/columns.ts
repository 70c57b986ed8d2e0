import type { ColumnInfo } from './table-info.ts'

/** A row of a catalogue. */
export type Row = Readonly<Record<string, unknown>>

/** Columns by their names, each described from its row in a catalogue. */
export function columns(
  rows: readonly Row[],
  describe: (row: Row) => Omit<ColumnInfo, 'name'>,
): ReadonlyMap<string, ColumnInfo> {
  return new Map(
    rows.map((row) => {
      const name = String(row['name'])
      return [name, { name, ...describe(row) }]
    }),
  )
}
