import { isOwnStatement } from './own-statements.ts'
import { withoutLiterals } from '../text/placeholders.ts'
import { type Statement, withoutValues } from '../shape/statement.ts'
import type { AdvisorQuery, AdvisorWorkload, QuerySample } from './workload.ts'

/** A query that ran. */
export interface ObservedQuery {
  readonly sql: string
  readonly parameters?: readonly unknown[] | undefined
  readonly ms?: number | undefined
}

/** How many queries and values are kept. */
export interface RecorderLimits {
  readonly maxQueries: number
  /** Calls of each query whose values are kept in memory. */
  readonly samples: number
}

/** Counts queries by their text, in bounded memory. */
export class Recorder {
  readonly #queries = new Map<string, Counted>()
  readonly #limits: RecorderLimits
  /** Calls of queries that came when there was no room. */
  #dropped = 0

  constructor(limits: RecorderLimits) {
    this.#limits = limits
  }

  /** @param read reads the statement; called for the first calls of a query only */
  record(query: ObservedQuery, read?: () => Statement | undefined): void {
    const known = this.#queries.get(query.sql)
    if (known === undefined && isOwnStatement(query.sql)) return
    const counted = known ?? this.#begin(query.sql)
    if (counted === undefined) return
    counted.calls++
    if (query.ms !== undefined) counted.totalMs = (counted.totalMs ?? 0) + query.ms
    const { samples } = this.#limits
    if (counted.calls > Math.max(1, samples)) return
    const statement = read?.()
    if (statement !== undefined) counted.statement ??= withoutValues(statement)
    // The rows of an INSERT say nothing of how tables are read.
    if (samples === 0 || statement?.operation === 'insert') return
    // Which parameter is which value of the tree is not known.
    if (statement === undefined && counted.statement !== undefined) return
    counted.samples.push({ parameters: query.parameters ?? [], statement })
  }

  get droppedCalls(): number {
    return this.#dropped
  }

  get size(): number {
    return this.#queries.size
  }

  clear(): void {
    this.#queries.clear()
    this.#dropped = 0
  }

  /** With the values of the calls that were kept: for this process only. */
  withValues(): AdvisorWorkload {
    const queries = Array.from(
      this.#queries,
      ([text, { calls, totalMs, statement, samples }]): AdvisorQuery => ({
        text,
        calls,
        totalMs,
        statement,
        samples,
      }),
    )
    return { v: 1, queries }
  }

  /** Without a value in it. Queries that differ in nothing else are one. */
  withoutValues(): AdvisorWorkload {
    const queries = new Map<string, AdvisorQuery>()
    for (const [sql, { calls, totalMs, statement }] of this.#queries) {
      const text = withoutLiterals(sql)
      const same = queries.get(text)
      queries.set(text, {
        text,
        calls: calls + (same?.calls ?? 0),
        totalMs: sum(totalMs, same?.totalMs),
        statement: same?.statement ?? statement,
      })
    }
    return { v: 1, queries: [...queries.values()] }
  }

  #begin(sql: string): Counted | undefined {
    if (this.#queries.size >= this.#limits.maxQueries) {
      this.#dropped++
      return undefined
    }
    const counted: Counted = { calls: 0, totalMs: undefined, statement: undefined, samples: [] }
    this.#queries.set(sql, counted)
    return counted
  }
}

interface Counted {
  calls: number
  totalMs: number | undefined
  statement: Statement | undefined
  readonly samples: QuerySample[]
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0)
}
