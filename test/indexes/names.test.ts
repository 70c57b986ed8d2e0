import { type EngineName, KeelsonError } from '@keelson/core'
import {
  checkTables,
  createIndexSql,
  createTableSql,
  indexName,
  type IndexDefinition,
  isManagedName,
  type TableDefinition,
} from '@keelson/indexes'
import { introspect } from '@keelson/indexes/kysely'
import fc from 'fast-check'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import {
  creating,
  type LiveEngine,
  liveEngines,
  openDatabase,
  rowsOf,
  run,
  tableOf,
} from './fixture.ts'

const engines: readonly EngineName[] = [...liveEngines, 'mysql']

function over(...columns: readonly string[]): IndexDefinition {
  return {
    keys: columns.map((name) => ({ expression: { kind: 'column', name } })),
    unique: false,
  }
}

describe('the name of an index', () => {
  it('says the table and the keys, and ends in a hash of the definition', () => {
    expect(indexName('users', over('tenant', 'email'), 'sqlite')).toMatch(
      /^ix_users_tenant_email_[0-9a-f]{10}$/,
    )
    expect(indexName('users', { ...over('email'), unique: true }, 'sqlite')).toMatch(
      /^ux_users_email_[0-9a-f]{10}$/,
    )
  })

  it('is another one for each definition, and the same for two spellings of one', () => {
    const definitions: readonly IndexDefinition[] = [
      over('a'),
      over('b'),
      over('a', 'b'),
      over('b', 'a'),
      { ...over('a'), unique: true },
      { ...over('a'), where: { kind: 'isNull', expression: { kind: 'column', name: 'b' } } },
      { ...over('a'), method: { postgresql: 'hash' } },
      { ...over('a'), include: ['b'] },
      { ...over('a'), unique: true, nullsDistinct: false },
      { keys: [{ expression: { kind: 'column', name: 'a' }, direction: 'desc' }], unique: false },
      { keys: [{ expression: { kind: 'column', name: 'a' }, collation: 'C' }], unique: false },
    ]
    const names = definitions.map((index) => indexName('t', index, 'postgresql'))
    expect(new Set(names).size).toBe(names.length)
    const isNotNull: IndexDefinition = {
      ...over('a'),
      where: { kind: 'isNotNull', expression: { kind: 'column', name: 'b' } },
    }
    const notIsNull: IndexDefinition = {
      ...over('a'),
      where: {
        kind: 'not',
        operand: { kind: 'isNull', expression: { kind: 'column', name: 'b' } },
      },
    }
    expect(indexName('t', notIsNull, 'sqlite')).toBe(indexName('t', isNotNull, 'sqlite'))
  })

  it('fits every engine, whatever the table and columns are called, and stays distinct', () => {
    const table = 'k\u00f6nigs'.repeat(8)
    const names = Array.from({ length: 500 }, (_, at) =>
      indexName(table, over('\u{1f600}'.repeat(15), `c${at}`), 'postgresql'),
    )
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
  })

  it('is the one that it was given, where it was given one', () => {
    const index = { ...over('a'), name: 'mine' }
    expect(indexName('t', index, 'sqlite')).toBe('mine')
    expect(isManagedName('t', index, 'sqlite')).toBe(false)
  })

  it('tells an index that was created from a definition from one by hand', async () => {
    const db = await openDatabase('postgresql')
    const table: TableDefinition = {
      ...tableOf('t', { a: { kind: 'string' }, b: { kind: 'string' } }),
      indexes: [
        over('a'),
        { keys: [{ expression: { kind: 'unsafeSql', sql: `a||b` } }], unique: false },
      ],
    }
    await run(db, ...creating(table, 'postgresql'), 'create index by_hand on t (b)')
    const [found] = await introspect(db)
    expect(
      found?.indexes.map((index) => [index.name, isManagedName(found, index, 'postgresql')]),
    ).toEqual([
      ['by_hand', false],
      [expect.stringMatching(/^ix_t_a_/), true],
      [expect.stringMatching(/^ix_t_expression_/), true],
    ])
    await db.destroy()
  })
})

