import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IdentifierError, type EngineName } from '@keelson/core'
import { drizzle as drizzleDuckDB } from '@keelson/duckdb/drizzle'
import {
  canonicalTable,
  checkName,
  type ColumnDefinition,
  DefinitionError,
  foreignKeyName,
  type Emit,
  type GeneratedFile,
  type GenerateOptions,
  generateSchema,
  NameCollisionError,
  type PortableType,
  resolveIndexes,
  type TableDefinition,
  UnsupportedByEngineError,
} from '@keelson/indexes'
import { introspect } from '@keelson/indexes/kysely'
import { drizzle as drizzleSqlite } from '@keelson/sqlite/drizzle'
import { getTableName, is, sql, Table } from 'drizzle-orm'
import { getTableConfig as mysqlConfig } from 'drizzle-orm/mysql-core'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { getTableConfig as pgConfig } from 'drizzle-orm/pg-core'
import { getTableConfig as sqliteConfig } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { runs, seed } from '../support/runs.ts'
import { arbitraryTable } from './arbitrary-table.ts'
import { type LiveEngine, liveEngines, openDatabase, run } from './fixture.ts'
import { GeneratedCode } from './generated.ts'

const engines: readonly EngineName[] = ['sqlite', 'duckdb', 'postgresql', 'mysql']
const emits: readonly Emit[] = ['sql', 'kysely-migration', 'drizzle', 'kysely-types']
const code = new GeneratedCode()
// Hundreds of tables in a soak, and a compiler.
vi.setConfig({ testTimeout: 900_000 })
afterAll(() => code[Symbol.dispose]())

describe('generated code', () => {
  test('compiles under tsc --strict, whatever the tables are called', () => {
    const files = engines.flatMap((engine) => {
      const arbitrary = fc.array(arbitraryTable(engine === 'mysql' ? 'sqlite' : engine), {
        minLength: 1,
        maxLength: 3,
      })
      const random = fc
        .sample(arbitrary, { seed, numRuns: runs(6, 200) })
        .map((tables) => filesFor(tables, engine) ?? [])
      const options = { dialect: engine, emit: emits }
      const chosen = [everything(engine), namesOfTypeScript(engine)].concat(
        engine === 'duckdb' ? [] : [circle],
      )
      return [...random, ...chosen.map((tables) => generateSchema(tables, options).files)].flatMap(
        (generated, at) => code.write(generated, `${engine}-${at}`),
      )
    })
    compile(files.filter((file) => file.endsWith('.ts')))
  })

  test('is the same for the same tables, in whichever order they and their keys come', () => {
    for (const engine of engines) {
      fc.assert(
        fc.property(
          fc.array(arbitraryTable(engine === 'mysql' ? 'sqlite' : engine), { maxLength: 3 }),
          (tables) => {
            const all = [...tables, ...everything(engine)]
            const first = attempt(() => generateSchema(all, { dialect: engine, emit: emits }))
            const again = attempt(() =>
              generateSchema(all.map(turned).toReversed(), {
                dialect: engine,
                emit: emits.toReversed(),
              }),
            )
            expect(again).toEqual(first)
          },
        ),
        { seed, numRuns: runs(20, 300) },
      )
    }
  })

  test.each(engines)('on %s reads as it did', async (engine) => {
    for (const { path, text } of generateSchema(everything(engine), {
      dialect: engine,
      emit: emits,
    }).files)
      await expect(text).toMatchFileSnapshot(`generated/${engine}/${path}.txt`)
  })
})

