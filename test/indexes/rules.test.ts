import {
  type Expression,
  type IndexDefinition,
  type IndexKey,
  type PortableType,
  type QueryPattern,
  lintTables,
  resolveIndexes,
  type TableDefinition,
} from '@keelson/indexes'
import type { EngineName } from '@keelson/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs, seed } from '../support/runs.ts'

const names = ['id', 'tenant', 'status', 'title', 'price', 'score', 'created', 'data', 'tags']

describe('from query patterns', () => {
  test('equality comes first, then the sort', () => {
    expect(derived({ equals: ['tenant', 'status'], sort: ['-created'], limited: true })).toEqual([
      'tenant status created',
    ])
  })

  test('a range comes last, and of two the first', () => {
    expect(derived({ equals: ['tenant'], ranges: ['created', 'score'] })).toEqual([
      'tenant created',
    ])
  })

  test('a sort by what has one value is dropped', () => {
    expect(derived({ equals: ['tenant'], sort: ['tenant', 'created'] })).toEqual(['tenant created'])
  })

  test('only a sort in mixed directions keeps desc', () => {
    expect(derived({ equals: [], sort: ['-tenant', '-created'] })).toEqual(['tenant created'])
    expect(derived({ equals: [], sort: ['-tenant', 'created'] })).toEqual(['tenant -created'])
  })

  test('a range over the first column of the sort is one key with it', () => {
    expect(derived({ equals: ['tenant'], ranges: ['created'], sort: ['-created'] })).toEqual([
      'tenant created',
    ])
  })

  test('a range beside a sort gives way when only the first rows are asked for', () => {
    const pattern = { equals: ['tenant'], ranges: ['score'], sort: ['created'] }
    expect(derived({ ...pattern, limited: true })).toEqual(['tenant created'])
    expect(derived(pattern)).toEqual(['tenant score'])
  })

  test('a list of values breaks the order, so that a range follows it', () => {
    const pattern = { equals: ['tenant'], among: ['status'], ranges: ['score'], sort: ['created'] }
    expect(derived(pattern)).toEqual(['tenant status score'])
    expect(derived({ ...pattern, limited: true })).toEqual(['tenant created'])
  })

  test('patterns share an index whose first keys are theirs', () => {
    expect(
      derived(
        { equals: ['status'] },
        { equals: ['tenant', 'status'], sort: ['-created'] },
        { equals: ['tenant', 'status'], ranges: ['created'] },
      ),
    ).toEqual(['status tenant created'])
    // {tenant} and {status} cannot both be first in one index over both.
    expect(
      derived({ equals: ['tenant'] }, { equals: ['tenant', 'status'] }, { equals: ['status'] }),
    ).toHaveLength(2)
  })

  test('a pattern that finds single rows by a key needs no index', () => {
    const unique = index(['tenant', 'title'], { unique: true })
    expect(derived({ equals: ['id', 'tenant'], sort: ['created'] })).toEqual([])
    expect(
      printed(
        resolve({
          indexes: [unique],
          queries: [pattern({ equals: ['title', 'tenant', 'status'] })],
        }),
      ),
    ).toEqual(['tenant title'])
  })

  test('a pattern that a declared index serves needs no other, whichever end it is read from', () => {
    const declared = index(['tenant', '-created', 'status'])
    const queries = [
      pattern({ equals: ['tenant'], sort: ['created'] }),
      pattern({ equals: ['created', 'tenant'] }),
    ]
    expect(printed(resolve({ indexes: [declared], queries }))).toEqual(['tenant -created status'])
  })

  test('a declared index goes when one for a pattern begins with its keys', () => {
    const queries = [pattern({ equals: ['tenant'], sort: ['created'] })]
    const result = resolve({ indexes: [index(['tenant'])], queries })
    expect(printed(result)).toEqual(['tenant created'])
    expect(codes(result)).toEqual(['REDUNDANT'])
  })

  test('a sort that ends in the row id of SQLite ends before it', () => {
    const queries = [pattern({ equals: ['tenant'], sort: ['-created', '-id'] })]
    expect(printed(resolve({ queries }))).toEqual(['tenant created'])
    expect(printed(resolve({ queries }, 'postgresql'))).toEqual(['tenant created id'])
  })
})

