import { checkIdentifier, type EngineName } from '@keelson/core'
import {
  checkName,
  type CheckDefinition,
  type ColumnDefault,
  type ColumnDefinition,
  type Expression,
  type ForeignKeyDefinition,
  type IndexDefinition,
  indexName,
  type IndexKey,
  type Literal,
  type PortableType,
  type Predicate,
  type ScalarType,
  type TableDefinition,
} from '@keelson/indexes'
import fc from 'fast-check'

/** What of a definition an engine can have. */
interface Abilities {
  readonly partial: boolean
  readonly jsonKeys: boolean
  readonly generated: readonly ('stored' | 'virtual')[]
  readonly collations: readonly string[]
  readonly methods: readonly string[]
  readonly include: boolean
  readonly actions: boolean
  /** Whether any column can be numbered, and not the primary key alone. */
  readonly identityAnywhere: boolean
  readonly maxNameBytes: number
  /** Kinds that no index is over. */
  readonly unindexed: readonly PortableType['kind'][]
}

const abilities: Readonly<Record<Exclude<EngineName, 'mysql'>, Abilities>> = {
  sqlite: {
    partial: true,
    jsonKeys: true,
    generated: ['stored', 'virtual'],
    collations: ['NOCASE', 'RTRIM'],
    methods: [],
    include: false,
    actions: true,
    identityAnywhere: false,
    maxNameBytes: 200,
    unindexed: [],
  },
  duckdb: {
    partial: false,
    jsonKeys: false,
    generated: ['virtual'],
    collations: [],
    methods: [],
    include: false,
    actions: false,
    identityAnywhere: true,
    maxNameBytes: 200,
    unindexed: ['array', 'json'],
  },
  postgresql: {
    partial: true,
    jsonKeys: true,
    generated: ['stored', 'virtual'],
    collations: ['C', 'POSIX'],
    methods: ['hash'],
    include: true,
    actions: true,
    identityAnywhere: true,
    maxNameBytes: 63,
    unindexed: [],
  },
}

const oddNames: readonly string[] = [
  'order',
  'select',
  'table',
  'Group',
  'UPPER',
  'say "hi"',
  "it's",
  'a b',
  ' leading',
  '--comment',
  '/* comment */',
  'semi;colon',
  '`tick`',
  '[brackets]',
  'new\nline',
  'tab\tname',
  'back\\slash',
  'na\u00efve',
  '\u65e5\u672c\u8a9e',
  '\u{1f600}',
  '$1',
  '?',
  '%s',
  '100',
  'a: date',
  'b: enum',
  'rowid',
  'x, y',
  ')',
  'null',
  'date',
  'timestamp',
  'user',
  'cast',
  'not',
  'key',
]

/** Any name that the engine takes. */
export function arbitraryName(engine: Exclude<EngineName, 'mysql'>): fc.Arbitrary<string> {
  const limit = abilities[engine].maxNameBytes
  return fc
    .oneof(
      { weight: 4, arbitrary: fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/) },
      { weight: 4, arbitrary: fc.constantFrom(...oddNames) },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }) },
      { weight: 1, arbitrary: fc.stringMatching(/^[a-z]{40,63}$/) },
    )
    .filter((name) => isName(name) && Buffer.byteLength(name) <= limit)
    .filter((name) => !/^sqlite_/i.test(name))
}

function isName(name: string): boolean {
  try {
    checkIdentifier(name)
    return true
  } catch {
    return false
  }
}

const text = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom(
      "it's",
      'back\\slash',
      'new\nline',
      '',
      "'); drop table x; --",
      '1',
      'true',
      '',
    ),
  )
  .filter((value) => !value.includes('\0') && !/\p{Surrogate}/u.test(value))

const enumValues = fc.uniqueArray(text, { minLength: 1, maxLength: 4 })

