/** A planner by rules, for engines that cannot be asked what they would do, and for those who do not want them to be. */
import type { EngineName } from '@keelson/core'
import type { Candidate, TableIndex } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { keyText, type TableScan, type Term } from '../shape/query-shape.ts'
import { costs } from './cost-model.ts'
import { duckdbPath } from './duckdb-rules.ts'
import type { Plan, PlannedQuery, Planner } from './planner.ts'

/** One way to read a table. */
export interface Path {
  readonly cost: number
  readonly index: TableIndex | undefined
  readonly indexes?: readonly TableIndex[]
  /** Whether the rows come in the order that is asked for. */
  readonly isSorted: boolean
  readonly line: string
}

export class RulesPlanner implements Planner {
  readonly method = 'rules'
  readonly engine: EngineName
  readonly unit = 1
  readonly doubts: readonly number[] = []
  readonly #tables: ReadonlyMap<string, SampledTable>

  constructor(engine: EngineName, tables: ReadonlyMap<string, SampledTable>) {
    this.engine = engine
    this.#tables = tables
  }

  plan({ shape }: PlannedQuery, candidates: readonly Candidate[]): Plan {
    const average = this.#read(shape.scans, candidates, false)
    const worst = this.#read(shape.scans, candidates, true)
    return { ...average, worst: worst.cost }
  }

  close(): void {}

  /** Each table after those that it is joined to; the one with the fewest rows first. */
  #read(
    scans: readonly TableScan[],
    candidates: readonly Candidate[],
    isWorst: boolean,
  ): Omit<Plan, 'worst'> {
    const left = new Set(scans)
    const bound = new Set<string>()
    const uses = new Set<string>()
    const full = new Set<string>()
    const lines: string[] = []
    let around = 1
    let cost = 0
    while (left.size > 0) {
      let best: { scan: TableScan; path: Path; rows: number } | undefined
      for (const scan of left) {
        const table = this.#tables.get(scan.table)
        if (table === undefined) {
          left.delete(scan)
          continue
        }
        const terms = scan.terms.filter(({ join }) => join === undefined || bound.has(join))
        const isLast = left.size === 1 && bound.size === 0
        const path = this.#best({ ...scan, terms }, table, candidates, isLast, isWorst)
        const rows = Math.max(1e-3, table.statistics.rows * part(scan, terms, table, isWorst))
        if (best === undefined || path.cost * 1 + rows * 100 < best.path.cost + best.rows * 100)
          best = { scan, path, rows }
      }
      if (best === undefined) break
      const { scan, path, rows } = best
      left.delete(scan)
      bound.add(scan.alias)
      cost += around * path.cost
      around *= rows
      for (const { name } of path.indexes ?? (path.index === undefined ? [] : [path.index]))
        if (name !== '') uses.add(name)
      if (path.index === undefined && path.indexes === undefined) full.add(scan.table)
      lines.push(path.line)
    }
    return { cost, uses: [...uses].toSorted(), scans: [...full].toSorted(), lines }
  }

  #best(
    scan: TableScan,
    table: SampledTable,
    candidates: readonly Candidate[],
    isAlone: boolean,
    isWorst: boolean,
  ): Path {
    const indexes = [...table.indexes, ...candidates.filter((each) => each.table === table.name)]
    const paths =
      this.engine === 'duckdb'
        ? [duckdbPath(scan, table, indexes, isWorst)]
        : [
            scanPath(scan, table, isWorst),
            ...indexes.flatMap((index) => indexPath(scan, table, index, isWorst) ?? []),
            ...scan.alternatives.flatMap(
              (branches) => eitherPath(scan, branches, table, indexes, isWorst) ?? [],
            ),
          ]
    const rows = table.statistics.rows * part(scan, scan.terms, table, isWorst)
    const limit = scan.limit ?? 20
    const costed = paths.map((path) => {
      const needsSort = scan.sort.length + scan.group.length > 0 && !path.isSorted
      const early =
        isAlone && !needsSort && rows > 0 ? Math.min(1, Math.max(limit, 1) / Math.max(rows, 1)) : 1
      return { ...path, cost: path.cost * early + (needsSort ? costs.sort(rows, limit) : 0) }
    })
    return costed.reduce((best, path) => (path.cost < best.cost ? path : best))
  }
}

function scanPath(scan: TableScan, table: SampledTable, _isWorst: boolean): Path {
  const { statistics, name } = table
  const made = new Set(scan.terms.flatMap(({ key }) => (key.kind === 'column' ? [] : keyText(key))))
  const each = costs.row(statistics) + made.size * costs.expression
  return { cost: statistics.rows * each, index: undefined, isSorted: false, line: `scan ${name}` }
}