describe('redundant', () => {
  test.each([
    ['a left prefix', ['tenant'], ['tenant', 'created']],
    ['the same keys reversed', ['tenant', '-created'], ['-tenant', 'created']],
    ['a prefix read backwards', ['-tenant', '-created'], ['tenant', 'created', 'status']],
  ])('%s of another index is left out', (_, keys, others) => {
    const result = resolve({ indexes: [index(others), index(keys)] })
    expect(printed(result)).toEqual([others.join(' ')])
    expect(codes(result)).toEqual(['REDUNDANT'])
  })

  test.each([
    ['another order of keys', index(['tenant', 'status']), index(['status', 'tenant', 'score'])],
    ['one direction reversed', index(['tenant', '-created']), index(['tenant', 'created', 'id'])],
    ['a unique one', index(['tenant'], { unique: true }), index(['tenant', 'status'])],
    ['other rows', index(['tenant'], { where: isNotNull('score') }), index(['tenant', 'status'])],
    [
      'another collation',
      index([{ expression: column('tenant'), collation: 'NOCASE' }]),
      index(['tenant', 'status']),
    ],
  ])('%s is not redundant', (_, one, other) => {
    expect(resolve({ indexes: [one, other] }).refused).toEqual([])
  })

  test('what the primary key begins with is left out, and what it is', () => {
    const result = resolve({
      primaryKey: ['tenant', 'id'],
      indexes: [index(['tenant']), index(['tenant', 'id'], { unique: true }), index(['id'])],
    })
    expect(printed(result)).toEqual(['id'])
    expect(codes(result)).toEqual(['REDUNDANT', 'REDUNDANT'])
  })

  test('a unique index goes only for one that demands the same', () => {
    const result = resolve({
      indexes: [
        index(['tenant', 'status'], { unique: true }),
        index(['-tenant', '-status'], { unique: true }),
        index(['tenant', 'status']),
      ],
    })
    expect(result.indexes).toEqual([index(['tenant', 'status'], { unique: true })])
  })

  test('the second of two that are the same is a duplicate', () => {
    const result = resolve({
      indexes: [index(['tenant']), { name: 'other', ...index(['tenant']) }],
    })
    expect(result.refused).toMatchObject([{ code: 'DUPLICATE', index: 'other' }])
  })

  test('a key that ends in the row id is the one without it on SQLite, and not on PostgreSQL', () => {
    const indexes = [index(['tenant', 'id']), index(['tenant'])]
    expect(printed(resolve({ indexes }))).toEqual(['tenant'])
    expect(printed(resolve({ indexes }, 'mysql'))).toEqual(['tenant'])
    expect(printed(resolve({ indexes }, 'postgresql'))).toEqual(['tenant id'])
    // Read backwards, its equal keys are descending.
    const other = [index(['tenant', '-id']), index(['status'])]
    expect(resolve({ indexes: other }).refused).toEqual([])
  })

  test('nothing goes in favour of what goes itself', () => {
    const result = resolve({
      indexes: [index(['tenant', 'id']), index(['tenant']), index(['tenant', 'status'])],
    })
    expect(printed(result)).toEqual(['tenant id', 'tenant status'])
  })

  test('after whatever was left out, each declared index is still served, and nothing more can go', () => {
    const tables = fc.record({
      primaryKey: fc.constantFrom([], ['id'], ['tenant', 'id']),
      indexes: fc.array(anyIndex(), { maxLength: 8 }),
      queries: fc.array(anyPattern(), { maxLength: 6 }),
    })
    fc.assert(
      fc.property(
        tables,
        fc.constantFrom<EngineName>('sqlite', 'postgresql', 'mysql'),
        (given, engine) => {
          const result = resolve(given, engine)
          const again = resolve({ ...given, indexes: result.indexes }, engine)
          expect(printed(again).toSorted()).toEqual(printed(result).toSorted())
          expect(
            again.refused.filter(({ code }) => code === 'REDUNDANT' || code === 'DUPLICATE'),
          ).toEqual([])
          const kept = [...result.indexes.map(({ keys }) => keys), keysOf(given.primaryKey)]
          const whole = kept.map((keys) => withPrimaryKey(keys, given.primaryKey, engine))
          const refused = new Set(
            result.refused
              .filter(({ code }) => code !== 'REDUNDANT' && code !== 'DUPLICATE')
              .map(({ index: name }) => name),
          )
          if (refused.size > 0) return
          for (const { keys } of given.indexes)
            expect(whole.some((other) => begins(other, keys))).toBe(true)
        },
      ),
      { seed, numRuns: runs(300, 5_000) },
    )
  })

  test('the order in which patterns are told changes nothing', () => {
    fc.assert(
      fc.property(
        fc
          .array(anyPattern(), { maxLength: 6 })
          .chain((queries) =>
            fc.tuple(
              fc.constant(queries),
              fc.shuffledSubarray(queries, { minLength: queries.length }),
            ),
          ),
        ([queries, shuffled]) => {
          expect(resolve({ queries: shuffled }).indexes).toEqual(resolve({ queries }).indexes)
        },
      ),
      { seed, numRuns: runs(300, 5_000) },
    )
  })
})

