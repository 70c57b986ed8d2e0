/**
 * From shapes to the indexes that could serve them. Over 300 lines, one subject: the rules by which the keys of an index
 * follow from how a table is asked.
 */
import type { EngineName } from '@keelson/core'
import type { Expression, Literal, Predicate } from '../../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../../ir/index-definition.ts'
import type { SampledTable } from '../sampled-table.ts'
import {
  columnOfKey,
  keyText,
  type QueryShape,
  type TableScan,
  type Term,
} from '../shape/query-shape.ts'
import type { TableStatistics } from '../statistics/table-statistics.ts'
import { type Candidate, indexId, isPrefixOf, tableIndex } from './table-index.ts'

export interface ProposeOptions {
  readonly engine: EngineName
  /** The most keys of an index. */
  readonly maxKeys: number
  readonly tables: ReadonlyMap<string, SampledTable>
}

/**
 * @param shapes of all queries, each with the values of its calls
 * @returns in an order that does not depend on that of the queries
 */
export function proposeIndexes(
  shapes: readonly QueryShape[],
  options: ProposeOptions,
): readonly Candidate[] {
  const found = new Map<string, Candidate>()
  const scans = shapes.flatMap((shape) => shape.scans)
  for (const scan of scans) {
    const table = options.tables.get(scan.table)
    if (table === undefined) continue
    const { statistics } = table
    const shared = scans.filter((each) => each.table === scan.table)
    const rules = new ScanRules(scan, shared, table, options)
    for (const { definition, together } of rules.definitions()) {
      const id = indexId(table.name, definition)
      const known = found.get(id)
      const others = together.map((each) => indexId(table.name, each)).filter((each) => each !== id)
      const all = [...new Set([...(known?.together ?? []), ...others])].toSorted()
      const index = tableIndex('', table.name, definition, statistics, options.engine)
      found.set(id, { ...index, id, together: all })
    }
  }
  const inOrder = [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return inOrder
    .filter((candidate) => !isServed(candidate, options.tables.get(candidate.table)!))
    .map((candidate, at) => ({ ...candidate, name: `keelson_candidate_${at}` }))
}

/** What there is already does what the candidate would. */
function isServed(candidate: Candidate, { indexes }: SampledTable): boolean {
  return indexes.some((index) => isPrefixOf(candidate, index))
}

interface Definition {
  readonly definition: IndexDefinition
  /** All of them are needed, or none is used. */
  readonly together: readonly IndexDefinition[]
}

/** The rules for one place at which a table is read: equality first, then the sort, then a range. */
class ScanRules {
  readonly #scan: TableScan
  readonly #shared: readonly TableScan[]
  readonly #table: SampledTable
  readonly #statistics: TableStatistics
  readonly #options: ProposeOptions
  readonly #found: Definition[] = []

  constructor(
    scan: TableScan,
    shared: readonly TableScan[],
    table: SampledTable,
    options: ProposeOptions,
  ) {
    this.#scan = scan
    this.#shared = shared
    this.#table = table
    this.#statistics = table.statistics
    this.#options = options
  }

  definitions(): readonly Definition[] {
    const { terms, alternatives } = this.#scan
    const equal = this.#keys(terms, (term) => isEquality(term) && term.join === undefined)
    const joins = [...new Set(terms.flatMap(({ join }) => join ?? []))].toSorted()
    const among = this.#keys(terms, ({ kind }) => kind === 'among')
    const ranges = this.#keys(terms, ({ kind }) => kind === 'range')
    const bases = [equal]
    for (const join of joins)
      bases.push(this.#keys(terms, (term) => isEquality(term) && (term.join ?? join) === join))
    for (const base of bases) this.#addFor(base, among, ranges)
    // One that is smaller, or finds fewer rows by itself than all of them do together with the planner's guesses.
    for (const key of [...equal, ...ranges]) this.#add([plain(key)])
    // Another query may begin with any of them.
    if (equal.length === 2 || equal.length === 3) this.#addTurned(equal)
    for (const branches of alternatives) this.#addBranches(branches)
    if (this.#options.engine !== 'mysql') this.#addPartial(equal, ranges)
    return this.#found
  }

  #addFor(
    base: readonly Expression[],
    among: readonly Expression[],
    ranges: readonly Expression[],
  ): void {
    const equals = this.#inOrder(base).map(plain)
    const lists = this.#inOrder(among).map(plain)
    const sort = this.#sort([...base])
    this.#add(equals)
    this.#add([...equals, ...sort])
    for (const range of ranges) {
      this.#add([...equals, plain(range)])
      // The sort as well, for rows that are found by the range and are few.
      if (sort.length > 0 && lists.length === 0) this.#add([...equals, ...sort, plain(range)])
    }
    // A list ends the order of the rows: it comes first to find them, or last to keep the order.
    if (lists.length > 0) {
      this.#add([...equals, ...lists])
      for (const range of ranges) this.#add([...equals, ...lists, plain(range)])
      if (sort.length > 0) {
        this.#add([...equals, ...sort, ...lists])
        this.#add([...equals, ...lists, ...sort])
      }
    }
    this.#addCovering(equals, sort, [...lists, ...ranges.map(plain)])
  }

  #addTurned(equal: readonly Expression[]): void {
    const inOrder = this.#inOrder(equal).map(plain)
    const sort = this.#sort(equal)
    for (const first of inOrder.slice(1)) {
      const turned = [first, ...inOrder.filter((key) => key !== first)]
      this.#add(turned)
      this.#add([...turned, ...sort])
    }
  }

  /** With all columns that are needed as keys the table itself is not read. */
  #addCovering(
    equals: readonly IndexKey[],
    sort: readonly IndexKey[],
    rest: readonly IndexKey[],
  ): void {
    const { columns } = this.#scan
    if (columns === undefined || this.#options.engine === 'duckdb') return
    const begun = unique([...equals, ...sort, ...rest])
    const held = new Set(
      begun.flatMap(({ expression }) => (expression.kind === 'column' ? expression.name : [])),
    )
    // The rowid is in every index of SQLite, and the primary key in those of InnoDB.
    const inside = this.#options.engine === 'postgresql' ? [] : this.#table.primaryKey
    const missing = [...columns].filter((name) => !held.has(name) && !inside.includes(name))
    if (begun.length === 0 || missing.length > 2) return
    if (!missing.every((name) => this.#table.columns.has(name))) return
    this.#add([...begun, ...missing.toSorted().map((name) => plain({ kind: 'column', name }))])
  }

  #addBranches(branches: readonly (readonly Term[])[]): void {
    const definitions = branches.map((branch) => {
      const equal = this.#inOrder(
        this.#keys(branch, (term) => isEquality(term) || term.kind === 'among'),
      )
      const [range] = this.#keys(branch, ({ kind }) => kind === 'range')
      return this.#definition([...equal, ...(range === undefined ? [] : [range])].map(plain))
    })
    const together = definitions.filter((each) => each !== undefined)
    if (together.length < branches.length) return
    for (const definition of together) this.#found.push({ definition, together })
  }

  #addPartial(equal: readonly Expression[], ranges: readonly Expression[]): void {
    const { terms } = this.#scan
    const sort = this.#sort([...equal])
    const nulled = [...ranges, ...this.#keys(terms, ({ kind }) => kind === 'isNotNull')].filter(
      (key) => key.kind !== 'column' || this.#table.nullable.has(key.name),
    )
    for (const key of nulled) {
      // Of fewer NULLs an index over all rows is hardly larger.
      if (!(this.#statistics.nullShare(key) > 0.5)) continue
      const where: Predicate = { kind: 'isNotNull', expression: key }
      this.#add([...this.#inOrder(equal).map(plain), plain(key)], where)
    }
    // A generic plan of PostgreSQL does not know what the parameter is, and passes over the index.
    if (this.#options.engine !== 'sqlite') return
    for (const term of terms) {
      const value = this.#rareConstant(term)
      if (value === undefined) continue
      const where: Predicate = { kind: 'compare', operator: '=', expression: term.key, value }
      const text = keyText(term.key)
      const rest = this.#inOrder(equal.filter((key) => keyText(key) !== text)).map(plain)
      const [range] = ranges.filter((key) => keyText(key) !== text)
      const last = sort.length > 0 ? sort : range === undefined ? [] : [plain(range)]
      if (rest.length + last.length > 0) this.#add([...rest, ...last], where)
      else
        this.#add(
          this.#table.primaryKey.slice(0, 1).map((name) => plain({ kind: 'column', name })),
          where,
        )
    }
  }

  /** A value that is asked for in each call of all queries, in few rows, of a column that has few values for ever. */
  #rareConstant({ kind, key, join, values }: Term): Literal | undefined {
    const value = values?.[0]
    if (kind !== 'equals' || join !== undefined || key.kind !== 'column') return undefined
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      return undefined
    if (!this.#table.isClosed(key.name)) return undefined
    const others = this.#shared.flatMap((scan) =>
      scan.terms.filter((term) => term.kind === 'equals' && keyText(term.key) === key.name),
    )
    if (others.some((term) => term.values?.length !== 1 || term.values[0] !== value))
      return undefined
    const share = this.#statistics.share(key, value)
    return share > 0 && share < 0.15 ? value : undefined
  }

  #add(keys: readonly IndexKey[], where?: Predicate): void {
    const definition = this.#definition(keys, where)
    if (definition !== undefined) this.#found.push({ definition, together: [] })
  }

  #definition(given: readonly IndexKey[], where?: Predicate): IndexDefinition | undefined {
    const keys = unique(given)
    const [first] = keys
    if (first === undefined || keys.length > this.#options.maxKeys) return undefined
    const isKnown = keys.every(({ expression }) => {
      const column = columnOfKey(expression)
      return column === undefined
        ? this.#statistics.has(expression)
        : this.#table.columns.has(column)
    })
    if (!isKnown) return undefined
    // The primary key finds its row by itself.
    const [only, ...more] = this.#table.primaryKey
    const isKey = first.expression.kind === 'column' && first.expression.name === only
    if (isKey && more.length === 0 && where === undefined) return undefined
    return { keys, unique: false, ...(where !== undefined && { where }) }
  }

  #keys(terms: readonly Term[], which: (term: Term) => boolean): readonly Expression[] {
    const keys = terms.filter(which).map(({ key }) => [keyText(key), key] as const)
    return [...new Map(keys).values()]
  }

  /** Those first that most queries have, so that one index begins for several; then those with more values. */
  #inOrder(keys: readonly Expression[]): readonly Expression[] {
    const uses = (key: Expression): number => {
      const text = keyText(key)
      return this.#shared.filter(({ terms }) =>
        terms.some((term) => isEquality(term) && keyText(term.key) === text),
      ).length
    }
    return keys.toSorted(
      (a, b) =>
        uses(b) - uses(a) ||
        this.#statistics.distinct([b]) - this.#statistics.distinct([a]) ||
        (keyText(a) < keyText(b) ? -1 : 1),
    )
  }

  /** ORDER BY or GROUP BY, without what is the same in all rows; one that is all descending is read backwards. */
  #sort(fixed: readonly Expression[]): readonly IndexKey[] {
    const { sort, group } = this.#scan
    const same = new Set(fixed.map(keyText))
    const wanted = sort.length > 0 ? sort : group.map((key) => ({ key, descending: false }))
    const keys = wanted.filter(({ key }) => !same.has(keyText(key)))
    // The rowid is the last key of every index of SQLite.
    const last = keys.at(-1)
    const isImplied =
      this.#options.engine === 'sqlite' &&
      keys.length > 1 &&
      last?.key.kind === 'column' &&
      this.#table.primaryKey.length === 1 &&
      last.key.name === this.#table.rowid &&
      keys.every(({ descending }) => descending === last.descending)
    const needed = isImplied ? keys.slice(0, -1) : keys
    const isTurned = needed.every(({ descending }) => descending)
    return needed.map(({ key, descending }): IndexKey => {
      return { expression: key, ...(descending && !isTurned && { direction: 'desc' as const }) }
    })
  }
}

function isEquality({ kind }: Term): boolean {
  return kind === 'equals' || kind === 'isNull'
}

function plain(expression: Expression): IndexKey {
  return { expression }
}

function unique(keys: readonly IndexKey[]): readonly IndexKey[] {
  const seen = new Set<string>()
  return keys.filter(({ expression }) => {
    const text = keyText(expression)
    if (seen.has(text)) return false
    seen.add(text)
    return true
  })
}
