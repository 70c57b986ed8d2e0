/** From a statement to its shape: finds each column's table. Over 300 lines, one subject: the scopes of names in a query. */
import type { Expression } from '../../ir/expression.ts'
import type { QueryShape, SortKey, TableScan, TableWrite, Term } from './query-shape.ts'
import type {
  ColumnOperand,
  Condition,
  Operand,
  Source,
  Statement,
  ValueOperand,
} from './statement.ts'

/** Finds a live table by the name that a statement has for it. */
export type FindTable = (
  name: string,
) => { readonly name: string; readonly columns: ReadonlySet<string> } | undefined

/**
 * @param parameters what was bound, for values that are known by their position only
 * @param spell writes a JSON path as the given spelling says, for engines that find an index by its text
 */
export function shapeOf(
  statement: Statement,
  find: FindTable,
  spell: (column: string, path: Extract<Operand, { kind: 'json' }>) => Expression,
  parameters?: readonly unknown[],
): QueryShape {
  const reader = new ShapeReader(find, spell, parameters)
  reader.read(statement, [], new Set())
  return reader.shape()
}

/** A scan that is being put together, or a source that is no table. */
interface OpenScan {
  readonly alias: string
  readonly table: string | undefined
  readonly terms: Term[]
  readonly alternatives: Term[][][]
  readonly columns: Set<string>
  takesAll: boolean
  sort: readonly SortKey[]
  group: readonly Expression[]
  limit: number | undefined
}

interface FoundKey {
  readonly scan: OpenScan
  readonly key: Expression
}

type Found = { readonly scan: OpenScan; readonly term: Term } | { readonly branches: Found[][] }

class ShapeReader {
  readonly #scans: OpenScan[] = []
  readonly #writes: TableWrite[] = []
  readonly #problems = new Set<string>()
  readonly #find: FindTable
  readonly #spell: (column: string, path: Extract<Operand, { kind: 'json' }>) => Expression
  readonly #parameters: readonly unknown[] | undefined

  constructor(
    find: FindTable,
    spell: (column: string, path: Extract<Operand, { kind: 'json' }>) => Expression,
    parameters: readonly unknown[] | undefined,
  ) {
    this.#find = find
    this.#spell = spell
    this.#parameters = parameters
  }

