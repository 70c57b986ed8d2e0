import type { Candidate } from '../candidates/table-index.ts'
import type { AdviceRefusal } from '../report/advice.ts'
import type { SampledTable } from '../sampled-table.ts'
import type { QueryShape } from '../shape/query-shape.ts'
import { usesIndex } from './duckdb-rules.ts'

/** What DuckDB would never use. */
export function refuseForDuckDB(
  candidate: Candidate,
  table: SampledTable,
  shapes: readonly QueryShape[],
): AdviceRefusal | undefined {
  const refusal = (code: AdviceRefusal['code'], why: string): AdviceRefusal => {
    return { table: table.name, index: candidate.id, code, why }
  }
  const [first, ...others] = candidate.keys
  if (candidate.partial !== undefined)
    return refusal('DUCKDB_PARTIAL', 'DuckDB has no partial indexes.')
  if (others.length > 0)
    return refusal('DUCKDB_MULTI_COLUMN', 'No scan of DuckDB uses an index over several columns.')
  if (first === undefined) return undefined
  if (first.key.kind === 'json' || first.key.kind === 'unsafeSql')
    return refusal('DUCKDB_EXPRESSION', 'DuckDB cannot index a value inside JSON.')
  const { foreignKeys } = table.definition
  if (foreignKeys.some(({ columns }) => columns.length === 1 && columns[0] === first.text))
    return refusal('DUCKDB_KEY', 'The foreign key over the column has an index, which scans use.')
  if (Math.abs(table.statistics.clustering(first.key)) > 0.95)
    return refusal(
      'DUCKDB_ZONEMAP',
      'The rows lie in the order of the column: the minima and maxima of each block do the same.',
    )
  const scans = shapes.flatMap((shape) => shape.scans.filter((scan) => scan.table === table.name))
  if (!scans.some((scan) => usesIndex(scan, table, candidate)))
    return refusal(
      'DUCKDB_ZONEMAP',
      'A scan uses an index only for one equality that is the only condition and selects few rows. ' +
        'Load the rows sorted by the column instead.',
    )
  return undefined
}