describe.each(liveEngines)('on %s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
  })
  afterAll(() => db.destroy())

  test('the Kysely migration makes what the SQL makes, and down removes it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryTable(engine), { minLength: 1, maxLength: 2 }),
        async (tables) => {
          const generated = filesFor(tables, engine)
          if (generated === undefined) return
          await expectSameSchema(tables, generated, engine)
        },
      ),
      { seed, numRuns: runs(15, 500) },
    )
    for (const tables of [everything(engine), circle]) {
      const generated = filesFor(tables, engine)
      if (generated !== undefined) await expectSameSchema(tables, generated, engine)
    }
  })

  async function expectSameSchema(
    tables: readonly TableDefinition[],
    files: readonly GeneratedFile[],
    of: LiveEngine,
  ): Promise<void> {
    const { up, down } = await code.load(fileOf(files, 'migrations/0001_create_tables.ts'))
    const before = await introspect(db)
    await inTransaction(db, async (trx) => {
      await up(trx)
      const found = (await introspect(trx)).toSorted(byName)
      expect(found).toEqual(expectedTables(tables, of))
      await down(trx)
      expect(await introspect(trx)).toEqual(before)
    })
    await inTransaction(db, async (trx) => {
      await run(trx, ...statementsOf(fileOf(files, 'schema.sql').text))
      const found = (await introspect(trx)).toSorted(byName)
      expect(found).toEqual(expectedTables(tables, of))
    })
  }

  test('the Drizzle schema has the columns and indexes of the tables', async () => {
    const arbitrary = fc.array(arbitraryTable(engine), { minLength: 1, maxLength: 2 })
    await fc.assert(
      fc.asyncProperty(arbitrary, async (tables) => {
        const generated = filesFor(tables, engine)
        if (generated === undefined) return
        await expectDrizzle(tables, generated, engine)
      }),
      { seed, numRuns: runs(15, 500) },
    )
    await expectDrizzle(everything(engine), filesFor(everything(engine), engine)!, engine)
  })

  test('rows go in and come out through the Drizzle schema', async () => {
    const [kept] = await written(engine)
    const { everyType } = await code.load(
      fileOf(filesFor(everything(engine), engine)!, 'schema.ts'),
    )
    expect(getTableName(everyType)).toBe('every_type')
    expect(kept).toMatchObject(valuesOf(engine))
    expect(kept.created).toBeDefined()
  })
})

test(
  "the types of Kysely's Database are those of the values that the drivers take and give",
  { timeout: 300_000 },
  async () => {
    const files: string[] = []
    for (const engine of liveEngines) {
      const db = await openDatabase(engine)
      onTestFinished(() => db.destroy())
      const generated = filesFor(everything(engine), engine)!
      await run(db, ...statementsOf(fileOf(generated, 'schema.sql').text))
      const isText = engine === 'sqlite'
      const row = {
        ...valuesOf(engine),
        account_id: null,
        ...(engine !== 'postgresql' && { big: 42n }),
        ...(isText && { paid: 1, tags: '["a"]' }),
        ...(engine !== 'duckdb' && { data: '{"a":[1,null]}' }),
      }
      await db.insertInto('every_type').values(row).execute()
      const found = await db.selectFrom('every_type').selectAll().executeTakeFirstOrThrow()
      expect(Object.keys(found)).toHaveLength(15)
      const text = [
        "import type { Insertable, Selectable } from 'kysely'",
        "import type { EveryTypeTable } from './database.ts'",
        `export const inserted: Insertable<EveryTypeTable> = ${valueCode(row)}`,
        `export const selected: Selectable<EveryTypeTable> = ${valueCode(found)}`,
      ].join('\n')
      const types = [fileOf(generated, 'database.ts'), { path: 'values.ts', text }]
      files.push(...code.write(types, `values-${engine}`))
    }
    compile(files)
  },
)

test('the Drizzle schema for MySQL has the columns and indexes of the tables', async () => {
  await expectDrizzle(everything('mysql'), filesFor(everything('mysql'), 'mysql')!, 'mysql')
})

