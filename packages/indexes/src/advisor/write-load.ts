import type { Candidate } from './candidates/table-index.ts'
import type { WeighedQuery } from './select/workload-cost.ts'
import { columnOfKey } from './shape/query-shape.ts'
import { costs } from './what-if/cost-model.ts'

/** What the workload writes, and so what one more index would take. */
export class WriteLoad {
  readonly #queries: readonly WeighedQuery[]
  readonly #given: ReadonlyMap<string, number>

  /** @param given rows of each table that were written, where somebody counted them */
  constructor(queries: readonly WeighedQuery[], given: ReadonlyMap<string, number>) {
    this.#queries = queries
    this.#given = given
  }

  /** Rows whose writing would write the index, too. */
  rowsFor(candidate: Candidate): number {
    const columns = new Set(candidate.keys.flatMap(({ key }) => columnOfKey(key) ?? []))
    if (candidate.partial?.key !== undefined) columns.add(candidate.partial.key)
    let rows = 0
    let all = 0
    for (const { calls, affectedRows, instances } of this.#queries) {
      const writes = instances[0]?.shape.writes ?? []
      // One text stands for inserts of one row and of many.
      const counted = writes.length === 1 ? affectedRows : 0
      for (const write of writes) {
        if (write.table !== candidate.table) continue
        const written = counted > 0 ? counted : calls * write.rows
        all += written
        const isTouched =
          write.columns === undefined || [...write.columns].some((column) => columns.has(column))
        if (isTouched) rows += written
      }
    }
    // What the given count has beyond the statements that were read may touch any column.
    return rows + Math.max(0, (this.#given.get(candidate.table) ?? 0) - all)
  }

  /** Nanoseconds that keeping the index takes in the time of the workload. */
  nsFor(candidate: Candidate): number {
    return this.rowsFor(candidate) * (candidate.partial?.share ?? 1) * costs.write(candidate)
  }
}
