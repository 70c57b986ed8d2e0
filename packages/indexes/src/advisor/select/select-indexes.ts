/**
 * Which of the candidates to have. Over 300 lines, one subject: the search. It grows the set by the index with the most gain
 * for each MB, lets a longer index replace one that it begins with, then tries to exchange, add and remove single ones; no
 * step is taken that makes a query slower than is allowed.
 */
import { type Candidate, isPrefixOf } from '../candidates/table-index.ts'
import type { QueryCost, WorkloadCost } from './workload-cost.ts'
import { totalOf } from './workload-cost.ts'

export interface SelectLimits {
  /** Bytes that all of them may take together. */
  readonly budget: number
  readonly maxPerTable: number
  /** How many times its present cost a query may cost. */
  readonly maxRegression: number
  /** Which part of the cost that is left an index has to save. */
  readonly minGain: number
}

/** Why a candidate is not among those chosen. */
export type NotChosen =
  | { readonly why: 'regression'; readonly queries: readonly number[] }
  | { readonly why: 'unused' | 'gain' | 'budget' | 'perTable' | 'writes' }

export interface Selection {
  readonly chosen: readonly Candidate[]
  readonly before: readonly (QueryCost | undefined)[]
  readonly after: readonly (QueryCost | undefined)[]
  readonly notChosen: ReadonlyMap<Candidate, NotChosen>
}

/** What a candidate takes. */
export interface CandidatePrice {
  /** Nanoseconds that keeping it takes, in the time of the workload. */
  writeNs(candidate: Candidate): number
  /** How large it is beside its table. */
  sizeShare(candidate: Candidate): number
}

export async function selectIndexes(
  candidates: readonly Candidate[],
  workload: WorkloadCost,
  price: CandidatePrice,
  limits: SelectLimits,
): Promise<Selection> {
  const search = new Search(candidates, workload, price, limits)
  return search.run()
}

interface Step {
  readonly set: readonly Candidate[]
  readonly costs: readonly (QueryCost | undefined)[]
  /** Nanoseconds, with what writes take, and what space is worth. */
  readonly total: number
}

interface Weighed {
  readonly step: Step
  readonly worth: number
  /** Where it does nothing but add. */
  readonly move?: Move | undefined
}

/** What may be added at once. */
interface Move {
  readonly added: readonly Candidate[]
  /** What the queries cost with it and nothing else. */
  readonly alone: readonly (QueryCost | undefined)[]
}

/** What a tiny query may lose without anybody noticing, in nanoseconds. */
const slackNs = 5_000

/** An index as large as its table has to save so many times `minGain` of the present cost. */
const spacePrice = 2

class Search {
  readonly #candidates: readonly Candidate[]
  readonly #workload: WorkloadCost
  readonly #price: CandidatePrice
  readonly #limits: SelectLimits
  readonly #notChosen = new Map<Candidate, NotChosen>()
  #before: readonly (QueryCost | undefined)[] = []
  /** What an index as large as its table is worth. */
  #spaceNs = 0

  constructor(
    candidates: readonly Candidate[],
    workload: WorkloadCost,
    price: CandidatePrice,
    limits: SelectLimits,
  ) {
    this.#candidates = candidates
    this.#workload = workload
    this.#price = price
    this.#limits = limits
  }