test("Kysely's Migrator runs the migrations, the indexes concurrently and outside of a transaction", async () => {
  const db = await openDatabase('postgresql')
  onTestFinished(() => db.destroy())
  const { files } = generateSchema(everything('postgresql'), {
    dialect: 'postgresql',
    emit: ['kysely-migration'],
    migrationName: '0009_things',
    concurrently: true,
  })
  expect(files.map(({ path }) => path)).toEqual([
    'migrations/0009_things.ts',
    'migrations/0010_create_indexes.ts',
  ])
  const migrations: Record<string, any> = {}
  for (const file of files)
    migrations[file.path.slice('migrations/'.length, -'.ts'.length)] = await code.load(file)
  const provider = { getMigrations: () => Promise.resolve(migrations) }
  const migrator = new Migrator({ db, provider, disableTransactions: true })
  expect((await migrator.migrateToLatest()).error).toBeUndefined()
  const found = (await introspect(db))
    .filter(({ name }) => !name.startsWith('kysely_'))
    .toSorted(byName)
  expect(found).toEqual(expectedTables(everything('postgresql'), 'postgresql'))
  expect((await migrator.migrateDown()).error).toBeUndefined()
  const left = (await introspect(db)).filter(({ name }) => !name.startsWith('kysely_'))
  expect(left.flatMap(({ indexes }) => indexes)).toEqual([])
})

test('two tables of one name are refused, rather than one of them lost', () => {
  const twins = [
    table('twin', [column('a', { kind: 'int32' })]),
    table('twin', [column('b', { kind: 'int32' })]),
  ]
  expect(() => generateSchema(twins, { dialect: 'postgresql', emit: ['sql'] })).toThrow(
    NameCollisionError,
  )
})

test('DuckDB adds no foreign key to a table that is there, so that two that refer to each other are refused', () => {
  expect(() => generateSchema(circle, { dialect: 'duckdb', emit: ['sql'] })).toThrow(
    'egg and chicken refer to each other',
  )
})

test.each<[Readonly<Record<string, unknown>>, string]>([
  [{ dialect: 'oracle' }, 'generateSchema() cannot use "oracle" as `dialect`'],
  [{ emit: ['kysely'] }, 'generateSchema() cannot use "kysely" as `emit`'],
  [{ emit: [] }, 'as `emit`. It takes an array of sql, kysely-migration, drizzle, kysely-types'],
  [{ emits: ['sql'] }, 'has no option `emits`. Did you mean `emit`?'],
  [{ migrationName: '../x' }, 'cannot use "../x" as `migrationName`'],
  [{ concurrently: true }, 'only PostgreSQL has it'],
])('%o is refused', (options, message) => {
  const given = { dialect: 'sqlite', emit: ['sql'], ...options } as unknown as GenerateOptions
  expect(() => generateSchema([], given)).toThrow(message)
})

function compile(files: readonly string[]): void {
  const config = join(code.path, 'tsconfig.json')
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noUnusedLocals: true,
    module: 'nodenext',
    target: 'es2023',
    types: [],
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  }
  writeFileSync(config, JSON.stringify({ compilerOptions, files }))
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' })
  expect({ status, stdout: stdout.split('\n').slice(0, 12).join('\n') }).toEqual({
    status: 0,
    stdout: '',
  })
}

/** What the configurations of the dialects have in common. */
interface DrizzleConfig {
  readonly name: string
  readonly columns: readonly {
    readonly name: string
    readonly notNull: boolean
    readonly primary: boolean
  }[]
  readonly primaryKeys: readonly { readonly columns: readonly { readonly name: string }[] }[]
  readonly indexes: readonly {
    readonly config: {
      readonly name: string
      readonly unique?: boolean
      readonly columns: readonly unknown[]
      readonly where?: unknown
    }
  }[]
  readonly checks: readonly { readonly name: string }[]
  readonly foreignKeys: readonly { getName(): string }[]
}