describe('what an engine should not have', () => {
  test.each<[string, EngineName, IndexDefinition]>([
    ['DUCKDB_MULTI_COLUMN', 'duckdb', index(['tenant', 'title'])],
    ['DUCKDB_PARTIAL', 'duckdb', index(['tenant'], { where: isNotNull('score') })],
    ['DUCKDB_PARTIAL', 'duckdb', index(['tenant'], { unique: true, where: isNotNull('score') })],
    ['DUCKDB_EXPRESSION', 'duckdb', index([{ expression: path() }])],
    ['DUCKDB_ZONEMAP', 'duckdb', index(['created'])],
    ['DUCKDB_ZONEMAP', 'duckdb', index(['-title'])],
    ['DUCKDB_KEY', 'duckdb', index(['id'])],
    ['UNSUPPORTED', 'duckdb', index(['tags'])],
    ['MYSQL_PARTIAL', 'mysql', index(['tenant'], { where: isNotNull('score') })],
    ['MYSQL_UNBOUNDED_TEXT', 'mysql', index(['title'], { unique: true })],
    ['UNSUPPORTED', 'mysql', index([{ expression: column('tenant'), collation: 'utf8mb4_bin' }])],
    ['POSTGRESQL_UNBOUNDED_TEXT', 'postgresql', index(['tenant', 'title'])],
    ['POSTGRESQL_UNBOUNDED_TEXT', 'postgresql', index([{ expression: path() }])],
    ['UNSUPPORTED', 'postgresql', index(['title'], { method: { postgresql: 'gin' } })],
    ['UNSUPPORTED', 'postgresql', index(['tenant'], { method: { postgresql: 'btre' } })],
    ['UNSUPPORTED', 'postgresql', index(['data'])],
    ['TEXT_DECIMAL_RANGE', 'sqlite', index(['price'])],
    ['UNSUPPORTED', 'sqlite', index(['tenant'], { method: { sqlite: 'gin' } })],
    ['UNSUPPORTED', 'sqlite', index([{ expression: column('tenant'), collation: 'NO_CASE' }])],
    ['UNSUPPORTED', 'sqlite', index(['score'], { unique: true, nullsDistinct: false })],
  ])('%s: %s', (code, engine, given) => {
    const { indexes, refused } = resolve({ indexes: [given] }, engine)
    expect(indexes).toEqual([])
    expect(refused).toMatchObject([{ engine, table: 'item', code }])
    expect(refused[0]!.why).not.toBe('')
    expect(refused[0]!.instead).not.toBe('')
  })

  test.each<[EngineName, IndexDefinition]>([
    ['duckdb', index(['tenant', 'title'], { unique: true })],
    ['duckdb', index(['title'])],
    [
      'duckdb',
      index([{ expression: { kind: 'call', function: 'lower', argument: column('title') } }]),
    ],
    ['postgresql', index(['title'], { unique: true })],
    ['postgresql', index(['title'], { method: { postgresql: 'hash' } })],
    ['postgresql', index(['data', 'tags'], { method: { postgresql: 'gin' } })],
    ['postgresql', index(['price'])],
    ['mysql', index(['tenant', 'status'])],
    ['sqlite', index(['price'], { unique: true })],
    ['sqlite', index([{ expression: path() }])],
    ['sqlite', index(['tenant'], { method: { postgresql: 'gin' } })],
  ])('%s has %o', (engine, given) => {
    expect(resolve({ indexes: [given] }, engine)).toEqual({ indexes: [given], refused: [] })
  })

  test('DuckDB has one for a pattern that filters one column by equality, and for no other', () => {
    const queries = [
      pattern({ equals: ['title'], sort: ['created'] }),
      pattern({ equals: ['tenant', 'status'] }),
      pattern({ equals: [], ranges: ['created'] }),
      pattern({ equals: [], sort: ['score'] }),
    ]
    const result = resolve({ queries }, 'duckdb')
    expect(printed(result)).toEqual(['title'])
    expect(codes(result)).toEqual(['DUCKDB_MULTI_COLUMN', 'DUCKDB_ZONEMAP', 'DUCKDB_ZONEMAP'])
  })

  test('an index that several patterns ask for is refused once', () => {
    const queries = [
      pattern({ equals: [], sort: ['price'] }),
      pattern({ equals: [], sort: ['price'], limited: true }),
    ]
    expect(codes(resolve({ queries }))).toEqual(['TEXT_DECIMAL_RANGE'])
  })

  test('a range or a sort over decimals is refused on SQLite, where they are text, and equality is not', () => {
    const queries = [
      pattern({ equals: ['tenant'], ranges: ['price'] }),
      pattern({ equals: [], sort: ['price'] }),
    ]
    expect(codes(resolve({ queries }))).toEqual(['TEXT_DECIMAL_RANGE', 'TEXT_DECIMAL_RANGE'])
    expect(printed(resolve({ queries }, 'postgresql'))).toEqual(['tenant price', 'price'])
  })

  test('of more than 16 partial indexes the others are refused, and no unique one', () => {
    const partial = (value: number, unique: boolean): IndexDefinition =>
      index(['tenant'], {
        unique,
        where: { kind: 'compare', operator: '=', expression: column('score'), value },
      })
    const indexes = Array.from({ length: 20 }, (_, value) => partial(value, value > 17))
    const result = resolve({ indexes })
    expect(result.indexes).toHaveLength(16)
    expect(result.indexes.filter(({ unique }) => unique)).toHaveLength(2)
    expect(codes(result)).toEqual(Array.from({ length: 4 }, () => 'TOO_MANY_PARTIAL'))
  })

  test('columns that an index only holds become keys where there is no INCLUDE', () => {
    const covering = index(['tenant'], { include: ['status', 'score'] })
    expect(printed(resolve({ indexes: [covering] }))).toEqual(['tenant status score'])
    expect(resolve({ indexes: [covering] }, 'postgresql').indexes).toEqual([covering])
    const unique = index(['tenant'], { unique: true, include: ['score'] })
    expect(printed(resolve({ indexes: [unique] }))).toEqual(['tenant'])
  })

  test('a column that the table does not have is an error that names it', () => {
    expect(() => resolve({ indexes: [index(['tennant'])] })).toThrow(
      'An index of item is over "tennant", which is none of its columns: id, tenant,',
    )
    expect(() => derived({ equals: ['tennant'] })).toThrow('"tennant"')
  })
})

