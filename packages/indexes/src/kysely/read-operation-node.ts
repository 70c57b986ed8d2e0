/** From Kysely's operation tree to a `Statement`. Over 300 lines, one subject: what each kind of node says of tables. */
import type {
  BinaryOperationNode,
  DeleteQueryNode,
  InsertQueryNode,
  JoinNode,
  JSONReferenceNode,
  OperationNode,
  RootOperationNode,
  SelectQueryNode,
  UpdateQueryNode,
} from 'kysely'
import type {
  CommonTableExpression,
  Condition,
  Operand,
  Sort,
  Source,
  Statement,
} from '../advisor/shape/statement.ts'

/** Reads a query after all plugins; undefined for one that neither reads nor writes tables, such as DDL and raw SQL. */
export function readOperationNode(node: RootOperationNode): Statement | undefined {
  if (!isQuery(node)) return undefined
  return new NodeReader().query(node)
}

type Query = SelectQueryNode | InsertQueryNode | UpdateQueryNode | DeleteQueryNode

const queries: ReadonlySet<string> = new Set([
  'SelectQueryNode',
  'InsertQueryNode',
  'UpdateQueryNode',
  'DeleteQueryNode',
])

function isQuery(node: OperationNode): node is Query {
  return queries.has(node.kind)
}

class NodeReader {
  #opaque: string[] = []