async function expectDrizzle(
  tables: readonly TableDefinition[],
  files: readonly GeneratedFile[],
  engine: EngineName,
): Promise<void> {
  const exported = Object.values(await code.load(fileOf(files, 'schema.ts'))).filter((value) =>
    is(value, Table),
  )
  const configOf = {
    sqlite: sqliteConfig,
    duckdb: pgConfig,
    postgresql: pgConfig,
    mysql: mysqlConfig,
  }[engine] as unknown as (table: unknown) => DrizzleConfig
  const found = exported.map((table) => {
    const config = configOf(table)
    return {
      name: config.name,
      columns: config.columns.map(({ name, notNull }) => ({ name, notNull })),
      primaryKey:
        config.primaryKeys[0]?.columns.map(({ name }) => name) ??
        config.columns.filter(({ primary }) => primary).map(({ name }) => name),
      indexes: config.indexes
        .map((index) => ({
          name: index.config.name,
          unique: index.config.unique ?? false,
          keys: index.config.columns.length,
          isPartial: index.config.where !== undefined,
        }))
        .toSorted(byName),
      checks: config.checks.map(({ name }) => name).toSorted(),
      foreignKeys: config.foreignKeys.map((key) => key.getName()).toSorted(),
    }
  })
  const expected = tables.map((table) => {
    const { checks, foreignKeys } = table
    const { indexes } = canonicalTable(resolved(table, engine), engine)
    return {
      name: table.name,
      columns: table.columns.map(({ name, nullable, identity }) => ({
        name,
        notNull: !nullable || identity === true || table.primaryKey.includes(name),
      })),
      primaryKey: table.primaryKey,
      indexes: indexes
        .map(({ name, unique, keys, where }) => ({
          name,
          unique,
          keys: keys.length,
          isPartial: where !== undefined,
        }))
        .toSorted(byName),
      checks: checks.map((check) => checkName(table, check, engine)).toSorted(),
      foreignKeys: foreignKeys.map((key) => foreignKeyName(table, key)).toSorted(),
    }
  })
  expect(found.toSorted(byName)).toEqual(expected.toSorted(byName))
}

async function written(engine: LiveEngine): Promise<readonly any[]> {
  const files = filesFor(everything(engine), engine)!
  const { accounts, everyType } = await code.load(fileOf(files, 'schema.ts'))
  const statements = statementsOf(fileOf(files, 'schema.sql').text)
  const row = valuesOf(engine)
  switch (engine) {
    case 'sqlite': {
      const db = drizzleSqlite(':memory:')
      for (const statement of statements) await db.run(sql.raw(statement))
      await db.insert(accounts).values({ id: row['account_id'], email: 'a@b.c' })
      await db.insert(everyType).values(row)
      return db.select().from(everyType)
    }
    case 'duckdb': {
      const db = drizzleDuckDB(':memory:')
      for (const statement of statements) await db.execute(sql.raw(statement))
      await db.insert(accounts).values({ id: row['account_id'], email: 'a@b.c' })
      await db.insert(everyType).values(row)
      return db.select().from(everyType)
    }
    case 'postgresql': {
      const { createDatabase } = await postgres()
      const pool = new Pool({ connectionString: await createDatabase(), max: 1 })
      onTestFinished(() => pool.end())
      const db = drizzlePg(pool)
      for (const statement of statements) await db.execute(sql.raw(statement))
      await db.insert(accounts).values({ id: row['account_id'], email: 'a@b.c' })
      await db.insert(everyType).values(row)
      return db.select().from(everyType)
    }
  }
}

