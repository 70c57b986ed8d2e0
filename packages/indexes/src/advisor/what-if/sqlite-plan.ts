/**
 * What a plan of SQLite costs. EXPLAIN QUERY PLAN has no costs: they are made of the loops it names and of what a sample says
 * of the tables. Over 300 lines, one subject: the lines of such a plan, https://www.sqlite.org/eqp.html.
 */
import type { Candidate, TableIndex } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { keyText, type TableScan, type Term } from '../shape/query-shape.ts'
import { costs } from './cost-model.ts'
import type { Plan, PlannedQuery } from './planner.ts'
import { type Access, accessIn, type Bound, boundsOf, indexIn } from './sqlite-plan-line.ts'

export interface PlanRow {
  readonly id: number
  readonly parent: number
  readonly detail: string
}

/** @param candidates that are there, by name */
export function costOfPlan(
  rows: readonly PlanRow[],
  query: PlannedQuery,
  tables: ReadonlyMap<string, SampledTable>,
  candidates: ReadonlyMap<string, Candidate>,
): Plan {
  const average = new PlanReader(rows, query, tables, candidates, false)
  const worst = new PlanReader(rows, query, tables, candidates, true)
  return {
    cost: average.cost(),
    worst: worst.cost(),
    uses: [...average.uses].toSorted(),
    scans: [...average.scans].toSorted(),
    lines: rows.map(({ detail }) => detail),
  }
}

class PlanReader {
  readonly uses = new Set<string>()
  readonly scans = new Set<string>()
  readonly #children = new Map<number, PlanRow[]>()
  readonly #query: PlannedQuery
  readonly #names: ReadonlySet<string>
  readonly #tables: ReadonlyMap<string, SampledTable>
  readonly #candidates: ReadonlyMap<string, Candidate>
  readonly #isWorst: boolean
  readonly #taken = new Set<TableScan>()

  constructor(
    rows: readonly PlanRow[],
    query: PlannedQuery,
    tables: ReadonlyMap<string, SampledTable>,
    candidates: ReadonlyMap<string, Candidate>,
    isWorst: boolean,
  ) {
    for (const row of rows) {
      const siblings = this.#children.get(row.parent)
      if (siblings === undefined) this.#children.set(row.parent, [row])
      else siblings.push(row)
    }
    this.#query = query
    this.#names = new Set(query.shape.scans.flatMap(({ alias, table }) => [alias, table]))
    this.#tables = tables
    this.#candidates = candidates
    this.#isWorst = isWorst
  }

  cost(): number {
    return this.#level(0, new Set())
  }