  async run(): Promise<Selection> {
    this.#before = await this.#workload.of([])
    const present = totalOf(this.#before, this.#workload.queries)
    this.#spaceNs = spacePrice * this.#limits.minGain * present
    const moves = await this.#findMoves()
    let now = await this.#step([])
    now = await this.#grow(now, moves)
    now = await this.#improve(now, moves)
    now = await this.#prune(now)
    for (const candidate of now.set) this.#notChosen.delete(candidate)
    await this.#explainRest(now)
    return { chosen: now.set, before: this.#before, after: now.costs, notChosen: this.#notChosen }
  }

  /** Candidates, or groups of them, that the planner would use at all. */
  async #findMoves(): Promise<readonly Move[]> {
    const moves: Move[] = []
    const byId = new Map(this.#candidates.map((candidate) => [candidate.id, candidate]))
    const groups = new Set<string>()
    for (const candidate of this.#candidates) {
      const alone = await this.#workload.of([candidate])
      if (uses(alone, candidate)) moves.push({ added: [candidate], alone })
      else this.#notChosen.set(candidate, { why: 'unused' })
      if (candidate.together.length === 0) continue
      const group = [candidate, ...candidate.together.flatMap((id) => byId.get(id) ?? [])].toSorted(
        (a, b) => (a.id < b.id ? -1 : 1),
      )
      const id = group.map((each) => each.id).join('\n')
      if (groups.has(id)) continue
      groups.add(id)
      const together = await this.#workload.of(group)
      if (group.every((each) => uses(together, each))) moves.push({ added: group, alone: together })
    }
    return moves
  }

  async #grow(start: Step, moves: readonly Move[]): Promise<Step> {
    let now = start
    for (;;) {
      const found: Weighed[] = []
      for (const move of moves) {
        const step = await this.#with(now, move, now)
        if (step === undefined) continue
        const gain = now.total - step.total
        if (gain <= Math.max(this.#limits.minGain * now.total, 0)) continue
        // Below so many bytes the size is of hardly any weight.
        const bytes = 250_000 + Math.max(0, bytesOf(step.set) - bytesOf(now.set))
        found.push({ step, worth: gain / bytes, move })
      }
      const best = await this.#bestOf(found)
      if (best === undefined) return now
      now = best
    }
  }

  /** One added, removed or exchanged, as long as that is better. */
  async #improve(start: Step, moves: readonly Move[]): Promise<Step> {
    let now = start
    for (let round = 0; round < 20; round++) {
      const found: Weighed[] = []
      const consider = (step: Step | undefined, move?: Move): void => {
        if (step === undefined) return
        const gain = now.total - step.total
        if (gain > now.total * this.#limits.minGain * 0.5) found.push({ step, worth: gain, move })
      }
      for (const removed of [undefined, ...now.set]) {
        const base =
          removed === undefined
            ? now
            : await this.#step(now.set.filter((candidate) => candidate !== removed))
        if (removed !== undefined && this.#isAllowed(base)) consider(base)
        for (const move of moves)
          consider(await this.#with(base, move, now), removed === undefined ? move : undefined)
      }
      const best = await this.#bestOf(found)
      if (best === undefined) return now
      now = best
    }
    return now
  }

  /** The step of most worth that makes no query slower even if the estimates are wrong. */
  async #bestOf(found: readonly Weighed[]): Promise<Step | undefined> {
    const inOrder = found.toSorted((a, b) => b.worth - a.worth)
    for (const { step, move } of inOrder) {
      const slower = await this.#slowerInDoubt(step)
      if (slower.length === 0) return step
      if (move?.added.length === 1)
        this.#notChosen.set(move.added[0]!, { why: 'regression', queries: slower })
    }
    return undefined
  }

  async #slowerInDoubt({ set }: Step): Promise<readonly number[]> {
    for (const doubt of this.#workload.doubts) {
      const slower = this.#slower(await this.#workload.of(set, doubt))
      if (slower.length > 0) return slower
    }
    return []
  }

  /** Without those that no plan uses any more, or that save less than they take. */
  async #prune(start: Step): Promise<Step> {
    let now = start
    for (;;) {
      let best: Step | undefined
      for (const candidate of now.set) {
        const step = await this.#step(now.set.filter((each) => each !== candidate))
        if (!this.#isAllowed(step) || (await this.#slowerInDoubt(step)).length > 0) continue
        const isUsed = uses(now.costs, candidate)
        const loss = step.total - now.total
        if (isUsed && loss > this.#limits.minGain * now.total) continue
        if (best === undefined || step.total < best.total) best = step
      }
      if (best === undefined) return now
      now = best
    }
  }

  /**
   * The set with a move, if the limits allow it.
   *
   * @param best what it has to be better than
   */
  async #with(base: Step, move: Move, best: Step): Promise<Step | undefined> {
    const added = move.added.filter((candidate) => !base.set.includes(candidate))
    if (added.length === 0 || this.#atBest(base, move) >= best.total) return undefined
    const kept = base.set.filter((candidate) => !added.some((each) => isPrefixOf(candidate, each)))
    const set = [...kept, ...added].toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const refuse = (reason: NotChosen): undefined => {
      if (added.length === 1 && base === best) this.#notChosen.set(added[0]!, reason)
      return undefined
    }
    if (bytesOf(set) > this.#limits.budget) return refuse({ why: 'budget' })
    const onTable = set.filter(({ table }) => table === added[0]!.table).length
    if (onTable > this.#limits.maxPerTable) return refuse({ why: 'perTable' })
    const step = await this.#step(set)
    const slower = this.#slower(step.costs)
    return slower.length > 0 ? refuse({ why: 'regression', queries: slower }) : step
  }

  /** The least that the queries can cost after a move: none more than what one of its two sides makes of it. */
  #atBest(base: Step, { added, alone }: Move): number {
    const { queries } = this.#workload
    const tables = new Set(added.map(({ table }) => table))
    const least = base.costs.map((cost, at): QueryCost | undefined => {
      const scans = queries[at]!.instances.flatMap(({ shape }) => shape.scans)
      const other = alone[at]
      if (cost === undefined || other === undefined) return cost
      if (!scans.some(({ table }) => tables.has(table))) return cost
      // Of a join both sides may be needed to save anything.
      const isJoin = queries[at]!.instances.some(({ shape }) => shape.scans.length > 1)
      return { plans: [], ns: isJoin ? 0 : Math.min(cost.ns, other.ns) }
    })
    return totalOf(least, queries)
  }

  async #step(set: readonly Candidate[]): Promise<Step> {
    const costs = await this.#workload.of(set)
    const taken = set.reduce(
      (all, each) => all + this.#price.writeNs(each) + this.#spaceNs * this.#price.sizeShare(each),
      0,
    )
    return { set, costs, total: totalOf(costs, this.#workload.queries) + taken }
  }

  #isAllowed(step: Step): boolean {
    return this.#slower(step.costs).length === 0
  }

  /** Queries that would be slower than is allowed, by their place. */
  #slower(costs: readonly (QueryCost | undefined)[]): readonly number[] {
    const { maxRegression } = this.#limits
    const slack = slackNs / this.#workload.unit
    return costs.flatMap((cost, at) => {
      const before = this.#before[at]
      if (cost === undefined || before === undefined) return []
      const isSlower = cost.plans.some((plan, instance) => {
        const present = before.plans[instance]!
        return (
          plan.cost > present.cost * maxRegression + slack ||
          plan.worst > present.worst * maxRegression + slack
        )
      })
      return isSlower ? [at] : []
    })
  }

  /** What adding it to those that were chosen would do. */
  async #explainRest(now: Step): Promise<void> {
    for (const candidate of this.#candidates) {
      if (now.set.includes(candidate)) continue
      const known = this.#notChosen.get(candidate)
      if (known?.why === 'regression' || known?.why === 'unused') continue
      if (now.set.some((each) => isPrefixOf(candidate, each))) {
        this.#notChosen.set(candidate, { why: 'unused' })
        continue
      }
      const step = await this.#step([...now.set, candidate])
      const gain = now.total - step.total
      if (gain > this.#limits.minGain * now.total) {
        if (known === undefined) this.#notChosen.set(candidate, { why: 'gain' })
      } else if (gain + this.#price.writeNs(candidate) > this.#limits.minGain * now.total)
        this.#notChosen.set(candidate, { why: 'writes' })
      else this.#notChosen.set(candidate, { why: 'gain' })
    }
  }
}

function uses(costs: readonly (QueryCost | undefined)[], { name }: Candidate): boolean {
  return costs.some((cost) => cost?.plans.some((plan) => plan.uses.includes(name)))
}

function bytesOf(set: readonly Candidate[]): number {
  return set.reduce((all, { bytes }) => all + bytes, 0)
}