/** A value as TypeScript has it. */
function valueCode(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Date) return `new Date(${JSON.stringify(value)})`
  if (value instanceof Uint8Array) return `new Uint8Array([${value.join()}])`
  if (Array.isArray(value)) return `[${value.map(valueCode).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).map(
    ([name, item]) => `${JSON.stringify(name)}: ${valueCode(item)}`,
  )
  return `{ ${entries.join(', ')} }`
}

async function inTransaction(
  db: Kysely<any>,
  fn: (trx: Kysely<any>) => Promise<void>,
): Promise<void> {
  const trx = await db.startTransaction().execute()
  try {
    await fn(trx)
  } finally {
    await trx.rollback().execute()
  }
}

/** Undefined for tables that the engine refuses by a typed error. */
function filesFor(
  tables: readonly TableDefinition[],
  dialect: EngineName,
): readonly GeneratedFile[] | undefined {
  const result = attempt(() => generateSchema(tables, { dialect, emit: emits }))
  return typeof result === 'string' ? undefined : result.files
}

function attempt<T>(fn: () => T): T | string {
  try {
    return fn()
  } catch (error) {
    const refusals = [
      IdentifierError,
      NameCollisionError,
      DefinitionError,
      UnsupportedByEngineError,
    ]
    if (refusals.some((refusal) => error instanceof refusal)) return (error as Error).name
    throw error
  }
}

function fileOf(files: readonly GeneratedFile[], path: string): GeneratedFile {
  return files.find((file) => file.path === path)!
}

function statementsOf(text: string): readonly string[] {
  return text
    .split(/;\n(?=\n|create|alter|$)/)
    .map((statement) => statement.trim())
    .filter(Boolean)
}

function expectedTables(
  tables: readonly TableDefinition[],
  engine: EngineName,
): readonly TableDefinition[] {
  return tables.map((table) => canonicalTable(resolved(table, engine), engine)).toSorted(byName)
}

function resolved(table: TableDefinition, engine: EngineName): TableDefinition {
  return { ...table, indexes: resolveIndexes(table, engine).indexes }
}

function byName(
  a: { readonly name?: string | undefined },
  b: { readonly name?: string | undefined },
): number {
  return a.name! < b.name! ? -1 : 1
}

/** The same with its keys in another order. */
function turned<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(turned) as T
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, turned(item)]),
  ) as T
}

function column(
  name: string,
  type: PortableType,
  more: Partial<ColumnDefinition> = {},
): ColumnDefinition {
  return { name, type, nullable: false, ...more }
}

function table(
  name: string,
  columns: readonly ColumnDefinition[],
  more: Partial<TableDefinition> = {},
): TableDefinition {
  return {
    name,
    columns,
    primaryKey: [],
    indexes: [],
    foreignKeys: [],
    checks: [],
    queries: [],
    ...more,
  }
}

function key(name: string): { readonly kind: 'column'; readonly name: string } {
  return { kind: 'column', name }
}

const moment = '2026-01-31T12:00:00.123Z'

function valuesOf(engine: LiveEngine): Readonly<Record<string, unknown>> {
  return {
    id: 7,
    account_id: '0b7f2c1e-93a4-4c55-9d4e-3f0f6a1b2c3d',
    title: "it's a \\title\\",
    small: -5,
    big: engine === 'sqlite' ? 42 : 9_007_199_254_740_993n,
    ratio: 0.5,
    price: '12.50',
    paid: true,
    day: '2026-01-31',
    moment: engine === 'sqlite' ? moment : new Date(moment),
    status: "it's closed",
    data: { a: [1, null] },
    tags: ['a', "b'c"],
    photo: Buffer.from([0, 255, 1]),
  }
}

/** Every type, and all that a table can have on the engine. */
function everything(engine: EngineName): readonly TableDefinition[] {
  const cascades = engine !== 'duckdb'
  const every = table(
    'every_type',
    [
      column('id', { kind: 'integer' }, { identity: true }),
      column('account_id', { kind: 'uuid' }, { nullable: true }),
      column(
        'title',
        { kind: 'string', maxLength: 80 },
        { default: { kind: 'value', value: 'no `title` of ${it}' } },
      ),
      column('small', { kind: 'int32' }, { default: { kind: 'value', value: -1 } }),
      column('big', { kind: 'bigint' }, { default: { kind: 'value', value: 5n } }),
      column('ratio', { kind: 'number' }, { default: { kind: 'value', value: 0.5 } }),
      column(
        'price',
        { kind: 'decimal', precision: 10, scale: 2 },
        { description: 'With tax.\nIn euros. */' },
      ),
      column('paid', { kind: 'boolean' }, { default: { kind: 'value', value: false } }),
      column('day', { kind: 'date' }, { nullable: true }),
      column('moment', { kind: 'datetime' }),
      column('created', { kind: 'datetime' }, { default: { kind: 'now' } }),
      column(
        'status',
        { kind: 'enum', values: ['open', "it's closed"] },
        { default: { kind: 'value', value: 'open' } },
      ),
      column('data', { kind: 'json' }, { nullable: true }),
      column('tags', { kind: 'array', of: { kind: 'string' } }),
      column('photo', { kind: 'blob' }, { nullable: true }),
    ],
    {
      description: 'A column of each type.',
      primaryKey: ['id'],
      foreignKeys: [
        {
          columns: ['account_id'],
          referencedTable: 'accounts',
          referencedColumns: ['id'],
          ...(cascades && { onDelete: 'set null' }),
        },
      ],
      checks: [
        { predicate: { kind: 'compare', operator: '>=', expression: key('ratio'), value: 0 } },
      ],
      indexes: [
        {
          keys: [{ expression: key('status') }, { expression: key('created'), direction: 'desc' }],
          unique: false,
          where: { kind: 'compare', operator: '=', expression: key('paid'), value: false },
        },
        {
          keys: [{ expression: { kind: 'json', column: 'data', path: ['size'], as: 'number' } }],
          unique: false,
        },
        {
          keys: [{ expression: { kind: 'call', function: 'lower', argument: key('title') } }],
          unique: false,
        },
        {
          keys: [
            { expression: { kind: 'call', function: 'upper', argument: key('title') } },
            { expression: key('small'), direction: 'desc' },
            { expression: key('day') },
          ],
          unique: false,
        },
        { keys: [{ expression: key('tags') }], unique: false, method: { postgresql: 'gin' } },
        { keys: [{ expression: key('small') }], unique: false, include: ['day'] },
      ],
      queries: [
        {
          equals: [key('account_id')],
          among: [],
          ranges: [],
          sort: [{ expression: key('created'), direction: 'desc' }],
          limited: true,
        },
      ],
    },
  )
  const accounts = table(
    'accounts',
    [
      column('id', { kind: 'uuid' }),
      column('email', { kind: 'string', maxLength: 254 }),
      column('parent', { kind: 'uuid' }, { nullable: true }),
    ],
    {
      primaryKey: ['id'],
      indexes: [{ keys: [{ expression: key('email') }], unique: true }],
      foreignKeys: [
        { columns: ['parent'], referencedTable: 'accounts', referencedColumns: ['id'] },
      ],
    },
  )
  const members = table(
    'team members',
    [column('a b', { kind: 'int32' }), column('c', { kind: 'int32' })],
    {
      primaryKey: ['c', 'a b'],
    },
  )
  return [every, accounts, members]
}

/** Two tables that refer to each other. */
const circle: readonly TableDefinition[] = [
  ['chicken', 'egg'],
  ['egg', 'chicken'],
].map(([name, other]) =>
  table(
    name!,
    [column('id', { kind: 'integer' }), column('other', { kind: 'integer' }, { nullable: true })],
    {
      primaryKey: ['id'],
      foreignKeys: [{ columns: ['other'], referencedTable: other!, referencedColumns: ['id'] }],
    },
  ),
)

/** Names that mean something to TypeScript, to Drizzle, or to what is generated. */
function namesOfTypeScript(engine: EngineName): readonly TableDefinition[] {
  const names = [
    'index',
    'text',
    'table',
    'Index',
    'class',
    'class-',
    'Class',
    'Database',
    'DatabaseTable',
    'Generated',
    'Json',
    'json',
    '1st',
    '__proto__',
    'constructor',
    'sql',
    "a'b\\c`${d}",
    'Object',
    'order_items',
    'order items',
    'orderItems',
  ]
  const differ = names.filter(
    (name, at) =>
      engine === 'postgresql' ||
      names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === at,
  )
  return differ.map((name) =>
    table(
      name,
      [
        '_',
        '$inferSelect',
        'getSQL',
        '__proto__',
        'constructor',
        '1',
        "a'b\\c`${d}",
        'enableRLS',
        'x y',
        'default',
        'Buffer',
      ].map((each) => column(each, { kind: 'int32' })),
      {
        description: "*/ } `${x}` \u2028 // '\n*/",
        indexes: [
          {
            keys: [{ expression: key('__proto__') }, { expression: key('1'), direction: 'desc' }],
            unique: false,
          },
        ],
      },
    ),
  )
}
