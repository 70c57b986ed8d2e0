import { introspect } from '@keelson/sqlite/kysely'
import Database from 'better-sqlite3'
import {
  Kysely,
  SqliteDialect as KyselySqliteDialect,
  sql,
  type KyselyPlugin,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryResult,
  type RootOperationNode,
  type UnknownRow,
} from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { kysely, kyselyWithTables, recorder, temporaryFile } from './fixture.ts'

test("db.introspection answers exactly as with Kysely's own dialect", async () => {
  const path = temporaryFile()
  const db = await kyselyWithTables({ path })
  await sql`create view adult as select * from person where age >= 18`.execute(db)
  await sql`create table counter (n integer primary key autoincrement, note text default 'none')`.execute(
    db,
  )
  const theirs = new Kysely<any>({
    dialect: new KyselySqliteDialect({ database: new Database(path) }),
  })
  onTestFinished(() => theirs.destroy())
  for (const options of [undefined, { withInternalKyselyTables: true }]) {
    const tables = await db.introspection.getTables(options)
    expect(tables).toEqual(await theirs.introspection.getTables(options))
    expect(tables.map(({ name, isView }) => [name, isView])).toEqual([
      ['adult', true],
      ['counter', false],
      ['person', false],
      ['pet', false],
    ])
  }
  expect(await db.introspection.getSchemas()).toEqual([])
})

test('introspect() reads primary keys, foreign keys, uniques and indexes', async () => {
  for (const config of [{ path: temporaryFile() }, { path: ':memory:' }]) {
    const db = await kyselyWithTables({ ...config, int64: 'string' })
    await sql`create index pet_owner on pet (owner_id desc) where name <> ''`.execute(db)
    const { tables } = await introspect(db)
    expect(tables.map(({ name }) => name)).toEqual(['person', 'pet'])
    const [person, pet] = tables
    expect(person).toMatchObject({
      primaryKey: { columns: ['id'] },
      uniques: [{ columns: ['name'] }],
    })
    expect(pet?.foreignKeys).toMatchObject([
      {
        columns: ['owner_id'],
        referencedTable: 'person',
        referencedColumns: ['id'],
        onDelete: 'cascade',
      },
    ])
    expect(pet?.indexes).toMatchObject([
      {
        name: 'pet_owner',
        unique: false,
        partial: "name <> ''",
        columns: [{ name: 'owner_id', descending: true }],
      },
    ])
    expect((await introspect(db, { tables: ['PET'] })).tables).toEqual([pet])
  }
})

test('introspect() reads one moment of the schema and keeps no writer waiting', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: temporaryFile() }, { log })
  lines.length = 0
  await db.transaction().execute(async () => {
    expect((await introspect(db)).tables).toHaveLength(2)
  })
  expect(lines.filter((line) => !line.startsWith('select'))).toEqual([
    'begin immediate',
    'begin deferred',
    'commit',
    'commit',
  ])
})

test('introspect() on a transaction sees what the transaction changed', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async (trx) => {
    await trx.schema.dropTable('pet').execute()
    expect((await introspect(trx)).tables.map(({ name }) => name)).toEqual(['person'])
  })
})

test('introspect() reads temporary and attached schemas, and ignores plugins', async () => {
  const db = kysely({ path: temporaryFile() }, { plugins: [new NoRowsPlugin()] })
  await sql`create temporary table my_scratch (some_id integer primary key)`.execute(db)
  await sql`attach ':memory:' as side`.execute(db)
  await sql`create table side.my_other (some_id integer primary key)`.execute(db)
  const of = async (schema: string) =>
    (await introspect(db, { schema })).tables.map(({ name, columns }) => [name, columns[0]?.name])
  expect(await of('temp')).toEqual([['my_scratch', 'some_id']])
  expect(await of('side')).toEqual([['my_other', 'some_id']])
  expect(await of('main')).toEqual([])
})

class NoRowsPlugin implements KyselyPlugin {
  transformQuery({ node }: PluginTransformQueryArgs): RootOperationNode {
    return node
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return { ...result, rows: [] }
  }
}
