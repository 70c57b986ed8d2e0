import type { TableIndex } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { keyText, type TableScan, type Term } from '../shape/query-shape.ts'
import type { Path } from './rules.ts'

/** Rows that an index scan may find at most: `index_scan_max_count` and `index_scan_percentage`. */
const maxCount = 2_048
const maxShare = 0.001
/** Rows of a block whose minima and maxima DuckDB keeps. */
const blockRows = 122_880

/** Reading a table in DuckDB: from beginning to end, past the blocks that cannot match, or by an index over one column. */
export function duckdbPath(
  scan: TableScan,
  table: SampledTable,
  indexes: readonly TableIndex[],
  isWorst: boolean,
): Path {
  const { statistics, name } = table
  const { rows } = statistics
  const index = indexes.find((each) => usesIndex(scan, table, each, isWorst))
  if (index !== undefined) {
    const found = rows * statistics.fraction(scan.terms, isWorst)
    const line = `index scan ${name} by ${index.name || 'its key'} (${index.keys[0]!.text})`
    return { cost: 450_000 + 1_000 * found, index, isSorted: false, line }
  }
  const clustered = scan.terms.some(
    ({ key, kind }) => kind !== 'other' && Math.abs(statistics.clustering(key)) > 0.95,
  )
  const share = clustered
    ? Math.min(1, Math.max(statistics.fraction(scan.terms, isWorst), blockRows / Math.max(1, rows)))
    : 1
  // Text is compared much more slowly than numbers.
  const each = scan.terms.some(({ key }) => statistics.keyWidth(key) > 6) ? 8 : 2.2
  const line = `scan ${name}`
  return { cost: 300_000 + rows * share * each, index: undefined, isSorted: false, line }
}

/** Whether a scan uses an index: one column, one condition, few rows. https://duckdb.org/docs/stable/sql/indexes */
export function usesIndex(
  { terms, alternatives }: TableScan,
  { statistics }: SampledTable,
  { keys }: TableIndex,
  isWorst = false,
): boolean {
  const [first, ...others] = keys
  if (first === undefined || others.length > 0 || alternatives.length > 0) return false
  if (terms.length !== 1 || !terms.every((term) => isLookup(term, first.text))) return false
  const found = statistics.rows * statistics.fraction(terms, isWorst)
  return found <= Math.max(maxCount, statistics.rows * maxShare)
}

function isLookup({ kind, key, values, operator, count }: Term, text: string): boolean {
  if (keyText(key) !== text) return false
  if (kind === 'equals') return operator === '=' || operator === '=='
  // A list of neighbouring numbers becomes a range of two ends, for which no index is used.
  return kind === 'among' && values !== undefined && count > 1 && !areNeighbours(values)
}

function areNeighbours(values: readonly unknown[]): boolean {
  const numbers = values.map(Number)
  if (numbers.some((value) => !Number.isInteger(value))) return false
  return Math.max(...numbers) - Math.min(...numbers) < new Set(numbers).size
}