describe('lint', () => {
  const found = (given: Partial<TableDefinition>, engine: EngineName): readonly string[] =>
    lintTables([{ ...item, ...given }], engine).map(
      ({ code, object }) => `${code} ${object.replace(/_[0-9a-f]{10}$/, '')}`,
    )

  test('a foreign key without an index is found where the engine makes none', () => {
    const foreignKeys = [
      { columns: ['tenant'], referencedTable: 'tenant', referencedColumns: ['id'] },
      { columns: ['id'], referencedTable: 'other', referencedColumns: ['id'] },
    ]
    const expected = ['FOREIGN_KEY_WITHOUT_INDEX fk_item_tenant']
    expect(found({ foreignKeys }, 'sqlite')).toEqual(expected)
    expect(found({ foreignKeys }, 'postgresql')).toEqual(expected)
    expect(found({ foreignKeys }, 'duckdb')).toEqual([])
    expect(found({ foreignKeys, indexes: [index(['tenant', 'score'])] }, 'sqlite')).toEqual([])
    const partial = index(['tenant'], { where: isNotNull('score') })
    expect(found({ foreignKeys, indexes: [partial] }, 'sqlite')).toEqual(expected)
  })

  test('an index over a few values alone is found, and none with more to it', () => {
    const indexes = [
      index(['status']),
      index(['-status', 'created']),
      index(['status'], { where: isNotNull('score') }),
    ]
    expect(found({ indexes: indexes.slice(1) }, 'sqlite')).toEqual([])
    expect(found({ indexes: [index(['status'])] }, 'sqlite')).toEqual([
      'LOW_SELECTIVITY ix_item_status',
    ])
  })

  test('what would be refused is found, with text that a unique index has no room for, and long names', () => {
    const long = 'n'.repeat(64)
    const indexes = [
      index(['tenant']),
      index(['tenant', 'score']),
      index(['title'], { unique: true }),
      { ...index(['score']), name: long },
    ]
    expect(found({ indexes }, 'postgresql')).toEqual([
      'REDUNDANT ix_item_tenant',
      'WIDE_TEXT ux_item_title',
      `NAME_TOO_LONG ${long}`,
    ])
    expect(found({ indexes: [index(['created'])] }, 'duckdb')).toEqual([
      'DUCKDB_ZONEMAP ix_item_created',
    ])
  })
})

interface ShortPattern {
  readonly equals: readonly string[]
  readonly among?: readonly string[]
  readonly ranges?: readonly string[]
  readonly sort?: readonly string[]
  readonly limited?: boolean
}