const scalarType: fc.Arbitrary<ScalarType> = fc.oneof(
  fc.constantFrom<ScalarType>(
    { kind: 'string' },
    { kind: 'int32' },
    { kind: 'integer' },
    { kind: 'bigint' },
    { kind: 'number' },
    { kind: 'boolean' },
    { kind: 'date' },
    { kind: 'datetime' },
    { kind: 'uuid' },
    { kind: 'json' },
    { kind: 'blob' },
  ),
  fc.nat({ max: 2000 }).map((maxLength): ScalarType => ({ kind: 'string', maxLength })),
  fc
    .integer({ min: 1, max: 38 })
    .chain((precision) =>
      fc
        .integer({ min: 0, max: precision })
        .map((scale): ScalarType => ({ kind: 'decimal', precision, scale })),
    ),
  enumValues.map((values): ScalarType => ({ kind: 'enum', values })),
)

/** Any portable type. */
export const arbitraryType: fc.Arbitrary<PortableType> = fc.oneof(
  { weight: 4, arbitrary: scalarType },
  { weight: 1, arbitrary: scalarType.map((of): PortableType => ({ kind: 'array', of })) },
)

const int32 = fc.integer()
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const double = fc.double({ noNaN: true, noDefaultInfinity: true })

/** A constant that a column of the type can be compared with, and have as its DEFAULT. */
export function arbitraryLiteral(type: PortableType): fc.Arbitrary<Literal> | undefined {
  switch (type.kind) {
    case 'string':
      return text
    case 'int32':
      return int32
    case 'integer':
      return fc.oneof(int32, fc.maxSafeInteger())
    case 'bigint':
      return fc.oneof(int32, int64)
    case 'number':
      return fc.oneof(double, int32)
    case 'boolean':
      return fc.boolean()
    case 'date':
      return fc.constantFrom('2026-01-31', '1969-07-20', '2000-02-29')
    case 'datetime':
      return fc.constantFrom(
        '2026-01-31T12:00:00.000Z',
        '1969-07-20T20:17:40.123Z',
        '2000-02-29T00:00:00.999Z',
      )
    case 'uuid':
      return fc.uuid()
    case 'enum':
      return fc.constantFrom(...type.values)
    case 'decimal': {
      const { precision, scale } = type
      const most = 10n ** BigInt(precision) - 1n
      return fc.bigInt({ min: -most, max: most }).map((digits) => {
        const sign = digits < 0n ? '-' : ''
        const all = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
        const whole = all.slice(0, all.length - scale)
        return scale === 0 ? sign + whole : `${sign}${whole}.${all.slice(all.length - scale)}`
      })
    }
    case 'json':
    case 'array':
    case 'blob':
      return undefined
  }
}

function columnDefault(type: PortableType): fc.Arbitrary<ColumnDefault | undefined> {
  const literal =
    type.kind === 'json' ? fc.json({ maxDepth: 2 }).filter(isPlainJson) : arbitraryLiteral(type)
  const values =
    literal?.map((value): ColumnDefault => ({ kind: 'value', value })) ?? fc.constant(undefined)
  const now = fc.constant<ColumnDefault>({ kind: 'now' })
  return type.kind === 'date' || type.kind === 'datetime'
    ? fc.option(fc.oneof(values, now), { nil: undefined })
    : fc.option(values, { nil: undefined })
}

/** JSON whose numbers and texts every engine keeps as they are. */
function isPlainJson(json: string): boolean {
  return !/\\u|\0|\d{5}|e/i.test(json.replaceAll(/true|false/g, '')) && !/\p{Surrogate}/u.test(json)
}

interface ColumnPlan {
  readonly name: string
  readonly type: PortableType
  readonly nullable: boolean
  readonly default: ColumnDefault | undefined
}

