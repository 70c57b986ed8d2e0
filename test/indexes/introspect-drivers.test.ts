import { openDuckDB } from '@keelson/duckdb'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import {
  canonicalTable,
  createIndexSql,
  createTableSql,
  type TableDefinition,
} from '@keelson/indexes'
import { introspect as introspectDrizzle } from '@keelson/indexes/drizzle'
import { applyPlan, diffSchema, ensureTables, introspect } from '@keelson/indexes/kysely'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle as betterSqliteDrizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as postgresDrizzle } from 'drizzle-orm/node-postgres'
import { CamelCasePlugin, Kysely, MysqlDialect, SqliteDialect } from 'kysely'
import { Pool } from 'pg'
import { expect, it } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { rejection } from '../support/rejection.ts'
import { type LiveEngine, run, tableOf } from './fixture.ts'

const table: TableDefinition = {
  ...tableOf('some_table', {
    some_id: { kind: 'bigint' },
    some_name: { kind: 'string', maxLength: 10 },
    tags: { kind: 'array', of: { kind: 'enum', values: ['a', 'b'] } },
  }),
  primaryKey: ['some_id'],
  indexes: [{ keys: [{ expression: { kind: 'column', name: 'some_name' } }], unique: true }],
}

function creating(engine: LiveEngine): readonly string[] {
  return [
    ...createTableSql(table, engine),
    ...table.indexes.map((index) => createIndexSql(table, index, engine)),
  ]
}

it("reads tables through Kysely's own dialect, and past its plugins", async () => {
  const db = new Kysely<any>({
    dialect: new SqliteDialect({ database: new Database(':memory:') }),
    plugins: [new CamelCasePlugin()],
  })
  await run(db, ...creating('sqlite'))
  expect(await introspect(db)).toEqual([canonicalTable(table, 'sqlite')])
  expect(await introspect(db, { tables: ['missing'] })).toEqual([])
  await db.destroy()
})

it('reads tables through Drizzle on better-sqlite3, which is synchronous', async () => {
  const client = new Database(':memory:')
  for (const statement of creating('sqlite')) client.exec(statement)
  expect(await introspectDrizzle(betterSqliteDrizzle(client))).toEqual([
    canonicalTable(table, 'sqlite'),
  ])
  client.close()
})

it('reads tables through Drizzle on @keelson/sqlite', async () => {
  const db = sqliteDrizzle(':memory:')
  for (const statement of creating('sqlite')) await db.run(sql.raw(statement))
  expect(await introspectDrizzle(db)).toEqual([canonicalTable(table, 'sqlite')])
  await db.$client.close()
})

it('reads tables through Drizzle on @keelson/duckdb', async () => {
  const client = await openDuckDB(':memory:')
  const db = duckdbDrizzle({ client })
  for (const statement of creating('duckdb')) await db.execute(sql.raw(statement))
  expect(await introspectDrizzle(db)).toEqual([canonicalTable(table, 'duckdb')])
  await client.close()
})

it('reads tables through Drizzle on node-postgres, in a schema of their own too', async () => {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase() })
  const db = postgresDrizzle(pool)
  for (const statement of creating('postgresql')) await db.execute(sql.raw(statement))
  expect(await introspectDrizzle(db)).toEqual([canonicalTable(table, 'postgresql')])
  await pool.query('create schema other')
  const inOther = { ...table, schema: 'other' }
  await pool.query(createTableSql(inOther, 'postgresql').join(';'))
  await pool.query(createIndexSql(inOther, inOther.indexes[0]!, 'postgresql'))
  expect(await introspectDrizzle(db, { schema: 'other' })).toEqual([
    canonicalTable(inOther, 'postgresql'),
  ])
  await pool.end()
})

it('refuses a database whose tables it cannot read', async () => {
  const db = new Kysely<any>({ dialect: new MysqlDialect({ pool: async () => Promise.reject() }) })
  await expect(introspect(db)).rejects.toThrow(/Cannot read the tables of mysql/)
})

it('makes no plan for MySQL, and says what does work there, before anything is sent', async () => {
  let connections = 0
  const pool = async (): Promise<never> => {
    connections++
    throw new Error('no server')
  }
  const db = new Kysely<any>({ dialect: new MysqlDialect({ pool }) })
  const plan = {
    v: 1,
    engine: 'mysql',
    fingerprint: '',
    tables: [],
    steps: [],
    refused: [],
    unmanaged: [],
  } as const
  const calls = {
    'diffSchema()': diffSchema(db, [table]),
    'ensureTables()': ensureTables(db, [table]),
    'applyPlan()': applyPlan(db, plan),
  }
  for (const [where, call] of Object.entries(calls)) {
    const error = await rejection(call)
    expect(error).toMatchObject({ code: 'UNSUPPORTED_BY_ENGINE', engine: 'mysql' })
    expect(error.message).toBe(
      `${where} cannot compare a database of mysql with definitions: its tables are not read. Write their SQL with ` +
        'generateSchema(), and apply it as migrations with migrateSafely(), both of which know MySQL. Nothing was sent.',
    )
  }
  expect(connections).toBe(0)
})
