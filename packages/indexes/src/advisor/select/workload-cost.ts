import type { Candidate } from '../candidates/table-index.ts'
import { keyText } from '../shape/query-shape.ts'
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

/** What sets of candidates make of the queries. Each query is planned once for each set of those that it could use. */
export class WorkloadCost {
  readonly queries: readonly WeighedQuery[]
  readonly #planner: Planner
  readonly #known = new Map<string, QueryCost | undefined>()
  /** For each query, by the name of a candidate, whether it could use that. */
  readonly #couldUse: readonly Map<string, boolean>[]

  constructor(planner: Planner, queries: readonly WeighedQuery[]) {
    this.#planner = planner
    this.queries = queries
    this.#couldUse = queries.map(() => new Map())
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
      const key = this.#key(at, candidates, doubt)
      if (this.#known.has(key)) {
        all.push(this.#known.get(key))
        continue
      }
      // All of them, also where the query could use none: to make some go takes longer than to plan.
      const cost = await this.#plan(query, candidates, doubt)
      // What the planner has a use for that nobody has thought of.
      for (const { name } of candidates)
        if (cost?.plans.some(({ uses }) => uses.includes(name)) === true)
          this.#couldUse[at]!.set(name, true)
      this.#known.set(this.#key(at, candidates, doubt), cost)
      all.push(cost)
    }
    return all
  }

  /** Whether a query, by its place, could use a candidate. */
  couldUse(at: number, candidate: Candidate): boolean {
    const known = this.#couldUse[at]!.get(candidate.name)
    if (known !== undefined) return known
    const isOne = isOfUse(this.queries[at]!, candidate)
    this.#couldUse[at]!.set(candidate.name, isOne)
    return isOne
  }

  #key(at: number, candidates: readonly Candidate[], doubt: number): string {
    let key = `${at} ${doubt}`
    for (const candidate of candidates)
      if (this.couldUse(at, candidate)) key += ` ${candidate.name}`
    return key
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

/** Whether any of its keys is one that the query asks for, or its entries may do in place of the rows. */
function isOfUse({ instances }: WeighedQuery, { table, keys }: Candidate): boolean {
  return instances.some(({ shape }) =>
    shape.scans.some((scan) => {
      if (scan.table !== table) return false
      const { terms, alternatives, sort, group, columns } = scan
      if (columns?.size === 0) return true
      const asked = new Set([
        ...[...terms, ...alternatives.flat(2), ...sort].map(({ key }) => keyText(key)),
        ...group.map(keyText),
        ...(columns ?? []),
      ])
      return keys.some(({ text }) => asked.has(text))
    }),
  )
}

/** Nanoseconds of all calls. */
export function totalOf(
  costs: readonly (QueryCost | undefined)[],
  queries: readonly WeighedQuery[],
): number {
  return costs.reduce((all, cost, at) => all + (cost?.ns ?? 0) * queries[at]!.calls, 0)
}