  shape(): QueryShape {
    const scans = this.#scans.flatMap((open): TableScan[] => {
      if (open.table === undefined) return []
      const { table, alias, terms, alternatives, sort, group, limit, takesAll, columns } = open
      return [
        {
          table,
          alias,
          terms,
          alternatives,
          sort,
          group,
          limit,
          columns: takesAll ? undefined : columns,
        },
      ]
    })
    return { scans, writes: this.#writes, problems: [...this.#problems] }
  }

  read(statement: Statement, outer: readonly OpenScan[], known: ReadonlySet<string>): void {
    const named = new Set(known)
    for (const { name, query } of statement.expressions) {
      // A recursive one names itself.
      named.add(name)
      this.read(query, [], named)
    }
    for (const problem of statement.opaque) this.#problems.add(problem)
    this.#noteWrite(statement)
    const scans = statement.operation === 'insert' ? [] : this.#open(statement.sources, named)
    this.#scans.push(...scans)
    const scope: Scope = { scans, outer, named }
    const found = statement.conditions.flatMap((condition) => this.#terms(condition, scope))
    for (const each of found) this.#assign(each)
    this.#readOrder(statement, scope)
    for (const column of statement.columns) {
      if (column === '*') for (const scan of scans) scan.takesAll = true
      else this.#note(column, scope)
    }
    if (statement.operation !== 'select') for (const scan of scans) scan.takesAll = true
    for (const other of statement.others) this.read(other, outer, named)
  }

  #open(sources: readonly Source[], named: ReadonlySet<string>): OpenScan[] {
    return sources.map(({ alias, table, query }) => {
      if (query !== undefined) this.read(query, [], named)
      return {
        alias,
        table:
          table !== undefined && !named.has(table) ? (this.#find(table)?.name ?? table) : undefined,
        terms: [],
        alternatives: [],
        columns: new Set<string>(),
        takesAll: false,
        sort: [],
        group: [],
        limit: Infinity,
      }
    })
  }

  #noteWrite(statement: Statement): void {
    const { operation, sources, sets, rows = 1 } = statement
    const table = sources[0]?.table
    if (operation === 'select' || table === undefined) return
    const columns = operation === 'update' && sets.length > 0 ? new Set(sets) : undefined
    this.#writes.push({ operation, table: this.#find(table)?.name ?? table, columns, rows })
  }

  /** An order is of use when all of it is over one table. */
  #readOrder(statement: Statement, scope: Scope): void {
    const { sort, group, limit } = statement
    const keys = sort.map(({ operand }) => this.#key(operand, scope))
    const sorted = keys[0]?.scan
    const isSortOfOne =
      sorted !== undefined &&
      scope.scans.includes(sorted) &&
      keys.every((key) => key?.scan === sorted) &&
      sort.every(({ isPlain }) => isPlain)
    if (isSortOfOne) {
      sorted.sort = keys.map((key, at) => ({ key: key!.key, descending: sort[at]!.descending }))
    }
    const groups = group.map((operand) => this.#key(operand, scope))
    const grouped = groups[0]?.scan
    if (
      grouped !== undefined &&
      scope.scans.includes(grouped) &&
      groups.every((key) => key?.scan === grouped)
    ) {
      grouped.group = groups.map((key) => key!.key)
    }
    // Rows are counted after they are grouped, or after an order over several tables: all have to be read then.
    const stopsEarly =
      limit !== undefined && group.length === 0 && (sort.length === 0 || isSortOfOne)
    if (!stopsEarly) return
    const rows = limit.kind === 'value' ? this.#valueOf(limit) : undefined
    const count = rows === undefined ? Number.NaN : Number(rows.is)
    for (const scan of scope.scans) scan.limit = Number.isFinite(count) ? count : undefined
  }

  #terms(condition: Condition, scope: Scope): Found[] {
    switch (condition.kind) {
      case 'and':
        return condition.operands.flatMap((operand) => this.#terms(operand, scope))
      case 'or': {
        const branches = flatOr(condition).map((operand) => this.#terms(operand, scope))
        return [{ branches }]
      }
      case 'not':
        // What does not hold is no way to find rows, but names columns and queries.
        this.#terms(condition.operand, scope)
        return []
      case 'exists':
        this.read(condition.query, [...scope.scans, ...scope.outer], scope.named)
        return []
      case 'compare':
        return this.#comparison(condition, scope)
      case 'other':
        for (const part of condition.parts) this.#note(part, scope)
        return []
    }
  }

  #comparison(condition: Extract<Condition, { kind: 'compare' }>, scope: Scope): Found[] {
    const { operator, left, right } = condition
    if (left.kind === 'list') {
      for (const part of left.values) this.#note(part, scope)
      this.#note(right, scope)
      return []
    }
    const found: Found[] = []
    const a = this.#key(left, scope)
    const b = this.#key(right, scope)
    if (a === undefined) this.#note(left, scope)
    if (b === undefined) this.#note(right, scope)
    if (a !== undefined && b !== undefined) {
      if (a.scan === b.scan) return []
      found.push({ scan: a.scan, term: termOf(operator, a.key, { join: b.scan.alias }) })
      const flipped = flip.get(operator)
      if (flipped !== undefined)
        found.push({ scan: b.scan, term: termOf(flipped, b.key, { join: a.scan.alias }) })
      return found
    }
    const key = a ?? b
    if (key === undefined) return []
    const written = a === undefined ? (flip.get(operator) ?? 'other') : operator
    const values = this.#values(a === undefined ? left : right)
    return [{ scan: key.scan, term: termOf(written, key.key, values) }]
  }

  #values(operand: Operand): { values?: readonly unknown[] | undefined; count: number } {
    if (operand.kind === 'value') {
      const value = this.#valueOf(operand)
      return { values: value && [value.is], count: 1 }
    }
    if (operand.kind === 'list') {
      const values = operand.values.map((each) =>
        each.kind === 'value' ? this.#valueOf(each) : undefined,
      )
      const isKnown = values.every((value) => value !== undefined)
      return { values: isKnown ? values.map(({ is }) => is) : undefined, count: values.length }
    }
    return { count: operand.kind === 'query' ? 10 : 1 }
  }

  #valueOf({ value, parameter }: ValueOperand): { readonly is: unknown } | undefined {
    if (value !== undefined) return value
    const parameters = this.#parameters
    if (parameter === undefined || parameters === undefined) return undefined
    return parameter < parameters.length ? { is: parameters[parameter] } : undefined
  }

  #assign(found: Found): void {
    if ('scan' in found) {
      found.scan.terms.push(found.term)
      return
    }
    const branches: Term[][] = []
    const scans = new Set<OpenScan>()
    for (const branch of found.branches) {
      const terms: Term[] = []
      for (const each of branch) {
        if (!('scan' in each)) return
        scans.add(each.scan)
        terms.push(each.term)
      }
      if (terms.length === 0) return
      branches.push(terms)
    }
    const [scan] = scans
    // Branches over several tables are no way to find the rows of one.
    if (scans.size === 1) scan!.alternatives.push(branches)
  }

  /** The key that an operand is, where it is one that an index could be over. */
  #key(operand: Operand, scope: Scope): FoundKey | undefined {
    if (operand.kind === 'column') {
      const scan = this.#scanOf(operand, scope)
      if (scan === undefined) return undefined
      scan.columns.add(operand.name)
      return { scan, key: { kind: 'column', name: operand.name } }
    }
    if (operand.kind === 'json') {
      const of = this.#key(operand.of, scope)
      return of && { scan: of.scan, key: this.#spell(operand.of.name, operand) }
    }
    if (operand.kind !== 'call') return undefined
    const name = operand.function.toLowerCase()
    if (name !== 'lower' && name !== 'upper' && name !== 'length') return undefined
    const of = this.#key(operand.argument, scope)
    const argument = of?.key
    if (argument?.kind !== 'column' && argument?.kind !== 'json') return undefined
    return { scan: of!.scan, key: { kind: 'call', function: name, argument } }
  }

  #scanOf({ of, name }: ColumnOperand, { scans, outer }: Scope): OpenScan | undefined {
    if (of !== undefined) {
      const all = [...scans, ...outer]
      const scan = all.find(({ alias }) => alias === of) ?? all.find(({ table }) => table === of)
      return scan !== undefined && this.#has(scan, name) ? scan : undefined
    }
    // What the only table does not have is the name of something that is selected.
    if (scans.length === 1 && outer.length === 0)
      return this.#has(scans[0]!, name) ? scans[0]! : undefined
    for (const level of [scans, outer]) {
      const having = level.filter((scan) => this.#has(scan, name))
      if (having.length === 1) return having[0]
      if (having.length > 1) break
    }
    this.#problems.add(`which table has ${name}`)
    return undefined
  }

  #has(scan: OpenScan, column: string): boolean {
    return scan.table !== undefined && this.#find(scan.table)?.columns.has(column) === true
  }

  /** Notes what a part needs that is no key by itself. */
  #note(operand: Operand, scope: Scope): void {
    switch (operand.kind) {
      case 'column': {
        if (operand.name === '*') {
          for (const scan of scope.scans) if (scan.alias === operand.of) scan.takesAll = true
        } else this.#key(operand, scope)
        return
      }
      case 'json':
        this.#note(operand.of, scope)
        return
      case 'call':
        this.#note(operand.argument, scope)
        return
      case 'list':
        for (const value of operand.values) this.#note(value, scope)
        return
      case 'other':
        for (const part of operand.parts) this.#note(part, scope)
        return
      case 'query':
        this.read(operand.query, [...scope.scans, ...scope.outer], scope.named)
        return
      case 'value':
        return
    }
  }
}