  /** Loops of one SELECT, each inside the one before it, and what is done with its rows. */
  #level(parent: number, around: ReadonlySet<string>): number {
    const bound = new Set(around)
    const loops: Loop[] = []
    let once = 0
    let each = 0
    let sorts: 'no' | 'last' | 'all' = 'no'
    for (const { id, detail } of this.#children.get(parent) ?? []) {
      const access = accessIn(detail, this.#names)
      if (access !== undefined) {
        const scan = this.#scan(access.alias)
        loops.push(scan === undefined ? unknownLoop : this.#access(access, scan, bound))
        bound.add(access.alias)
      } else if (detail === 'MULTI-INDEX OR') {
        const loop = this.#either(id, bound)
        loops.push(loop.loop)
        bound.add(loop.alias)
      } else if (detail.startsWith('USE TEMP B-TREE')) {
        if (/ORDER BY$|GROUP BY$/.test(detail))
          sorts = / LAST | RIGHT /.test(detail) ? 'last' : 'all'
        else each += 100
      } else if (detail.startsWith('CORRELATED')) each += this.#level(id, bound)
      else once += this.#level(id, around)
    }
    return once + total(loops, sorts, each)
  }

  #scan(alias: string): TableScan | undefined {
    const { scans } = this.#query.shape
    const matching = scans.filter((scan) => scan.alias === alias || scan.table === alias)
    const scan = matching.find((each) => !this.#taken.has(each)) ?? matching[0]
    if (scan !== undefined) this.#taken.add(scan)
    return scan
  }

  #access(access: Access, scan: TableScan, bound: ReadonlySet<string>): Loop {
    const table = this.#tables.get(scan.table)
    if (table === undefined) return unknownLoop
    const terms = scan.terms.filter(({ join }) => join === undefined || bound.has(join))
    const { limit } = scan
    const alternatives = this.#alternatives(scan, table)
    const out = Math.max(table.statistics.rows * this.#fraction(table, terms) * alternatives, 1e-3)
    const isWhole = access.verb === 'SCAN' && scan.alternatives.length === 0
    const partRead = isWhole
      ? table.statistics.partRead(scan.terms, scan.sort, limit ?? usualLimit)
      : undefined
    return { ...this.#visits(access, scan, table, terms), out, limit, partRead }
  }

  /** Seeks and rows of one loop, without what comes of them. */
  #visits(
    { verb, how }: Access,
    scan: TableScan,
    table: SampledTable,
    terms: readonly Term[],
  ): Pick<Loop, 'fixed' | 'visits'> {
    const { statistics } = table
    const { rows } = statistics
    const named = indexIn(how, [
      ...this.#candidates.keys(),
      ...table.indexes.map((index) => index.name),
    ])
    const unindexed = (index?: TableIndex): number => {
      const held = new Set(index?.keys.map(({ text }) => text))
      const made = new Set(
        terms.flatMap(({ key }) =>
          key.kind === 'column' || held.has(keyText(key)) ? [] : keyText(key),
        ),
      )
      return made.size * costs.expression
    }
    if (how.startsWith(' USING AUTOMATIC')) {
      // Built for each run of the query, over all rows.
      const fixed = rows * (costs.row(statistics) + 25 * Math.log2(rows + 2))
      return { fixed, visits: costs.seek(rows) + rows * this.#fraction(table, terms) * 40 }
    }
    if (how.startsWith(' USING INTEGER PRIMARY KEY')) {
      const found = /rowid=\?/.test(how)
        ? 1
        : rows * this.#fraction(table, onKeys(terms, [table.rowid]))
      return { fixed: 0, visits: costs.seek(rows) + found * (costs.row(statistics) + unindexed()) }
    }
    const index = named && this.#index(named.name, table)
    if (named !== undefined) this.uses.add(named.name)
    if (named === undefined || index === undefined) {
      if (verb === 'SCAN') {
        if (named === undefined) this.scans.add(scan.table)
        return { fixed: 0, visits: rows * (costs.row(statistics) + unindexed()) }
      }
      // The key of a table without rowid, or an index that is not known.
      return { fixed: 0, visits: costs.seek(rows) + costs.row(statistics) }
    }
    const bounds = boundsOf(named, index)
    const { seeks, found, fetched } = this.#entries(verb, bounds, index, table, terms)
    const one = costs.entry({ rows: rows * (index.partial?.share ?? 1), statistics: index })
    // Entries with the same keys are in the order of the table.
    const keys = index.keys.map(({ key }) => key)
    const alike =
      verb === 'SEARCH' && areAllFixed(bounds, index)
        ? found / Math.max(1, rows * seeks)
        : 1 / statistics.distinct(keys)
    const fetch = named.isCovering
      ? 0
      : costs.fetchInOrder(statistics, alike, statistics.following(keys))
    const each = fetch + unindexed(index)
    return { fixed: 0, visits: seeks * costs.seek(rows) + found * one + fetched * each }
  }

  /**
   * How many entries of an index are read, in how many places, and for how many of them the row: what is said of any key is
   * looked at before.
   */
  #entries(
    verb: Access['verb'],
    bounds: readonly Bound[],
    index: TableIndex,
    table: SampledTable,
    terms: readonly Term[],
  ): { readonly seeks: number; readonly found: number; readonly fetched: number } {
    const { statistics } = table
    const share = index.partial?.share ?? 1
    const onAny = onKeys(terms, [...index.keys.map(({ text }) => text), index.partial?.key])
    const fetched = statistics.rows * Math.min(share, this.#fraction(table, onAny))
    if (verb === 'SCAN') return { seeks: 1, found: statistics.rows * share, fetched }
    const skipped = bounds.filter(({ isSkipped }) => isSkipped).length
    const held = index.keys.slice(skipped, bounds.length)
    const keys = [...held.map(({ text }) => text), index.partial?.key]
    const matching = onKeys(terms, keys)
    const fraction = Math.min(share, this.#fraction(table, matching))
    const lists = matching.filter(({ kind }) => kind === 'among')
    const seeks = lists.reduce((all, { count }) => all * Math.max(1, count), 1)
    const before = index.keys.slice(0, skipped).map(({ key }) => key)
    const groups = skipped === 0 ? 1 : statistics.distinct(before)
    return { seeks: seeks * groups, found: statistics.rows * fraction, fetched }
  }

  #index(name: string, table: SampledTable): TableIndex | undefined {
    return (
      this.#candidates.get(name) ??
      table.indexes.find((index) => index.name === name) ??
      (name.startsWith('sqlite_autoindex_')
        ? table.indexes.find(({ isConstraint }) => isConstraint)
        : undefined)
    )
  }

  /** An OR of which each branch has its own index. */
  #either(id: number, bound: ReadonlySet<string>): { readonly loop: Loop; readonly alias: string } {
    let visits = 0
    let alias = ''
    let scan: TableScan | undefined
    const branches = (this.#children.get(id) ?? []).flatMap(
      (branch) => this.#children.get(branch.id) ?? [],
    )
    for (const [at, { detail }] of branches.entries()) {
      const access = accessIn(detail, this.#names)
      if (access === undefined) continue
      alias = access.alias
      scan ??= this.#scan(alias)
      const table = scan && this.#tables.get(scan.table)
      if (scan === undefined || table === undefined) continue
      const common = scan.terms.filter(({ join }) => join === undefined || bound.has(join))
      const all = scan.alternatives.find((each) => each.length === branches.length)
      visits += this.#visits(access, scan, table, [...common, ...(all?.[at] ?? [])]).visits
    }
    const table = scan && this.#tables.get(scan.table)
    if (scan === undefined || table === undefined) return { loop: unknownLoop, alias }
    const terms = scan.terms.filter(({ join }) => join === undefined || bound.has(join))
    const part = this.#fraction(table, terms) * this.#alternatives(scan, table)
    const { limit } = scan
    return { loop: { fixed: 0, visits, out: table.statistics.rows * part, limit }, alias }
  }

  #alternatives(scan: TableScan, table: SampledTable): number {
    return scan.alternatives.reduce((part, branches) => {
      const any = branches.reduce((sum, terms) => sum + this.#fraction(table, terms), 0)
      return part * Math.min(1, any)
    }, 1)
  }

  #fraction({ statistics }: SampledTable, terms: readonly Term[]): number {
    return statistics.fraction(terms, this.#isWorst)
  }
}

interface Loop {
  /** Nanoseconds once, whatever is around it. */
  readonly fixed: number
  /** Nanoseconds for each row of the loop around it. */
  readonly visits: number
  /** Rows that come of it, for each row of the loop around it. */
  readonly out: number
  readonly limit: number | undefined
  /** Which part of the rows has to be read, in the order that is asked for, until the limit is reached. */
  readonly partRead?: number | undefined
}

/** A constant row, a function, a common table expression. */
const unknownLoop: Loop = { fixed: 0, visits: 1_000, out: 1, limit: Infinity }

/** As people ask for a page. */
const usualLimit = 20

function total(loops: readonly Loop[], sorts: 'no' | 'last' | 'all', each: number): number {
  if (loops.length === 0) return each
  const rows = loops.reduce((all, { out }) => all * out, 1)
  const limit = Math.min(...loops.map((loop) => loop.limit ?? usualLimit))
  // Rows are read until there are enough of them, unless all have to be seen for their order.
  const known = loops.length === 1 ? loops[0]!.partRead : undefined
  const even = Math.min(1, Math.max(limit, 1) / Math.max(rows, 1e-9))
  const part = sorts === 'all' ? 1 : (known ?? even)
  let cost = 0
  let around = 1
  for (const [at, { fixed, visits, out }] of loops.entries()) {
    cost += fixed + around * visits * (at === 0 ? part : 1)
    around *= out * (at === 0 ? part : 1)
  }
  const kept = Math.max(around, 0)
  if (sorts === 'all') cost += costs.sort(rows, limit)
  if (sorts === 'last') cost += costs.sort(kept, limit) / 2
  return cost + kept * each
}

/** Whether all keys of an index are equal to something, those that are skipped over to each of their values. */
function areAllFixed(bounds: readonly Bound[], { keys }: TableIndex): boolean {
  return bounds.length === keys.length && bounds.every(({ isRange }) => !isRange)
}

function onKeys(terms: readonly Term[], keys: readonly (string | undefined)[]): readonly Term[] {
  return terms.filter(({ key }) => keys.includes(keyText(key)))
}