function indexPath(
  scan: TableScan,
  table: SampledTable,
  index: TableIndex,
  isWorst: boolean,
): Path | undefined {
  if (index.partial !== undefined && !implies(scan.terms, index)) return undefined
  const { statistics } = table
  const used: Term[] = []
  let seeks = 1
  let at = 0
  let isOrdered = true
  for (; at < index.keys.length; at++) {
    const { text } = index.keys[at]!
    const term = scan.terms.find(
      ({ kind, key }) =>
        (kind === 'equals' || kind === 'isNull' || kind === 'among') && keyText(key) === text,
    )
    if (term === undefined) break
    used.push(term)
    if (term.kind === 'among') {
      seeks *= term.count
      isOrdered = false
    }
  }
  const fixed = at
  const next = index.keys[at]?.text
  const ranges = scan.terms.filter(({ kind, key }) => kind === 'range' && keyText(key) === next)
  used.push(...ranges)
  const isSorted = isOrdered && keepsOrder(scan, index, fixed)
  const needed = scan.columns
  const isInside =
    needed !== undefined &&
    [...needed].every((column) => index.keys.some(({ text }) => text === column))
  if (used.length === 0 && index.partial === undefined && !isSorted && !isInside) return undefined
  const share = index.partial?.share ?? 1
  const own = index.partial === undefined ? [] : onKey(scan.terms, index.partial.key)
  const found = statistics.rows * Math.min(share, statistics.fraction([...used, ...own], isWorst))
  const isKey = index.isConstraint && index.name === ''
  const one = costs.entry({ rows: statistics.rows * share, statistics: index })
  // What is said of any key is looked at before the row is fetched.
  const onAny = scan.terms.filter(({ key }) => index.keys.some(({ text }) => text === keyText(key)))
  const fetched =
    statistics.rows * Math.min(share, statistics.fraction([...onAny, ...own], isWorst))
  const fetch = isInside || isKey ? 0 : costs.fetch(statistics)
  const cost = seeks * costs.seek(statistics.rows) + found * one + Math.min(found, fetched) * fetch
  const by = index.keys.slice(0, Math.max(1, fixed + (ranges.length > 0 ? 1 : 0)))
  const line = `search ${table.name} by ${index.name || 'its key'} (${by.map(({ text }) => text).join(', ')})`
  return { cost, index, isSorted, line }
}

/** Each branch of an OR by an index of its own. */
function eitherPath(
  scan: TableScan,
  branches: readonly (readonly Term[])[],
  table: SampledTable,
  indexes: readonly TableIndex[],
  isWorst: boolean,
): Path | undefined {
  let cost = 0
  const used: TableIndex[] = []
  for (const terms of branches) {
    const branch: TableScan = { ...scan, terms, alternatives: [], sort: [], group: [] }
    const paths = indexes.flatMap((index) => indexPath(branch, table, index, isWorst) ?? [])
    const [best] = paths.toSorted((a, b) => a.cost - b.cost)
    if (best?.index === undefined) return undefined
    cost += best.cost
    used.push(best.index)
  }
  const names = used.map(({ name }) => name || 'its key').join(' or ')
  return {
    cost,
    index: undefined,
    indexes: used,
    isSorted: false,
    line: `search ${table.name} by ${names}`,
  }
}

function keepsOrder(scan: TableScan, index: TableIndex, fixed: number): boolean {
  const same = new Set(index.keys.slice(0, fixed).map(({ text }) => text))
  const group = scan.group.map((key) => ({ key, descending: false }))
  const all = scan.sort.length > 0 ? scan.sort : group
  const wanted = all.filter(({ key }) => !same.has(keyText(key)))
  if (wanted.length === 0) return true
  const matches = (turned: boolean): boolean =>
    wanted.every(({ key, descending }, at) => {
      const own = index.keys[fixed + at]
      if (own === undefined || own.text !== keyText(key)) return false
      return scan.sort.length === 0 || (own.descending === descending) !== turned
    })
  return matches(false) || matches(true)
}

/** Whether the rows that are asked for are among those of a partial index. */
function implies(terms: readonly Term[], { partial }: TableIndex): boolean {
  const predicate = partial?.predicate
  if (predicate === undefined) return true
  const own = onKey(terms, partial?.key)
  if (predicate.kind === 'isNotNull')
    return own.some(({ kind }) => kind !== 'isNull' && kind !== 'other')
  if (predicate.kind === 'isNull') return own.some(({ kind }) => kind === 'isNull')
  if (predicate.kind !== 'compare' || predicate.operator !== '=') return false
  return own.some(({ kind, values }) => kind === 'equals' && values?.[0] === predicate.value)
}

function onKey(terms: readonly Term[], key: string | undefined): readonly Term[] {
  return terms.filter((term) => keyText(term.key) === key)
}

function part(
  scan: TableScan,
  terms: readonly Term[],
  { statistics }: SampledTable,
  isWorst: boolean,
): number {
  const either = scan.alternatives.reduce((all, branches) => {
    const any = branches.reduce((sum, branch) => sum + statistics.fraction(branch, isWorst), 0)
    return all * Math.min(1, any)
  }, 1)
  return statistics.fraction(terms, isWorst) * either
}