interface Scope {
  readonly scans: readonly OpenScan[]
  readonly outer: readonly OpenScan[]
  readonly named: ReadonlySet<string>
}

const flip: ReadonlyMap<string, string> = new Map([
  ['=', '='],
  ['==', '='],
  ['<', '>'],
  ['<=', '>='],
  ['>', '<'],
  ['>=', '<='],
])

const equalities: ReadonlySet<string> = new Set(['=', '==', '<=>', 'is', 'is not distinct from'])
const ranges: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', 'between'])

function termOf(
  operator: string,
  key: Expression,
  rest: { join?: string; values?: readonly unknown[] | undefined; count?: number },
): Term {
  const { join, values, count = 1 } = rest
  return {
    kind: kindOf(operator),
    key,
    operator,
    ...(join !== undefined && { join }),
    values,
    count,
  }
}

function kindOf(operator: string): Term['kind'] {
  if (operator === 'is null') return 'isNull'
  if (operator === 'is not null') return 'isNotNull'
  if (equalities.has(operator)) return 'equals'
  if (operator === 'in') return 'among'
  return ranges.has(operator) ? 'range' : 'other'
}

function flatOr(condition: Condition): readonly Condition[] {
  return condition.kind === 'or' ? condition.operands.flatMap(flatOr) : [condition]
}