/** Any table that the engine can have, by itself: its foreign keys refer to itself. */
export function arbitraryTable(
  engine: Exclude<EngineName, 'mysql'>,
): fc.Arbitrary<TableDefinition> {
  const able = abilities[engine]
  return fc
    .record({
      name: arbitraryName(engine),
      columns: fc.uniqueArray(
        fc
          .tuple(arbitraryName(engine), arbitraryType, fc.boolean())
          .chain(([name, type, nullable]) =>
            columnDefault(type).map((fallback): ColumnPlan => ({
              name,
              type,
              nullable,
              default: fallback,
            })),
          ),
        { minLength: 1, maxLength: 8, selector: ({ name }) => name.toLowerCase() },
      ),
      generated: fc.option(
        fc.record({
          name: arbitraryName(engine),
          stored: fc.constantFrom(...able.generated).map((kind) => kind === 'stored'),
          nullable: fc.boolean(),
        }),
        { nil: undefined },
      ),
      keySize: fc.nat({ max: 3 }),
      identity: fc.boolean(),
    })
    .chain((plan) => {
      const columns = withGenerated(plan.columns.map(columnOf), plan.generated)
      const keyed = columns
        .filter(({ generated, type }) => generated === undefined && isKeyable(type, able))
        .slice(0, plan.keySize)
        .map(({ name }) => name)
      const numbered = withIdentity(columns, keyed, plan.identity, able)
      const parent = parentOf(numbered, keyed)
      const all = parent === undefined ? numbered : [...numbered, parent]
      const usable = all.filter(({ generated }) => generated === undefined)
      const predicates = arbitraryPredicate(usable)
      const index = arbitraryIndex(usable, predicates, able)
      return fc
        .record({
          indexes: index === undefined ? fc.constant([]) : fc.array(index, { maxLength: 3 }),
          checks: fc.array(
            predicates.map((predicate): CheckDefinition => ({ predicate })),
            { maxLength: 2 },
          ),
          foreignKeys: fc.array(arbitraryForeignKey(plan.name, keyed, parent, able), {
            maxLength: parent === undefined ? 0 : 1,
          }),
        })
        .map(({ indexes, checks, foreignKeys }): TableDefinition => {
          const { name } = plan
          const table = {
            name,
            columns: all,
            primaryKey: keyed,
            indexes,
            checks,
            foreignKeys,
            queries: [],
          }
          return {
            ...table,
            indexes: distinct(indexes, (index) => indexName(table, index, engine)),
            checks: distinct(checks, (check) => checkName(table, check, engine)),
          }
        })
    })
}

function columnOf({ name, type, nullable, default: fallback }: ColumnPlan): ColumnDefinition {
  return { name, type, nullable, ...(fallback !== undefined && { default: fallback }) }
}

function withGenerated(
  columns: readonly ColumnDefinition[],
  generated: { name: string; stored: boolean; nullable: boolean } | undefined,
): readonly ColumnDefinition[] {
  const source = columns.find(({ type }) => type.kind === 'integer')
  const isTaken = columns.some(({ name }) => name.toLowerCase() === generated?.name.toLowerCase())
  if (generated === undefined || source === undefined || isTaken) return columns
  const quoted = `"${source.name.replaceAll('"', '""')}"`
  const { name, stored, nullable } = generated
  return [
    ...columns,
    { name, type: { kind: 'integer' }, nullable, generated: { sql: `(${quoted} + 1)`, stored } },
  ]
}

function isKeyable(type: PortableType, able: Abilities): boolean {
  return !able.unindexed.includes(type.kind) && type.kind !== 'array' && type.kind !== 'json'
}

function withIdentity(
  columns: readonly ColumnDefinition[],
  primaryKey: readonly string[],
  wanted: boolean,
  able: Abilities,
): readonly ColumnDefinition[] {
  if (!wanted || (!able.identityAnywhere && primaryKey.length !== 1)) return columns
  const index = columns.findIndex(
    ({ name, type, generated }) =>
      ['int32', 'integer', 'bigint'].includes(type.kind) &&
      generated === undefined &&
      (able.identityAnywhere || primaryKey.includes(name)),
  )
  return columns.map((column, at) => {
    if (at !== index) return column
    const { default: _, ...rest } = column
    return { ...rest, nullable: false, identity: true }
  })
}

