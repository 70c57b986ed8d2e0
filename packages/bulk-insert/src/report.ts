/** How the rows went in. */
export type BulkInsertMethod =
  | 'multi-row-statement'
  | 'multi-row-values'
  | 'copy'
  | 'unnest'
  | 'table-function'
  | 'staging'

/** A row that was not written, and why. */
export interface Rejection<Row = unknown> {
  /** Its position in the input, from 0. */
  readonly rowIndex: number
  readonly row: Row
  /** The column that is to blame, as the row calls it, where that is known. */
  readonly column: string | undefined
  readonly error: unknown
}

/**
 * What really happened: `attempted = inserted + updated + skipped + rejected`. A number that cannot be known is
 * `undefined`; each case is listed in the README.
 */
export interface BulkInsertReport<Row = unknown> {
  /** Rows read from the input whose fate is decided. */
  readonly attempted: number
  /** Rows that are new in the table. */
  readonly inserted: number | undefined
  /** Rows that were there and were updated, by `onConflict`. */
  readonly updated: number | undefined
  /** Rows that were there and were left as they are, by `onConflict`, or that a trigger has kept out. */
  readonly skipped: number | undefined
  /** Rows that are not in the table because they, or the insert as a whole, failed. */
  readonly rejected: number
  /** Those of `onRejected: 'collect'`, in the order of the input. */
  readonly rejections: readonly Rejection<Row>[]
  /** How many batches were sent. */
  readonly batches: number
  /** Rows from the beginning of the input whose fate is committed. Inside an open transaction that is its owner's to do. */
  readonly durableRows: number
  readonly elapsedMs: number
  readonly rowsPerSecond: number
  /** `undefined` when there was nothing to insert. */
  readonly method: BulkInsertMethod | undefined
}

/** How far a bulk insert has come. */
export interface BulkInsertProgress {
  /** Rows whose fate is decided. */
  readonly rows: number
  /** Rows of the input, where that is known beforehand. */
  readonly total: number | undefined
  readonly elapsedMs: number
  readonly rowsPerSecond: number
}