  query(node: Query): Statement {
    const around = this.#opaque
    this.#opaque = []
    try {
      const statement = this.#statement(node)
      return { ...statement, opaque: this.#opaque }
    } finally {
      this.#opaque = around
    }
  }

  #statement(node: Query): Statement {
    const common = {
      expressions: this.#expressions(node),
      sources: [] as readonly Source[],
      conditions: [] as readonly Condition[],
      sort: [] as readonly Sort[],
      group: [] as readonly Operand[],
      columns: [] as readonly (Operand | '*')[],
      sets: [] as readonly string[],
      others: [] as readonly Statement[],
      opaque: [] as readonly string[],
    }
    if (node.kind === 'InsertQueryNode') return { ...common, ...this.#insert(node) }
    const conditions = [
      ...(node.where === undefined ? [] : [this.#condition(node.where.where)]),
      ...(node.joins ?? []).flatMap(({ on }) => (on === undefined ? [] : [this.#condition(on.on)])),
    ]
    const joined = (node.joins ?? []).map((join) => this.#joined(join))
    const ordered = {
      sort: (node.orderBy?.items ?? []).map((item): Sort => {
        const { orderBy, direction, nulls, collation } = item as typeof item & {
          readonly direction?: OperationNode
        }
        return {
          operand: this.#operand(orderBy),
          descending: textOf(direction) === 'desc',
          isPlain: nulls === undefined && collation === undefined,
        }
      }),
      ...(node.limit !== undefined && { limit: this.#operand(node.limit.limit) }),
    }
    if (node.kind === 'SelectQueryNode') {
      const { from, selections = [], groupBy, having, setOperations = [], fetch, top } = node
      const limit = fetch?.rowCount ?? top?.expression
      return {
        ...common,
        operation: 'select',
        sources: [...(from?.froms ?? []).map((each) => this.#source(each, 'first')), ...joined],
        conditions,
        ...ordered,
        ...(limit !== undefined && {
          limit: typeof limit === 'object' ? this.#operand(limit) : unknown,
        }),
        group: (groupBy?.items ?? []).map((item) => this.#operand(item.groupBy)),
        columns: [
          ...selections.map(({ selection }) => this.#selected(selection)),
          ...(having === undefined ? [] : [this.#operand(having.having)]),
        ],
        others: setOperations.flatMap(({ expression }) =>
          isQuery(expression) ? [this.query(expression)] : [],
        ),
      }
    }
    if (node.kind === 'UpdateQueryNode') {
      const { table, from, updates = [] } = node
      const targets =
        table === undefined ? [] : table.kind === 'ListNode' ? itemsOf(table) : [table]
      return {
        ...common,
        operation: 'update',
        sources: [
          ...targets.map((each) => this.#source(each, 'first')),
          ...(from?.froms ?? []).map((each) => this.#source(each, 'inner')),
          ...joined,
        ],
        conditions,
        ...ordered,
        sets: updates.flatMap(({ column }) => columnName(column) ?? []),
        columns: updates.map(({ value }) => this.#operand(value)),
      }
    }
    return {
      ...common,
      operation: 'delete',
      sources: [
        ...node.from.froms.map((each) => this.#source(each, 'first')),
        ...(node.using?.tables ?? []).map((each) => this.#source(each, 'inner')),
        ...joined,
      ],
      conditions,
      ...ordered,
    }
  }

  #expressions(node: Query): readonly CommonTableExpression[] {
    return (node.with?.expressions ?? []).flatMap(({ name, expression }) => {
      if (isQuery(expression))
        return [{ name: tableName(name.table) ?? '', query: this.query(expression) }]
      this.#opaque.push(`a common table expression of ${expression.kind}`)
      return []
    })
  }

  #insert(node: InsertQueryNode): Partial<Statement> & Pick<Statement, 'operation'> {
    const table = node.into === undefined ? undefined : tableName(node.into)
    const { values } = node
    return {
      operation: 'insert',
      sources: table === undefined ? [] : [{ alias: table, table, join: 'first' }],
      rows: values?.kind === 'ValuesNode' ? valuesOf(values).length : 1,
      others: values !== undefined && isQuery(values) ? [this.query(values)] : [],
    }
  }

  #joined(node: JoinNode): Source {
    return this.#source(node.table, /Left|Right|Full|Outer/.test(node.joinType) ? 'outer' : 'inner')
  }

  #source(node: OperationNode, join: Source['join']): Source {
    if (node.kind === 'AliasNode') {
      const { node: of, alias } = node as OperationNode & {
        readonly node: OperationNode
        readonly alias: OperationNode
      }
      return { ...this.#source(of, join), alias: identifier(alias) ?? '' }
    }
    if (node.kind === 'ParensNode') return this.#source(inner(node), join)
    if (isQuery(node)) return { alias: '', query: this.query(node), join }
    const table = tableName(node)
    if (table !== undefined) return { alias: table, table, join }
    this.#opaque.push(`a source of ${node.kind}`)
    return { alias: '', join }
  }

  #selected(node: OperationNode): Operand | '*' {
    if (node.kind === 'SelectAllNode') return '*'
    if (node.kind === 'AliasNode')
      return this.#operand((node as OperationNode & { readonly node: OperationNode }).node)
    return this.#operand(node)
  }

  #condition(node: OperationNode): Condition {
    switch (node.kind) {
      case 'ParensNode':
        return this.#condition(inner(node))
      case 'AndNode':
      case 'OrNode': {
        const { left, right } = node as OperationNode & Record<'left' | 'right', OperationNode>
        const kind = node.kind === 'AndNode' ? 'and' : 'or'
        return { kind, operands: [this.#condition(left), this.#condition(right)] }
      }
      case 'UnaryOperationNode': {
        const { operator, operand } = node as OperationNode &
          Record<'operator' | 'operand', OperationNode>
        const word = operatorOf(operator)
        const of = operand.kind === 'ParensNode' ? inner(operand) : operand
        if (word !== 'exists' && word !== 'not exists')
          return word === 'not'
            ? { kind: 'not', operand: this.#condition(of) }
            : { kind: 'other', parts: [this.#operand(of)] }
        const exists: Condition = isQuery(of)
          ? { kind: 'exists', query: this.query(of) }
          : { kind: 'other', parts: [this.#operand(of)] }
        return word === 'exists' ? exists : { kind: 'not', operand: exists }
      }
      case 'BinaryOperationNode':
        return this.#comparison(node as BinaryOperationNode)
      default:
        return { kind: 'other', parts: [this.#operand(node)] }
    }
  }

  #comparison(node: BinaryOperationNode): Condition {
    const { leftOperand, operator, rightOperand } = node
    const word = operatorOf(operator)
    const left = this.#operand(leftOperand)
    if (word === undefined) {
      this.#opaque.push('an operator of raw SQL')
      return { kind: 'other', parts: [left, this.#operand(rightOperand)] }
    }
    const isNull =
      rightOperand.kind === 'ValueNode' &&
      (rightOperand as OperationNode & { readonly value: unknown }).value === null
    if (isNull && (word === 'is' || word === 'is not'))
      return {
        kind: 'compare',
        operator: `${word} null`,
        left,
        right: { kind: 'other', parts: [] },
      }
    if (word === 'between' || word === 'between symmetric') {
      const [low, high] = andOf(rightOperand)
      if (low !== undefined && high !== undefined) {
        const ends: readonly [string, OperationNode][] = [
          ['>=', low],
          ['<=', high],
        ]
        const operands = ends.map(([bound, end]): Condition => ({
          kind: 'compare',
          operator: bound,
          left,
          right: this.#operand(end),
        }))
        return { kind: 'and', operands }
      }
    }
    return { kind: 'compare', operator: word, left, right: this.#operand(rightOperand) }
  }

  #operand(node: OperationNode): Operand {
    switch (node.kind) {
      case 'ParensNode':
        return this.#operand(inner(node))
      case 'AliasNode':
        return this.#operand((node as OperationNode & { readonly node: OperationNode }).node)
      case 'ReferenceNode':
      case 'ColumnNode': {
        const { column, table } = node as OperationNode & {
          readonly column: OperationNode
          readonly table?: OperationNode
        }
        const of = table === undefined ? undefined : tableName(table)
        const name = column.kind === 'SelectAllNode' ? '*' : (columnName(node) ?? '')
        return { kind: 'column', ...(of !== undefined && { of }), name }
      }
      case 'JSONReferenceNode':
        return this.#json(node as JSONReferenceNode)
      case 'ValueNode':
        return {
          kind: 'value',
          value: { is: (node as OperationNode & { readonly value: unknown }).value },
        }
      case 'PrimitiveValueListNode':
        return {
          kind: 'list',
          values: valuesOf(node).map((is): Operand => ({ kind: 'value', value: { is } })),
        }
      case 'ValueListNode':
      case 'TupleNode':
        return {
          kind: 'list',
          values: (valuesOf(node) as readonly OperationNode[]).map((each) => this.#operand(each)),
        }
      case 'FunctionNode': {
        const { func, arguments: given } = node as OperationNode & {
          readonly func: string
          readonly arguments: readonly OperationNode[]
        }
        const parts = given.map((each) => this.#operand(each))
        const [argument] = parts
        return argument !== undefined && parts.length === 1
          ? { kind: 'call', function: func, argument }
          : { kind: 'other', parts }
      }
      case 'RawNode': {
        const { sqlFragments, parameters } = node as OperationNode & {
          readonly sqlFragments: readonly string[]
          readonly parameters: readonly OperationNode[]
        }
        const [only] = parameters
        if (
          only !== undefined &&
          parameters.length === 1 &&
          sqlFragments.every((each) => each === '')
        )
          return this.#operand(only)
        this.#opaque.push('raw SQL')
        return { kind: 'other', parts: parameters.map((each) => this.#operand(each)) }
      }
      default:
        if (isQuery(node)) return { kind: 'query', query: this.query(node) }
        if (node.kind === 'BinaryOperationNode' || node.kind === 'UnaryOperationNode')
          return { kind: 'other', parts: operandsIn(this.#condition(node)) }
        return { kind: 'other', parts: childrenOf(node).map((child) => this.#operand(child)) }
    }
  }

  #json(node: JSONReferenceNode): Operand {
    const of = this.#operand(node.reference)
    const { traversal } = node
    if (of.kind !== 'column' || traversal.kind !== 'JSONOperatorChainNode')
      return { kind: 'other', parts: [of] }
    const path = traversal.values.map(({ value }) => value as string | number)
    const last = traversal.operator.operator
    const spelled = path.map((key, at) => {
      const operator = at === path.length - 1 ? last : '->'
      return `${operator}${typeof key === 'number' ? key : `'${key.replaceAll("'", "''")}'`}`
    })
    return { kind: 'json', of, path, spelled: spelled.join('') }
  }
}

const unknown: Operand = { kind: 'value' }

function operandsIn(condition: Condition): readonly Operand[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.operands.flatMap(operandsIn)
    case 'not':
      return operandsIn(condition.operand)
    case 'compare':
      return [condition.left, condition.right]
    case 'exists':
      return [{ kind: 'query', query: condition.query }]
    case 'other':
      return condition.parts
  }
}

/** The nodes that a node of any other kind holds. */
function childrenOf(node: OperationNode): readonly OperationNode[] {
  return Object.values(node).flatMap((value: unknown) => {
    const all: readonly unknown[] = Array.isArray(value) ? value : [value]
    return all.filter(
      (each): each is OperationNode => typeof each === 'object' && each !== null && 'kind' in each,
    )
  })
}

function inner(node: OperationNode): OperationNode {
  return (node as OperationNode & { readonly node: OperationNode }).node
}

function itemsOf(node: OperationNode): readonly OperationNode[] {
  return (node as OperationNode & { readonly items: readonly OperationNode[] }).items
}

function valuesOf(node: OperationNode): readonly unknown[] {
  return (node as OperationNode & { readonly values: readonly unknown[] }).values
}

function andOf(node: OperationNode): readonly (OperationNode | undefined)[] {
  if (node.kind !== 'AndNode') return []
  const { left, right } = node as OperationNode & Record<'left' | 'right', OperationNode>
  return [left, right]
}

function operatorOf(node: OperationNode): string | undefined {
  if (node.kind !== 'OperatorNode') return undefined
  return (node as OperationNode & { readonly operator: string }).operator
}

function identifier(node: OperationNode): string | undefined {
  return node.kind === 'IdentifierNode'
    ? (node as OperationNode & { readonly name: string }).name
    : undefined
}

function tableName(node: OperationNode): string | undefined {
  if (node.kind !== 'TableNode') return undefined
  const { table } = node as OperationNode & {
    readonly table: {
      readonly schema?: { readonly name: string }
      readonly identifier: { readonly name: string }
    }
  }
  const { schema, identifier: named } = table
  return schema === undefined ? named.name : `${schema.name}.${named.name}`
}

function columnName(node: OperationNode): string | undefined {
  const { column } = node as OperationNode & { readonly column?: OperationNode }
  if (column === undefined) return undefined
  if (column.kind === 'IdentifierNode') return identifier(column)
  return columnName(column)
}

/** The text of a direction: a raw node with one fragment. */
function textOf(node: OperationNode | undefined): string | undefined {
  const { sqlFragments } = (node ?? {}) as { readonly sqlFragments?: readonly string[] }
  return sqlFragments?.[0]?.trim()
}