/** A column that can refer to the table's own key. */
function parentOf(
  columns: readonly ColumnDefinition[],
  primaryKey: readonly string[],
): ColumnDefinition | undefined {
  const key = columns.find(({ name }) => name === primaryKey[0])
  if (key === undefined || primaryKey.length !== 1) return undefined
  const name = 'parent'
  if (columns.some((column) => column.name.toLowerCase() === name)) return undefined
  return { name, type: key.type, nullable: true }
}

function arbitraryForeignKey(
  table: string,
  primaryKey: readonly string[],
  parent: ColumnDefinition | undefined,
  able: Abilities,
): fc.Arbitrary<ForeignKeyDefinition> {
  const actions = ['no action', 'restrict', 'cascade', 'set null', 'set default'] as const
  const action = able.actions
    ? fc.constantFrom(...actions)
    : fc.constantFrom('no action', 'restrict')
  return fc.record({ onDelete: action, onUpdate: action }).map((chosen) => ({
    columns: parent === undefined ? [] : [parent.name],
    referencedTable: table,
    referencedColumns: primaryKey,
    ...(chosen as Pick<ForeignKeyDefinition, 'onDelete' | 'onUpdate'>),
  }))
}

const pathStep = fc.oneof(
  fc.stringMatching(/^[a-z][a-zA-Z_]{0,8}$/),
  fc.nat({ max: 20 }),
  fc.constantFrom("it's", 'two words', '0', '\u65e5\u672c', 'a-b', 'a.b', 'null'),
)

function arbitraryPath(column: string): fc.Arbitrary<Expression & { kind: 'json' }> {
  return fc.record({
    kind: fc.constant('json' as const),
    column: fc.constant(column),
    path: fc.array(pathStep, { minLength: 1, maxLength: 3 }),
    as: fc.constantFrom('string', 'number', 'integer', 'boolean'),
  })
}

interface Side {
  readonly expression: fc.Arbitrary<Expression>
  readonly literalOf: (expression: Expression) => fc.Arbitrary<Literal>
}

function sidesOf(columns: readonly ColumnDefinition[]): readonly Side[] {
  return columns.flatMap(({ name, type }): Side[] => {
    if (type.kind === 'json') {
      return [{ expression: arbitraryPath(name), literalOf: pathLiteral }]
    }
    const literal = arbitraryLiteral(type)
    if (literal === undefined) return []
    const column: Expression = { kind: 'column', name }
    const side: Side = { expression: fc.constant(column), literalOf: () => literal }
    if (type.kind !== 'string') return [side]
    return [
      side,
      {
        expression: fc.constantFrom('lower', 'upper', 'length').map((called) => ({
          kind: 'call',
          function: called,
          argument: column,
        })),
        literalOf: (expression) =>
          expression.kind === 'call' && expression.function === 'length' ? fc.nat() : text,
      },
    ]
  })
}

function pathLiteral(expression: Expression): fc.Arbitrary<Literal> {
  switch (expression.kind === 'json' ? expression.as : 'string') {
    case 'number':
      return fc.oneof(double, int32)
    case 'integer':
      return int32
    case 'boolean':
      return fc.boolean()
    case 'string':
      return text
  }
}

const operators = ['=', '<>', '<', '<=', '>', '>='] as const