function derived(...patterns: readonly ShortPattern[]): readonly string[] {
  return printed(resolve({ queries: patterns.map(pattern) }))
}

function pattern({
  equals,
  among = [],
  ranges = [],
  sort = [],
  limited = false,
}: ShortPattern): QueryPattern {
  return {
    equals: equals.map(column),
    among: among.map(column),
    ranges: ranges.map(column),
    sort: sort.map(key),
    limited,
  }
}

function resolve(
  given: Partial<TableDefinition>,
  engine: EngineName = 'sqlite',
): ReturnType<typeof resolveIndexes> {
  return resolveIndexes({ ...item, ...given }, engine)
}

function printed({ indexes }: ReturnType<typeof resolveIndexes>): readonly string[] {
  return indexes.map(({ keys }) =>
    keys
      .map(({ expression, direction }) => {
        const name = expression.kind === 'column' ? expression.name : expression.kind
        return direction === 'desc' ? `-${name}` : name
      })
      .join(' '),
  )
}

function codes({ refused }: ReturnType<typeof resolveIndexes>): readonly string[] {
  return refused.map(({ code }) => code)
}

function index(
  keys: readonly (string | IndexKey)[],
  options: Partial<IndexDefinition> = {},
): IndexDefinition {
  return {
    keys: keys.map((given) => (typeof given === 'string' ? key(given) : given)),
    unique: false,
    ...options,
  }
}

function key(text: string): IndexKey {
  return text.startsWith('-')
    ? { expression: column(text.slice(1)), direction: 'desc' }
    : { expression: column(text) }
}

function keysOf(columns: readonly string[]): readonly IndexKey[] {
  return columns.map(key)
}

function column(name: string): Expression & { readonly kind: 'column' } {
  return { kind: 'column', name }
}

function path(): Expression {
  return { kind: 'json', column: 'data', path: ['city'], as: 'string' }
}

function isNotNull(name: string): NonNullable<IndexDefinition['where']> {
  return { kind: 'isNotNull', expression: column(name) }
}

function begins(longer: readonly IndexKey[], keys: readonly IndexKey[]): boolean {
  const text = (given: readonly IndexKey[], isReversed: boolean): string =>
    given
      .map(({ expression, direction }) => {
        const isDescending = (direction === 'desc') !== isReversed
        return `${isDescending ? '-' : ''}${JSON.stringify(expression)} `
      })
      .join('')
  return [true, false].some((isReversed) => text(longer, isReversed).startsWith(text(keys, false)))
}

function withPrimaryKey(
  keys: readonly IndexKey[],
  primaryKey: readonly string[],
  engine: EngineName,
): readonly IndexKey[] {
  return primaryKey.length === 1 && engine !== 'postgresql'
    ? [...keys, ...keysOf(primaryKey)]
    : keys
}

function anyIndex(): fc.Arbitrary<IndexDefinition> {
  const some = fc.constantFrom('id', 'tenant', 'status', 'score')
  return fc
    .record({
      keys: fc.uniqueArray(some, { minLength: 1, maxLength: 3 }),
      desc: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      unique: fc.boolean(),
    })
    .map(({ keys, desc, unique }) =>
      index(
        keys.map((name, position) => (desc[position] ? `-${name}` : name)),
        { unique },
      ),
    )
}

function anyPattern(): fc.Arbitrary<QueryPattern> {
  const some = fc.constantFrom('id', 'tenant', 'status', 'score', 'created')
  const few = fc.uniqueArray(some, { maxLength: 3 })
  return fc
    .record({
      equals: few,
      among: few,
      ranges: few,
      sort: few,
      desc: fc.boolean(),
      limited: fc.boolean(),
    })
    .map(({ desc, sort, ...rest }) =>
      pattern({ ...rest, sort: sort.map((name, at) => (desc && at === 0 ? `-${name}` : name)) }),
    )
}

const types: Readonly<Record<string, PortableType>> = {
  id: { kind: 'integer' },
  tenant: { kind: 'string', maxLength: 40 },
  status: { kind: 'enum', values: ['open', 'closed'] },
  title: { kind: 'string' },
  price: { kind: 'decimal', precision: 10, scale: 2 },
  score: { kind: 'int32' },
  created: { kind: 'datetime' },
  data: { kind: 'json' },
  tags: { kind: 'array', of: { kind: 'string' } },
}

const item: TableDefinition = {
  name: 'item',
  columns: names.map((name) => ({ name, type: types[name]!, nullable: name !== 'id' })),
  primaryKey: ['id'],
  indexes: [],
  foreignKeys: [],
  checks: [],
  queries: [],
}
