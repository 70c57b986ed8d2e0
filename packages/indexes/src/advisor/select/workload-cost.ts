import type { Candidate } from '../candidates/table-index.ts'
import type { Plan, PlannedQuery, Planner } from '../what-if/planner.ts'

/** A query of the workload: what is planned for it, and how often it ran. */
export interface WeighedQuery {
  readonly id: string
  readonly text: string
  readonly calls: number
  /** How long all calls took, where it was measured. */
  readonly totalMs: number | undefined
  /** Rows that all calls have written, where that was counted; else 0. */
  readonly affectedRows: number
  /** One for each call whose values are known, else a single one. */
  readonly instances: readonly PlannedQuery[]
}

/** What a query costs, each of its instances. */
export interface QueryCost {
  readonly plans: readonly Plan[]
  /** Nanoseconds of one call, on average. */
  readonly ns: number
}

/** What sets of candidates make of the queries. Each query is planned once for each set of candidates on its tables. */
export class WorkloadCost {
  readonly queries: readonly WeighedQuery[]
  readonly #planner: Planner
  readonly #known = new Map<string, QueryCost | undefined>()
  readonly #tables: readonly ReadonlySet<string>[]

  constructor(planner: Planner, queries: readonly WeighedQuery[]) {
    this.#planner = planner
    this.queries = queries
    this.#tables = queries.map(
      ({ instances }) =>
        new Set(instances.flatMap(({ shape }) => shape.scans.map(({ table }) => table))),
    )
  }

  /** Nanoseconds that one unit of a plan's cost stands for. */
  get unit(): number {
    return this.#planner.unit
  }

  get doubts(): readonly number[] {
    return this.#planner.doubts
  }

  /** In the order of the queries; undefined for those that cannot be planned. */
  async of(
    candidates: readonly Candidate[],
    doubt = 1,
  ): Promise<readonly (QueryCost | undefined)[]> {
    const all: (QueryCost | undefined)[] = []
    for (const [at, query] of this.queries.entries()) {
      const tables = this.#tables[at]!
      const relevant = candidates.filter(({ table }) => tables.has(table))
      const key = `${at} ${doubt} ${relevant.map(({ name }) => name).join(' ')}`
      if (!this.#known.has(key)) this.#known.set(key, await this.#plan(query, relevant, doubt))
      all.push(this.#known.get(key))
    }
    return all
  }

  async #plan(
    { instances }: WeighedQuery,
    candidates: readonly Candidate[],
    doubt: number,
  ): Promise<QueryCost | undefined> {
    const plans: Plan[] = []
    for (const instance of instances) {
      const plan = await this.#planner.plan(instance, candidates, doubt)
      if (plan === undefined) return undefined
      plans.push(plan)
    }
    const ns = plans.reduce((all, { cost }) => all + cost, 0) / Math.max(1, plans.length)
    return { plans, ns: ns * this.#planner.unit }
  }
}

/** Nanoseconds of all calls. */
export function totalOf(
  costs: readonly (QueryCost | undefined)[],
  queries: readonly WeighedQuery[],
): number {
  return costs.reduce((all, cost, at) => all + (cost?.ns ?? 0) * queries[at]!.calls, 0)
}
