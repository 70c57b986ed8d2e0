/** What a result says of rows. */
export interface Outcome {
  readonly rows: number
  readonly affectedRows: number | undefined
}

/**
 * Counts rows in what a method of a prepared query gave: Drizzle's rows, or the driver's own result.
 *
 * @param method that was called
 * @param isMapped whether Drizzle makes of the driver's result what the caller gets: an object is one row then, whatever its
 * columns are called
 */
export function outcomeOf(method: string, result: unknown, isMapped: boolean): Outcome {
  if (isMapped && method !== 'run') {
    const rows = Array.isArray(result) ? result.length : Number(isThere(result))
    return { rows, affectedRows: undefined }
  }
  if (method === 'get') return { rows: result === undefined ? 0 : 1, affectedRows: undefined }
  if (Array.isArray(result)) return ofArray(result as readonly unknown[] & Tagged)
  if (typeof result !== 'object' || result === null) return { rows: 0, affectedRows: undefined }
  return ofObject(result as Result)
}

function isThere(row: unknown): boolean {
  return row !== undefined && row !== null
}

/** Of postgres.js, whose results are arrays with more on them. */
interface Tagged {
  readonly command?: unknown
  readonly count?: unknown
}

/** Of mysql2, where rows and their description, or a header, come in a pair. */
interface Header {
  readonly affectedRows: number
}

interface Result {
  readonly rows?: unknown
  readonly rowCount?: unknown
  readonly command?: unknown
  /** better-sqlite3 and `@keelson/sqlite`. */
  readonly changes?: unknown
  /** PGlite. */
  readonly affectedRows?: unknown
  /** libsql. */
  readonly rowsAffected?: unknown
}

function ofArray(result: readonly unknown[] & Tagged): Outcome {
  if (typeof result.command === 'string' && typeof result.count === 'number')
    return {
      rows: result.length,
      affectedRows: reads.has(result.command) ? undefined : result.count,
    }
  const [first, second] = result
  if (result.length === 2 && isHeader(first)) return { rows: 0, affectedRows: first.affectedRows }
  if (result.length === 2 && Array.isArray(first) && isFieldList(second))
    return { rows: first.length, affectedRows: undefined }
  return { rows: result.length, affectedRows: undefined }
}

function ofObject({
  rows,
  rowCount,
  command,
  changes,
  affectedRows,
  rowsAffected,
}: Result): Outcome {
  const count = Array.isArray(rows) ? rows.length : 0
  const told = [changes, affectedRows, rowsAffected].find((each) => typeof each === 'number')
  if (told !== undefined) return { rows: count, affectedRows: told as number }
  const isRead = typeof command === 'string' ? reads.has(command) : count > 0
  return {
    rows: count,
    affectedRows: typeof rowCount === 'number' && !isRead ? rowCount : undefined,
  }
}

const reads: ReadonlySet<string> = new Set(['SELECT', 'SHOW', 'EXPLAIN', 'FETCH', 'VALUES'])

function isHeader(value: unknown): value is Header {
  return typeof value === 'object' && value !== null && 'affectedRows' in value
}

function isFieldList(value: unknown): boolean {
  const [first] = Array.isArray(value) ? (value as readonly unknown[]) : []
  return typeof first === 'object' && first !== null && 'columnType' in first
}
