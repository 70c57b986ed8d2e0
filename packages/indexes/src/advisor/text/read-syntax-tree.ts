/**
 * From the syntax tree of sqlparser-ts to a `Statement`. Over 300 lines, one subject: what each node of that tree says of
 * tables. Its published types are not those of the JSON that it returns, so that nothing is believed of a node before it
 * is found.
 */
import type {
  CommonTableExpression,
  Condition,
  Operand,
  Sort,
  Source,
  Statement,
} from '../shape/statement.ts'

type Node = unknown

/** @param tree what the parser has returned: a list with one statement */
export function readSyntaxTree(tree: Node): Statement | undefined {
  const [only, ...more] = list(tree)
  if (more.length > 0) return undefined
  return new TreeReader().top(only)
}

class TreeReader {
  #opaque: string[] = []

  top(node: Node): Statement | undefined {
    const query = of(node, 'Query')
    if (query !== undefined) return this.query(query)
    const insert = of(node, 'Insert')
    if (insert !== undefined) return this.#insert(insert)
    const update = of(node, 'Update')
    if (update !== undefined) return this.#update(update)
    const deleted = of(node, 'Delete')
    return deleted === undefined ? undefined : this.#delete(deleted)
  }

  query(node: Node): Statement {
    const around = this.#opaque
    this.#opaque = []
    const expressions = this.#expressions(of(node, 'with'))
    const limit = of(of(of(node, 'limit_clause'), 'LimitOffset'), 'limit') ?? of(node, 'limit')
    const fetched = of(of(node, 'fetch'), 'quantity')
    const sort = this.#sort(of(node, 'order_by'))
    const body = this.#body(of(node, 'body'))
    const [first, ...others] = body
    const statement: Statement = {
      ...empty,
      ...first,
      expressions,
      // The order of a UNION is that of all its branches.
      sort: others.length === 0 ? sort : [],
      ...((limit ?? fetched) !== undefined && { limit: this.#operand(limit ?? fetched) }),
      others: [...(first?.others ?? []), ...others],
      opaque: [...(first?.opaque ?? []), ...this.#opaque],
    }
    this.#opaque = around
    return statement
  }

  #body(node: Node): readonly Statement[] {
    const select = of(node, 'Select')
    if (select !== undefined) return [this.#select(select)]
    const nested = of(node, 'Query')
    if (nested !== undefined) return [this.query(nested)]
    const operation = of(node, 'SetOperation')
    if (operation !== undefined)
      return [...this.#body(of(operation, 'left')), ...this.#body(of(operation, 'right'))]
    return []
  }

  #select(node: Node): Statement {
    const conditions: Condition[] = []
    const sources = list(of(node, 'from')).flatMap((from) => this.#from(from, conditions))
    const selection = of(node, 'selection')
    if (selection !== undefined) conditions.push(this.#condition(selection))
    const [grouped] = list(of(of(node, 'group_by'), 'Expressions'))
    const having = of(node, 'having')
    return {
      ...empty,
      sources,
      conditions,
      group: list(grouped).map((each) => this.#operand(each)),
      columns: [
        ...list(of(node, 'projection')).map((item) => this.#selected(item)),
        ...(having === undefined ? [] : [this.#operand(having)]),
      ],
    }
  }

  #insert(node: Node): Statement {
    const table = this.#name(of(of(node, 'table'), 'TableName') ?? of(node, 'table_name'))
    const source = of(node, 'source')
    const rows = of(of(of(source, 'body'), 'Values'), 'rows')
    return {
      ...empty,
      operation: 'insert',
      sources: table === undefined ? [] : [{ alias: table, table, join: 'first' }],
      rows: rows === undefined ? 1 : list(rows).length,
      others: source === undefined || rows !== undefined ? [] : [this.query(source)],
    }
  }

  #update(node: Node): Statement {
    const conditions: Condition[] = []
    const sources = [
      ...this.#from(of(node, 'table'), conditions),
      ...tablesOf(of(node, 'from')).flatMap((from) => this.#from(from, conditions)),
    ]
    const selection = of(node, 'selection')
    if (selection !== undefined) conditions.push(this.#condition(selection))
    const assignments = list(of(node, 'assignments'))
    return {
      ...empty,
      operation: 'update',
      sources,
      conditions,
      sets: assignments.flatMap(
        (each) =>
          this.#name(of(of(each, 'target'), 'ColumnName'))
            ?.split('.')
            .at(-1) ?? [],
      ),
      columns: assignments.map((each) => this.#operand(of(each, 'value'))),
      opaque: this.#opaque,
    }
  }

  #delete(node: Node): Statement {
    const conditions: Condition[] = []
    const sources = [...tablesOf(of(node, 'from')), ...list(of(node, 'using'))].flatMap((from) =>
      this.#from(from, conditions),
    )
    const selection = of(node, 'selection')
    if (selection !== undefined) conditions.push(this.#condition(selection))
    return { ...empty, operation: 'delete', sources, conditions, opaque: this.#opaque }
  }

  #expressions(node: Node): readonly CommonTableExpression[] {
    return list(of(node, 'cte_tables')).map((each) => ({
      name: text(of(of(of(each, 'alias'), 'name'), 'value')) ?? '',
      query: this.query(of(each, 'query')),
    }))
  }

  #from(node: Node, conditions: Condition[]): readonly Source[] {
    const joins = list(of(node, 'joins'))
    return [
      ...this.#source(of(node, 'relation'), 'first', conditions),
      ...joins.flatMap((join) => {
        const operator = of(join, 'join_operator')
        const kind = typeof operator === 'string' ? operator : (nameOf(operator) ?? '')
        const on = of(of(operator, kind), 'On')
        const sources = this.#source(
          of(join, 'relation'),
          /Left|Right|Full|Outer/.test(kind) ? 'outer' : 'inner',
          conditions,
        )
        if (on !== undefined) conditions.push(this.#condition(on))
        else if (of(of(operator, kind), 'Using') !== undefined) this.#opaque.push('JOIN ... USING')
        return sources
      }),
    ]
  }

  #source(node: Node, join: Source['join'], conditions: Condition[]): readonly Source[] {
    const table = of(node, 'Table')
    if (table !== undefined) {
      const name = this.#name(of(table, 'name'))
      const alias = text(of(of(of(table, 'alias'), 'name'), 'value'))
      if (name === undefined || present(of(table, 'args'))) {
        this.#opaque.push('a function that returns rows')
        return [{ alias: alias ?? name ?? '', join }]
      }
      return [{ alias: alias ?? name, table: name, join }]
    }
    const derived = of(node, 'Derived')
    if (derived !== undefined) {
      const alias = text(of(of(of(derived, 'alias'), 'name'), 'value')) ?? ''
      return [{ alias, query: this.query(of(derived, 'subquery')), join }]
    }
    const nested = of(of(node, 'NestedJoin'), 'table_with_joins')
    if (nested !== undefined) return this.#from(nested, conditions)
    this.#opaque.push(`a source of ${nameOf(node) ?? 'another kind'}`)
    return [{ alias: '', join }]
  }

  #sort(node: Node): readonly Sort[] {
    const items = of(of(node, 'kind'), 'Expressions') ?? of(node, 'exprs')
    return list(items).map((item) => {
      const options = of(item, 'options')
      return {
        operand: this.#operand(of(item, 'expr')),
        descending: of(options, 'asc') === false,
        isPlain: typeof of(options, 'nulls_first') !== 'boolean',
      }
    })
  }

  #selected(node: Node): Operand | '*' {
    if (of(node, 'Wildcard') !== undefined) return '*'
    const qualified = of(node, 'QualifiedWildcard')
    if (qualified !== undefined) {
      const name = this.#name(of(list(qualified)[0], 'ObjectName') ?? list(qualified)[0])
      return { kind: 'column', ...(name !== undefined && { of: name }), name: '*' }
    }
    return this.#operand(of(node, 'UnnamedExpr') ?? of(of(node, 'ExprWithAlias'), 'expr'))
  }

  #condition(node: Node): Condition {
    const kind = nameOf(node)
    const inside = of(node, kind ?? '')
    switch (kind) {
      case 'Nested':
        return this.#condition(inside)
      case 'BinaryOp':
        return this.#binary(inside)
      case 'UnaryOp':
        return of(inside, 'op') === 'Not'
          ? { kind: 'not', operand: this.#condition(of(inside, 'expr')) }
          : { kind: 'other', parts: [this.#operand(node)] }
      case 'IsNull':
      case 'IsNotNull':
        return {
          kind: 'compare',
          operator: kind === 'IsNull' ? 'is null' : 'is not null',
          left: this.#operand(inside),
          right: { kind: 'other', parts: [] },
        }
      case 'InList':
      case 'InSubquery': {
        const right: Operand =
          kind === 'InList'
            ? { kind: 'list', values: list(of(inside, 'list')).map((each) => this.#operand(each)) }
            : { kind: 'query', query: this.query(of(inside, 'subquery')) }
        const left = this.#operand(of(inside, 'expr'))
        return negated(inside, { kind: 'compare', operator: 'in', left, right })
      }
      case 'Between': {
        const left = this.#operand(of(inside, 'expr'))
        const ends: readonly [string, Node][] = [
          ['>=', of(inside, 'low')],
          ['<=', of(inside, 'high')],
        ]
        const operands = ends.map(([operator, end]): Condition => ({
          kind: 'compare',
          operator,
          left,
          right: this.#operand(end),
        }))
        return negated(inside, { kind: 'and', operands })
      }
      case 'Like':
      case 'ILike': {
        const left = this.#operand(of(inside, 'expr'))
        const right = this.#operand(of(inside, 'pattern'))
        return negated(inside, { kind: 'compare', operator: 'like', left, right })
      }
      case 'Exists':
        return negated(inside, { kind: 'exists', query: this.query(of(inside, 'subquery')) })
      default:
        return { kind: 'other', parts: [this.#operand(node)] }
    }
  }

  #binary(node: Node): Condition {
    const rotated = rotate(node)
    const operator = text(of(rotated, 'op')) ?? ''
    const left = of(rotated, 'left')
    const right = of(rotated, 'right')
    if (operator === 'And' || operator === 'Or')
      return {
        kind: operator === 'And' ? 'and' : 'or',
        operands: [this.#condition(left), this.#condition(right)],
      }
    const compared = comparisons.get(operator)
    if (compared === undefined)
      return { kind: 'other', parts: [this.#operand(left), this.#operand(right)] }
    return {
      kind: 'compare',
      operator: compared,
      left: this.#operand(left),
      right: this.#operand(right),
    }
  }

  #operand(node: Node): Operand {
    const kind = nameOf(node)
    const inside = of(node, kind ?? '')
    switch (kind) {
      case 'Nested':
        return this.#operand(inside)
      case 'Identifier': {
        const name = text(of(inside, 'value'))
        return name === undefined ? nothing : { kind: 'column', name }
      }
      case 'CompoundIdentifier': {
        const parts = list(inside).flatMap((each) => text(of(each, 'value')) ?? [])
        const name = parts.at(-1)
        if (name === undefined) return nothing
        return { kind: 'column', of: parts.slice(0, -1).join('.'), name }
      }
      case 'Value':
        return valueOf(of(inside, 'value') ?? inside)
      case 'Tuple':
        return { kind: 'list', values: list(inside).map((each) => this.#operand(each)) }
      case 'Function': {
        const given = list(of(of(of(inside, 'args'), 'List'), 'args')).map((each) =>
          this.#operand(of(of(each, 'Unnamed'), 'Expr')),
        )
        const name = this.#name(of(inside, 'name'))
        const [argument] = given
        return name !== undefined && argument !== undefined && given.length === 1
          ? { kind: 'call', function: name, argument }
          : { kind: 'other', parts: given }
      }
      case 'Subquery':
        return { kind: 'query', query: this.query(inside) }
      case 'BinaryOp':
        return this.#json(inside) ?? { kind: 'other', parts: this.#partsOf(rotate(inside)) }
      case undefined:
        return nothing
      default:
        return { kind: 'other', parts: this.#partsOf(inside) }
    }
  }

  #json(node: Node): Operand | undefined {
    const operator = arrows.get(text(of(node, 'op')) ?? '')
    if (operator === undefined) return undefined
    const left = this.#operand(of(node, 'left'))
    const key = valueOf(of(of(of(node, 'right'), 'Value'), 'value'))
    const is = key.kind === 'value' ? key.value?.is : undefined
    if (typeof is !== 'string' && typeof is !== 'number') return undefined
    const written = `${operator}${typeof is === 'number' ? is : `'${is.replaceAll("'", "''")}'`}`
    if (left.kind === 'column') return { kind: 'json', of: left, path: [is], spelled: written }
    if (left.kind !== 'json') return undefined
    return { ...left, path: [...left.path, is], spelled: left.spelled + written }
  }

  /** What is in a node of a kind that is not looked into. */
  #partsOf(node: Node): readonly Operand[] {
    if (Array.isArray(node)) return node.flatMap((each) => this.#partsOf(each))
    if (typeof node !== 'object' || node === null) return []
    const kind = nameOf(node)
    if (kind !== undefined && expressions.has(kind)) return [this.#operand(node)]
    if (of(node, 'body') !== undefined) return [{ kind: 'query', query: this.query(node) }]
    return Object.values(node).flatMap((each) => this.#partsOf(each))
  }

  /** A name with its schema. */
  #name(node: Node): string | undefined {
    const parts = list(node).flatMap((part) => {
      return text(of(of(part, 'Identifier'), 'value')) ?? text(of(part, 'value')) ?? []
    })
    return parts.length === 0 ? undefined : parts.join('.')
  }
}

const empty: Statement = {
  operation: 'select',
  expressions: [],
  sources: [],
  conditions: [],
  sort: [],
  group: [],
  columns: [],
  sets: [],
  others: [],
  opaque: [],
}

const nothing: Operand = { kind: 'other', parts: [] }

const comparisons: ReadonlyMap<string, string> = new Map([
  ['Eq', '='],
  ['NotEq', '<>'],
  ['Lt', '<'],
  ['LtEq', '<='],
  ['Gt', '>'],
  ['GtEq', '>='],
  ['Spaceship', '<=>'],
])

const arrows: ReadonlyMap<string, string> = new Map([
  ['Arrow', '->'],
  ['LongArrow', '->>'],
])

const expressions: ReadonlySet<string> = new Set([
  'Nested',
  'Identifier',
  'CompoundIdentifier',
  'Value',
  'Tuple',
  'Function',
  'Subquery',
  'BinaryOp',
])

/** The parser binds `a ->> ('k' = ?)`, where SQLite binds `(a ->> 'k') = ?`. */
function rotate(node: Node): Node {
  const operator = text(of(node, 'op')) ?? ''
  if (!arrows.has(operator)) return node
  const right = of(of(node, 'right'), 'BinaryOp')
  if (right === undefined) return node
  const turned = rotate(right)
  const left = { BinaryOp: { left: of(node, 'left'), op: operator, right: of(turned, 'left') } }
  return { left: left, op: of(turned, 'op'), right: of(turned, 'right') }
}

function negated(node: Node, condition: Condition): Condition {
  return of(node, 'negated') === true ? { kind: 'not', operand: condition } : condition
}

function valueOf(node: Node): Operand {
  const placeholder = text(of(node, 'Placeholder'))
  if (placeholder !== undefined) {
    const at = Number(placeholder.slice(1))
    return at > 0 ? { kind: 'value', parameter: at - 1 } : { kind: 'value' }
  }
  const quoted = text(of(node, 'SingleQuotedString'))
  if (quoted !== undefined) return { kind: 'value', value: { is: quoted } }
  const number = list(of(node, 'Number'))[0]
  if (typeof number === 'string') return { kind: 'value', value: { is: Number(number) } }
  const boolean = of(node, 'Boolean')
  if (typeof boolean === 'boolean') return { kind: 'value', value: { is: boolean } }
  return node === 'Null' ? { kind: 'value', value: { is: null } } : { kind: 'value' }
}

/** The tables of a FROM that is a list, or has one inside by the name of a keyword. */
function tablesOf(node: Node): readonly Node[] {
  if (Array.isArray(node)) return node
  if (!present(node)) return []
  return Object.values(node as object).flatMap((each: unknown) => (Array.isArray(each) ? each : []))
}

function of(node: Node, key: string): Node {
  if (typeof node !== 'object' || node === null) return undefined
  const value = (node as Record<string, Node>)[key]
  return value === null ? undefined : value
}

/** The name of the variant that a node is. */
function nameOf(node: Node): string | undefined {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined
  const [name, ...more] = Object.keys(node)
  return more.length === 0 ? name : undefined
}

function present(node: Node): boolean {
  return typeof node === 'object' && node !== null
}

function list(node: Node): readonly Node[] {
  return Array.isArray(node) ? node : []
}

function text(node: Node): string | undefined {
  return typeof node === 'string' ? node : undefined
}
