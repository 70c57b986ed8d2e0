import { introspect } from '@keelson/duckdb/kysely'
import {
  sql,
  type KyselyPlugin,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryResult,
  type RootOperationNode,
  type UnknownRow,
} from 'kysely'
import { Migrator } from 'kysely/migration'
import { expect, test } from 'vitest'
import { file, kysely, kyselyWithTables, recorder } from './fixture.ts'

test('db.introspection lists schemas, tables and views of the current database, and their columns', async () => {
  const db = await kyselyWithTables()
  for (const statement of [
    sql`create schema "other ""one"`,
    sql`create table "other ""one"."a, b" ("x y" decimal(10, 2), g int generated always as (1 + 1))`,
    sql`create view adult as select id, name as "full name" from person where age >= 18`,
    sql`comment on column person.age is 'in years'`,
    sql`attach ':memory:' as side`,
    sql`create table side.elsewhere (id integer)`,
  ])
    await statement.execute(db)

  expect(await db.introspection.getSchemas()).toEqual([{ name: 'main' }, { name: 'other "one' }])
  const column = (name: string, dataType: string, rest: object = {}) => ({
    name,
    dataType,
    isNullable: true,
    isAutoIncrementing: false,
    hasDefaultValue: false,
    ...rest,
  })
  const table = (name: string, columns: object[], rest: object = {}) => ({
    name,
    schema: 'main',
    isView: false,
    isForeign: false,
    columns,
    ...rest,
  })
  const number = { isNullable: false, isAutoIncrementing: true, hasDefaultValue: true }
  const main = [
    table('adult', [column('id', 'INTEGER'), column('full name', 'VARCHAR')], { isView: true }),
    table('person', [
      column('id', 'INTEGER', number),
      column('name', 'VARCHAR', { isNullable: false }),
      column('age', 'INTEGER', { comment: 'in years' }),
    ]),
    table('pet', [
      column('id', 'INTEGER', number),
      column('name', 'VARCHAR', { isNullable: false }),
      column('owner_id', 'INTEGER', { isNullable: false }),
    ]),
  ]
  const other = table(
    'a, b',
    [column('x y', 'DECIMAL(10,2)'), column('g', 'INTEGER', { hasDefaultValue: true })],
    { schema: 'other "one' },
  )
  expect(await db.introspection.getTables()).toEqual([...main, other])

  await db.connection().execute(async (connection) => {
    await sql`create temp table scratch (id integer)`.execute(connection)
    expect(await connection.introspection.getTables()).toHaveLength(4)
    await sql`use SIDE`.execute(connection)
    expect((await connection.introspection.getTables()).map(({ name }) => name)).toEqual([
      'elsewhere',
    ])
    expect(await connection.introspection.getSchemas()).toEqual([{ name: 'main' }])
  })
})

test("db.introspection hides the migrator's tables unless it is asked for them", async () => {
  const db = await kyselyWithTables()
  const provider = { getMigrations: async () => ({ first: { up: async () => {} } }) }
  await new Migrator({ db, provider }).migrateToLatest()
  const names = async (options?: { withInternalKyselyTables: boolean }) =>
    (await db.introspection.getTables(options)).map(({ name }) => name)
  expect(await names()).toEqual(['person', 'pet'])
  expect(await names({ withInternalKyselyTables: true })).toEqual([
    'kysely_migration',
    'kysely_migration_lock',
    'person',
    'pet',
  ])
})

test('introspect() reads primary keys, foreign keys, uniques and indexes', async () => {
  const db = await kyselyWithTables({ path: file(), int64: 'string', json: 'string' })
  await sql`create index pet_owner on pet (owner_id, lower(name))`.execute(db)
  const { tables } = await introspect(db)
  expect(tables.map(({ name }) => name)).toEqual(['person', 'pet'])
  const [person, pet] = tables
  expect(person).toMatchObject({
    schema: 'main',
    primaryKey: { columns: ['id'] },
    uniques: [{ columns: ['name'] }],
    columns: [{ name: 'id', autoIncrement: true }, {}, { name: 'age', nullable: true }],
  })
  expect(pet?.foreignKeys).toMatchObject([
    { columns: ['owner_id'], referencedTable: 'person', referencedColumns: ['id'] },
  ])
  expect(pet?.indexes).toMatchObject([
    { origin: 'primaryKey' },
    {
      name: 'pet_owner',
      unique: false,
      columns: [{ name: 'owner_id' }, { expression: 'lower("name")' }],
    },
  ])
  expect((await introspect(db, { tables: ['PET'] })).tables).toEqual([pet])
  await expect(introspect(db, { schema: 'mian' })).rejects.toThrow('"mian" as `schema`')
})

test('introspect() reads one moment of the schema, in one read-only transaction', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: file() }, { log })
  lines.length = 0
  await db.transaction().execute(async () => {
    expect((await introspect(db)).tables).toHaveLength(2)
  })
  expect(lines.map((line) => /^\w+( transaction read only| transaction)?/.exec(line)?.[0])).toEqual(
    [
      'begin transaction',
      'begin transaction read only',
      'select',
      'select',
      'select',
      'select',
      'commit',
      'commit',
    ],
  )
})

test('introspect() sees nothing of a change that comes between its statements', async () => {
  let statements = 0
  const db = await kyselyWithTables(
    { path: file() },
    {
      log: async ({ query }) => {
        if (!query.sql.startsWith('select table_name') || ++statements !== 1) return
        await other.schema.dropTable('pet').execute()
        await other.schema.createTable('late').addColumn('id', 'integer').execute()
      },
    },
  )
  const other = db.withoutPlugins()
  const { tables } = await introspect(db)
  expect(tables.map(({ name, columns }) => [name, columns.length])).toEqual([
    ['person', 3],
    ['pet', 3],
  ])
  expect((await introspect(db)).tables.map(({ name }) => name)).toEqual(['person', 'late'])
})

test('introspect() on a transaction sees what the transaction changed', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async (trx) => {
    await trx.schema.dropTable('pet').execute()
    expect((await introspect(trx)).tables.map(({ name }) => name)).toEqual(['person'])
  })
})

test('introspect() reads temporary and attached databases, and ignores plugins', async () => {
  const db = kysely({ path: file() }, { plugins: [new NoRowsPlugin()] })
  await sql`attach ':memory:' as side`.execute(db)
  await sql`create table side.my_other (some_id integer primary key)`.execute(db)
  await db.connection().execute(async (connection) => {
    await sql`create temp table my_scratch (some_id integer primary key)`.execute(connection)
    const of = async (database?: string) =>
      (await introspect(connection, database === undefined ? {} : { database })).tables.map(
        ({ name, columns }) => [name, columns[0]?.name],
      )
    expect(await of('temp')).toEqual([['my_scratch', 'some_id']])
    expect(await of('side')).toEqual([['my_other', 'some_id']])
    expect(await of()).toEqual([])
  })
})

class NoRowsPlugin implements KyselyPlugin {
  transformQuery({ node }: PluginTransformQueryArgs): RootOperationNode {
    return node
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return { ...result, rows: [] }
  }
}