describe('names that an engine takes for the same', () => {
  const twice = (...names: readonly string[]): readonly TableDefinition[] =>
    names.map((name) => tableOf(name, { a: { kind: 'string' } }))

  it.each(['sqlite', 'duckdb', 'mysql'] as const)(
    'are refused on %s, in tables and columns',
    (engine) => {
      const collision = expect.objectContaining({ code: 'NAME_COLLISION' })
      expect(() => checkTables(twice('Users', 'users'), engine)).toThrow(collision)
      expect(() =>
        createTableSql(tableOf('t', { Id: { kind: 'string' }, ID: { kind: 'string' } }), engine),
      ).toThrow(collision)
    },
  )

  it('are two on PostgreSQL', () => {
    expect(() => checkTables(twice('Users', 'users'), 'postgresql')).not.toThrow()
  })

  it.each(engines)('are refused for an index that is called like another, on %s', (engine) => {
    const [table] = twice('t')
    const same = { ...table!, indexes: [over('a'), { ...over('a') }] }
    expect(() => checkTables([same], engine)).toThrow(
      expect.objectContaining({ code: 'NAME_COLLISION' }),
    )
  })

  it('are refused for an index that is called like a table', () => {
    const [table] = twice('t')
    const same = { ...table!, indexes: [{ ...over('a'), name: 'T' }] }
    expect(() => checkTables([same], 'sqlite')).toThrow(
      /index "T" of "t".*table "t"|table "t".*index "T"/,
    )
  })
})

describe('names that an engine does not take', () => {
  it.each<[EngineName, string]>([
    ['sqlite', 'sqlite_users'],
    ['sqlite', 'SQLite_users'],
    ['postgresql', 'x'.repeat(64)],
    ['mysql', 'x'.repeat(65)],
    ['mysql', 'trailing '],
    ['mysql', '\u{1f600}'],
    ['duckdb', ''],
    ['sqlite', 'nul\0'],
    ['postgresql', '\ud800'],
  ])('are refused before any SQL: %s, %j', (engine, name) => {
    const refused = expect.objectContaining({ code: 'INVALID_IDENTIFIER' })
    expect(() => createTableSql(tableOf(name, { a: { kind: 'string' } }), engine)).toThrow(refused)
    const table = tableOf('t', { a: { kind: 'string' } })
    expect(() => checkTables([{ ...table, indexes: [{ ...over('a'), name }] }], engine)).toThrow(
      refused,
    )
  })

  it('are all but words of letters, digits and underscores when strict', () => {
    const check = (table: string, column: string) => (): void =>
      checkTables([tableOf(table, { [column]: { kind: 'string' } })], 'sqlite', { strict: true })
    expect(check('users_2', 'order')).not.toThrow()
    for (const name of ['a b', '1a', 'na\u00efve', 'a"b', 'a-b'])
      for (const wrong of [check(name, 'a'), check('t', name)])
        expect(wrong).toThrow(expect.objectContaining({ code: 'INVALID_IDENTIFIER' }))
  })

  it('of columns that are not there are refused in keys and indexes', () => {
    const table = tableOf('t', { a: { kind: 'string' } })
    for (const wrong of [
      { ...table, primaryKey: ['b'] },
      { ...table, indexes: [over('b')] },
      {
        ...table,
        checks: [{ predicate: { kind: 'isNull', expression: { kind: 'column', name: 'b' } } }],
      },
    ] as readonly TableDefinition[])
      expect(() => createTableSql(wrong, 'sqlite')).toThrow(
        /names the column "b", which it does not have/,
      )
  })
})

