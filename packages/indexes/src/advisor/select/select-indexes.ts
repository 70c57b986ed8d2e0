/**
 * Which of the candidates to have. Over 300 lines, one subject: the search. It grows the set by the index with the most gain
 * for each MB, lets a longer index replace one that it begins with, then tries to exchange, add and remove single ones, and
 * where none of that helps two at once; no step is taken that makes a query slower than is allowed.
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
  /** Nanoseconds that it has to save a call of some query. */
  readonly minCallGainNs: number
}

/** Why a candidate is not among those chosen. */
export type NotChosen =
  | { readonly why: 'regression'; readonly queries: readonly number[] }
  | { readonly why: 'unused' | 'gain' | 'callGain' | 'budget' | 'perTable' | 'writes' }

export interface Selection {
  readonly chosen: readonly Candidate[]
  readonly before: readonly (QueryCost | undefined)[]
  readonly after: readonly (QueryCost | undefined)[]
  readonly notChosen: ReadonlyMap<Candidate, NotChosen>
}

/** What a candidate takes, and what the workload would take without any. */
export interface CandidatePrice {
  /**
   * Nanoseconds of the workload if there were keys and nothing else. Space is priced by it, so that a second advice, after
   * the first was taken, finds the same prices.
   */
  readonly withoutIndexesNs: number
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
const slackNs = 2_000

/** An index as large as its table has to save so many times `minGain` of the cost without indexes. */
const spacePrice = 3

/** How many sets are tried, of those that differ from the best one in more than one exchange. */
const maxTried = 400
/** All sets are tried where there are so few moves, and where that takes so few plans. */
const maxMoves = 12
const maxPlans = 10_000
/** Moves of which pairs are made: those that could save the most. */
const maxPaired = 40

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
    this.#spaceNs = spacePrice * this.#limits.minGain * this.#price.withoutIndexesNs
    const moves = await this.#findMoves()
    let now = await this.#step([])
    now = await this.#grow(now, moves)
    now = await this.#settle(await this.#improve(now, moves), moves)
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
        if (!this.#isFelt(now, step)) {
          if (move.added.length === 1) this.#notChosen.set(move.added[0]!, { why: 'callGain' })
          continue
        }
        // Below so many bytes the size is of hardly any weight.
        const bytes = 250_000 + Math.max(0, bytesOf(step.set) - bytesOf(now.set))
        found.push({ step, worth: gain / bytes, move })
      }
      const best = await this.#bestOf(found)
      if (best === undefined) return now
      now = best
    }
  }

  /** One added, removed or exchanged, and two where that is of no use, as long as it is better. */
  async #improve(start: Step, moves: readonly Move[]): Promise<Step> {
    let now = start
    for (let round = 0; round < 20; round++) {
      const better = (await this.#nearby(now, moves)) ?? (await this.#farther(now, moves))
      if (better === undefined) return now
      now = better
    }
    return now
  }

  /** Until nothing goes and nothing comes any more: whatever is left to add, a second advice would propose. */
  async #settle(start: Step, moves: readonly Move[]): Promise<Step> {
    let improved = start
    let now = await this.#prune(await this.#bestOfAll(start, moves))
    for (let round = 0; now !== improved && round < 5; round++) {
      improved = await this.#improve(now, moves)
      now = await this.#prune(improved)
    }
    return now
  }

  async #nearby(now: Step, moves: readonly Move[]): Promise<Step | undefined> {
    const found: Weighed[] = []
    for (const removed of [undefined, ...now.set]) {
      const base =
        removed === undefined
          ? now
          : await this.#step(now.set.filter((candidate) => candidate !== removed))
      const isBetter = (step: Step): boolean => this.#isBetter(now, step, removed === undefined)
      if (removed !== undefined && this.#isAllowed(base) && isBetter(base))
        found.push({ step: base, worth: now.total - base.total })
      for (const move of moves) {
        const step = await this.#with(base, move, now)
        if (step === undefined || !isBetter(step)) continue
        const worth = now.total - step.total
        found.push({ step, worth, ...(removed === undefined && { move }) })
      }
    }
    return this.#bestOf(found)
  }

  /** Up to two removed and two added: those first that could be the best. */
  async #farther(now: Step, moves: readonly Move[]): Promise<Step | undefined> {
    const pairs = this.#pairsOf(now, moves)
    const tries: { readonly base: Step; readonly move: Move; readonly least: number }[] = []
    // Two go for two others where not all find a place beside each other.
    const isFull = moves.some(({ added }) => !this.#fits(inOrder(new Set([...now.set, ...added]))))
    for (const removed of isFull ? upToTwo(now.set) : [[]]) {
      const base = await this.#step(now.set.filter((candidate) => !removed.includes(candidate)))
      for (const move of removed.length < 2 ? pairs : [...moves, ...pairs]) {
        const least = this.#atBest(base, move)
        if (least < now.total) tries.push({ base, move, least })
      }
    }
    const found: Weighed[] = []
    const likeliest = tries.toSorted((a, b) => a.least - b.least).slice(0, maxTried)
    for (const { base, move } of likeliest) {
      const step = await this.#with(base, move, now)
      if (step === undefined || !this.#isBetter(now, step, base.set.length === now.set.length))
        continue
      found.push({ step, worth: now.total - step.total })
    }
    return this.#bestOf(found)
  }

  /** Where there are few moves, the best of all sets of them. */
  async #bestOfAll(start: Step, moves: readonly Move[]): Promise<Step> {
    if (this.#plansOfAll(moves) > maxPlans) return start
    const known = new Set<string>()
    const found: Weighed[] = []
    for (let code = 0; code < 2 ** moves.length; code++) {
      const picked = moves.flatMap(({ added }, at) => (((code >> at) & 1) === 1 ? added : []))
      const set = withoutServed(picked)
      const id = set.map(({ name }) => name).join(' ')
      if (known.has(id) || !this.#fits(set)) continue
      known.add(id)
      const step = await this.#step(set)
      if (this.#isAllowed(step) && this.#isBetter(start, step, isWithin(start.set, set)))
        found.push({ step, worth: start.total - step.total })
    }
    return (await this.#bestOf(found)) ?? start
  }

  /** How many plans all sets of some moves take, each query being planned once for those that it could use. */
  #plansOfAll(moves: readonly Move[]): number {
    if (moves.length > maxMoves) return Infinity
    return this.#workload.queries.reduce((all, { instances }, at) => {
      const ofUse = moves.filter(({ added }) =>
        added.some((candidate) => this.#workload.couldUse(at, candidate)),
      )
      return all + 2 ** ofUse.length * instances.length
    }, 0)
  }

  #fits(set: readonly Candidate[]): boolean {
    if (bytesOf(set) > this.#limits.budget) return false
    return set.every(({ table }) => onTable(set, table) <= this.#limits.maxPerTable)
  }

  #pairsOf(now: Step, moves: readonly Move[]): readonly Move[] {
    const single = moves
      .map((move) => ({ move, least: this.#atBest(now, move) }))
      .toSorted((a, b) => a.least - b.least)
      .slice(0, maxPaired)
      .map(({ move }) => move)
    return single.flatMap((one, at) =>
      single.slice(at + 1).flatMap((other): Move[] => {
        if (one.added.some((each) => other.added.includes(each))) return []
        const alone = one.alone.map((cost, query) => lesser(cost, other.alone[query]))
        return [{ added: [...one.added, ...other.added], alone }]
      }),
    )
  }

  /** Whether one set is enough better than another to be taken in its place. */
  #isBetter(now: Step, step: Step, isOnlyMore: boolean): boolean {
    const gain = now.total - step.total
    if (gain <= now.total * this.#limits.minGain * 0.5) return false
    return !isOnlyMore || this.#isFelt(now, step)
  }

  /** Whether what calls save, each so much that somebody could notice it, is enough by itself. */
  #isFelt(now: Step, step: Step): boolean {
    const { queries } = this.#workload
    const saved = now.costs.reduce((all, cost, at) => {
      const each = (cost?.ns ?? 0) - (step.costs[at]?.ns ?? 0)
      return each < this.#limits.minCallGainNs ? all : all + each * queries[at]!.calls
    }, 0)
    return saved > now.total * this.#limits.minGain * 0.5
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
        const isWorthIt = loss > this.#limits.minGain * now.total * 0.5 && this.#isFelt(step, now)
        if (isUsed && isWorthIt) continue
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
    const set = withoutServed([...base.set, ...added])
    if (isWithin(set, base.set)) return undefined
    const refuse = (reason: NotChosen): undefined => {
      if (added.length === 1 && base === best) this.#notChosen.set(added[0]!, reason)
      return undefined
    }
    if (bytesOf(set) > this.#limits.budget) return refuse({ why: 'budget' })
    if (onTable(set, added[0]!.table) > this.#limits.maxPerTable) return refuse({ why: 'perTable' })
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
    const most = (cost: number): number => Math.max(cost * maxRegression, cost + slack)
    return costs.flatMap((cost, at) => {
      const before = this.#before[at]
      if (cost === undefined || before === undefined) return []
      const isSlower = cost.plans.some((plan, instance) => {
        const present = before.plans[instance]!
        return plan.cost > most(present.cost) || plan.worst > most(present.worst)
      })
      return isSlower ? [at] : []
    })
  }

  /** What adding it to those that were chosen would do. */
  async #explainRest(now: Step): Promise<void> {
    for (const candidate of this.#candidates) {
      if (now.set.includes(candidate)) continue
      const known = this.#notChosen.get(candidate)
      if (known !== undefined && isFinal.has(known.why)) continue
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

/** What adding it once more would not tell better. */
const isFinal: ReadonlySet<NotChosen['why']> = new Set(['regression', 'unused', 'callGain'])

function uses(costs: readonly (QueryCost | undefined)[], { name }: Candidate): boolean {
  return costs.some((cost) => cost?.plans.some((plan) => plan.uses.includes(name)))
}

function upToTwo<T>(all: readonly T[]): readonly (readonly T[])[] {
  return [
    [],
    ...all.map((one) => [one]),
    ...all.flatMap((one, at) => all.slice(at + 1).map((other) => [one, other])),
  ]
}

function lesser(one: QueryCost | undefined, other: QueryCost | undefined): QueryCost | undefined {
  return one !== undefined && other !== undefined && other.ns < one.ns ? other : one
}

/** The same for a set, however it came to be. */
function inOrder(set: Iterable<Candidate>): readonly Candidate[] {
  return [...set].toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function onTable(set: readonly Candidate[], name: string): number {
  return set.filter(({ table }) => table === name).length
}

function isWithin(set: readonly Candidate[], larger: readonly Candidate[]): boolean {
  return set.every((candidate) => larger.includes(candidate))
}

/**
 * Without those that another begins with. Which of the two a planner takes may hang on which of them was created first, and of
 * indexes that are there the shorter one counts as redundant.
 */
function withoutServed(set: Iterable<Candidate>): readonly Candidate[] {
  return inOrder(new Set(set)).filter(
    (one, at, all) =>
      !all.some(
        (other, place) =>
          place !== at && isPrefixOf(one, other) && !(place > at && isPrefixOf(other, one)),
      ),
  )
}

function bytesOf(set: readonly Candidate[]): number {
  return set.reduce((all, { bytes }) => all + bytes, 0)
}