/** Any condition on the columns. */
export function arbitraryPredicate(columns: readonly ColumnDefinition[]): fc.Arbitrary<Predicate> {
  const sides = sidesOf(columns)
  const nullity = fc
    .record({
      kind: fc.constantFrom('isNull', 'isNotNull'),
      name: fc.constantFrom(...columns.map(({ name }) => name)),
    })
    .map(({ kind, name }): Predicate => ({ kind, expression: { kind: 'column', name } }))
  if (sides.length === 0) return nullity
  const side = fc.constantFrom(...sides)
  const comparison = side.chain(({ expression, literalOf }) =>
    expression.chain((left) =>
      fc.record({
        kind: fc.constant('compare' as const),
        operator: fc.constantFrom(...operators),
        expression: fc.constant(left),
        value: literalOf(left),
      }),
    ),
  )
  const list = side.chain(({ expression, literalOf }) =>
    expression.chain((left) =>
      fc.record({
        kind: fc.constant('in' as const),
        expression: fc.constant(left),
        values: fc.array(literalOf(left), { minLength: 1, maxLength: 3 }),
      }),
    ),
  )
  const { predicate } = fc.letrec<{ predicate: Predicate }>((tie) => ({
    predicate: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      comparison,
      list,
      nullity,
      fc.record({ kind: fc.constant('not' as const), operand: tie('predicate') }),
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        operands: fc.array(tie('predicate'), { minLength: 1, maxLength: 3 }),
      }),
    ),
  }))
  return predicate
}

function arbitraryIndex(
  columns: readonly ColumnDefinition[],
  predicates: fc.Arbitrary<Predicate>,
  able: Abilities,
): fc.Arbitrary<IndexDefinition> | undefined {
  const indexed = columns.filter(({ type }) => !able.unindexed.includes(type.kind))
  const expressions: fc.Arbitrary<Expression>[] = indexed.map(({ name }) =>
    fc.constant({ kind: 'column', name }),
  )
  for (const { name, type } of columns) {
    if (type.kind === 'json' && able.jsonKeys) expressions.push(arbitraryPath(name))
    if (type.kind !== 'string') continue
    expressions.push(
      fc.constantFrom('lower', 'upper', 'length').map((called) => ({
        kind: 'call',
        function: called,
        argument: { kind: 'column', name },
      })),
    )
  }
  if (expressions.length === 0) return undefined
  const isText = ({ kind, ...rest }: Expression): boolean =>
    kind === 'column' &&
    columns.some(
      (column) => 'name' in rest && column.name === rest.name && column.type.kind === 'string',
    )
  const key = fc
    .record({
      expression: fc.oneof(...expressions),
      direction: fc.option(fc.constantFrom('asc', 'desc'), { nil: undefined }),
      collation:
        able.collations.length === 0
          ? fc.constant(undefined)
          : fc.option(fc.constantFrom(...able.collations), { nil: undefined }),
    })
    .map(({ expression, direction, collation }): IndexKey => ({
      expression,
      ...(direction !== undefined && { direction }),
      ...(collation !== undefined && isText(expression) && { collation }),
    }))
  return fc
    .record({
      keys: fc.array(key, { minLength: 1, maxLength: 3 }),
      unique: fc.boolean(),
      where: able.partial ? fc.option(predicates, { nil: undefined }) : fc.constant(undefined),
      method:
        able.methods.length === 0
          ? fc.constant(undefined)
          : fc.option(fc.constantFrom(...able.methods), { nil: undefined }),
      include: able.include
        ? fc.option(fc.constantFrom(...columns.map(({ name }) => name)), { nil: undefined })
        : fc.constant(undefined),
      nullsDistinct: able.include ? fc.boolean() : fc.constant(true),
    })
    .map(({ keys, unique, where, method, include, nullsDistinct }): IndexDefinition => {
      const common = { ...(where !== undefined && { where }) }
      // A hash has one key, no order, no other columns, and is not unique.
      if (method !== undefined)
        return {
          keys: keys.slice(0, 1).map(({ expression }) => ({ expression })),
          unique: false,
          method: { postgresql: method },
          ...common,
        }
      return {
        keys,
        unique,
        ...common,
        ...(include !== undefined && { include: [include] }),
        ...(unique && !nullsDistinct && { nullsDistinct }),
      }
    })
}

/** Once each: what is the same to the engine has one name. */
function distinct<T>(all: readonly T[], nameOf: (each: T) => string): readonly T[] {
  return [...new Map(all.map((each) => [nameOf(each), each])).values()]
}