const fragments = [
  '"',
  "'",
  '`',
  '[',
  ']',
  ';',
  '--',
  '/*',
  '*/',
  ')',
  '(',
  ',',
  '\\',
  '\n',
  '\0',
  '%s',
  '$1',
  '?',
  ':a',
  '@b',
  ' ',
  '\t',
  'drop table victim',
  'create table evil (a int)',
  'sqlite_',
  'pg_catalog.',
  'a: date',
  'E',
  '\u00e9',
  '\u{1f600}',
  '\ud800',
  '$$',
  '#',
  'x',
  'Y',
  '1',
]

const hostile = fc
  .array(fc.constantFrom(...fragments), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''))

describe.each(liveEngines)('hostile names and values on %s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
    await run(db, 'create table victim (a integer)', 'insert into victim values (1)')
  })
  afterAll(() => db.destroy())

  it('create what was asked for and nothing else, or are refused before any SQL', async () => {
    const counts = { created: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { minLength: 9, maxLength: 9 }), async (words) => {
        const table = hostileTable(words)
        const statements = refusedOr(() => {
          checkTables([table], engine)
          return creating(table, engine)
        })
        if (statements === undefined) {
          counts.refused++
          return
        }
        counts.created++
        const trx = await db.startTransaction().execute()
        try {
          await run(trx, ...statements)
          const expected = [
            'victim',
            table.name,
            ...table.indexes.map((index) => indexName(table, index, engine)),
          ]
          expect(await objects(trx, engine)).toEqual(expected.toSorted())
          expect(await rowsOf(trx, 'select a from victim')).toEqual([{ a: 1 }])
          const [found] = await introspect(trx, { tables: [table.name] })
          expect(found?.name).toBe(table.name)
          expect(found?.columns.map(({ name }) => name)).toEqual(
            table.columns.map(({ name }) => name),
          )
        } finally {
          await trx.rollback().execute()
        }
      }),
      { seed, numRuns: runs(100, 3334) },
    )
    expect(counts.created).toBeGreaterThan(0)
    record('indexes-hostile-names', { [engine]: counts })
  })
})

function hostileTable(words: readonly string[]): TableDefinition {
  const [
    name = '',
    a = '',
    b = '',
    index = '',
    fallback = '',
    value = '',
    other = '',
    check = '',
    key = '',
  ] = words
  const column = { kind: 'column', name: b } as const
  return {
    ...tableOf(name, {}),
    columns: [
      { name: a, type: { kind: 'json' }, nullable: true },
      {
        name: b,
        type: { kind: 'string' },
        nullable: true,
        default: { kind: 'value', value: fallback },
      },
      { name: 'state', type: { kind: 'enum', values: [value, `${value}2`] }, nullable: true },
    ],
    indexes: [{ ...over(b), name: index }, over('state', b)],
    checks: [
      { predicate: { kind: 'compare', operator: '<>', expression: column, value: other } },
      {
        name: check,
        predicate: {
          kind: 'isNull',
          expression: { kind: 'json', column: a, path: [key, 0], as: 'string' },
        },
      },
    ],
  }
}

function refusedOr<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof KeelsonError) return undefined
    throw error
  }
}

async function objects(db: Kysely<any>, engine: LiveEngine): Promise<readonly string[]> {
  const queries: Readonly<Record<LiveEngine, string>> = {
    sqlite: 'select name from sqlite_schema',
    duckdb:
      'select table_name as name from duckdb_tables() union all select index_name from duckdb_indexes() ' +
      'union all select sequence_name from duckdb_sequences() union all select view_name from duckdb_views() where not internal',
    postgresql: `select relname as name from pg_class where relnamespace = 'public'::regnamespace`,
  }
  return (await rowsOf(db, queries[engine])).map(({ name }) => String(name)).toSorted()
}

describe('an index as SQL', () => {
  it('is created concurrently where that can be asked for', () => {
    const table = tableOf('t', { a: { kind: 'string' } })
    expect(createIndexSql(table, over('a'), 'postgresql', { concurrently: true })).toMatch(
      /^create index concurrently "ix_t_a_/,
    )
    expect(() => createIndexSql(table, over('a'), 'sqlite', { concurrently: true })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_BY_ENGINE' }),
    )
  })
})
