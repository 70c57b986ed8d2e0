import type { AdvisorWorkload, IndexAdvice } from '@keelson/indexes'
import * as drizzleIndexes from '@keelson/indexes/drizzle'
import { adviseIndexes, applyAdvice, introspect } from '@keelson/indexes/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { CompiledQuery, type Dialect, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'

const workload: AdvisorWorkload = {
  v: 1,
  queries: ['email', 'kind', 'place'].map((column) => ({
    text: `select * from "orders" where "${column}" = ?`,
    calls: 500,
  })),
}

const columns =
  'id integer primary key, email varchar(40) not null, kind integer not null, place integer not null'
const values = `i, 'u' || ((i * 7919) % 9000), (i * 48271) % 3001, (i * 7) % 4001`

/** A place that several connections have at once: each with a pool, or a handle on the file, of its own. */
const places = {
  SQLite: async () => {
    const path = temporaryFile()
    const series = `with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
      insert into orders select ${values} from n`
    return { series, dialect: (): Dialect => new SqliteDialect({ path, busyTimeoutMs: 0 }) }
  },
  PostgreSQL: async () => {
    const connectionString = await (await postgres()).createDatabase()
    const series = `insert into orders select ${values} from generate_series(1, 20000) n (i)`
    const dialect = (): Dialect => new PostgresDialect({ pool: new Pool({ connectionString }) })
    return { series, dialect }
  },
}

function opened(dialect: Dialect): Kysely<any> {
  const db = new Kysely<any>({ dialect })
  onTestFinished(() => db.destroy())
  return db
}

async function indexesOf(db: Kysely<any>): Promise<readonly string[]> {
  const [table] = await introspect(db, { tables: ['orders'] })
  return table!.indexes.map(({ name = '' }) => name).toSorted()
}

describe.each(Object.entries(places))('applyAdvice() on %s', (_, place) => {
  async function advised(): Promise<{
    dialect: () => Dialect
    db: Kysely<any>
    advice: IndexAdvice
    names: readonly string[]
  }> {
    const { series, dialect } = await place()
    const db = opened(dialect())
    await db.executeQuery(CompiledQuery.raw(`create table orders (${columns})`))
    await db.executeQuery(CompiledQuery.raw(series))
    const advice = await adviseIndexes(db, workload, { whatIf: 'rules' })
    expect(advice.proposals).toHaveLength(3)
    return {
      dialect,
      db,
      advice,
      names: advice.proposals.map(({ index }) => index.name).toSorted(),
    }
  }

  test('creates each index once, whoever applies the same advice at the same time', async () => {
    const { dialect, db, advice, names } = await advised()
    const others = Array.from({ length: 4 }, () => opened(dialect()))
    await Promise.all(others.map((other) => applyAdvice(other, advice)))
    expect(await indexesOf(db)).toEqual(names)
  })

  test('waits for whoever changes the schema, and tells who has waited for too long', async () => {
    const { dialect, db, advice, names } = await advised()
    const other = opened(dialect())
    let applied: Promise<void> | undefined
    await db.transaction().execute(async (trx) => {
      await applyAdvice(trx, { ...advice, sql: advice.sql.slice(0, 1) })
      const error = await rejection(applyAdvice(other, advice, { lockTimeoutMs: 50 }))
      expect(error).toMatchObject({
        code: 'SCHEMA_LOCK_TIMEOUT',
        message: expect.stringMatching(/^applyAdvice\(\) waited \d+ ms for the lock/),
      })
      applied = applyAdvice(other, advice)
    })
    await applied
    expect(await indexesOf(db)).toEqual(names)
  })

  test('creates all of them or none', async () => {
    const { db, advice } = await advised()
    const broken = { ...advice, sql: [...advice.sql, 'create index x on nothing (id)'] }
    await expect(applyAdvice(db, broken)).rejects.toThrow('nothing')
    expect(await indexesOf(db)).toEqual([])
  })

  test('refuses what it does not know, and advice for another engine', async () => {
    const { db, advice } = await advised()
    await expect(applyAdvice(db, advice, { timeout: 1 } as never)).rejects.toMatchObject({
      code: 'UNKNOWN_OPTION',
    })
    await expect(applyAdvice(db, { ...advice, engine: 'duckdb' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('Nothing was done.'),
    })
  })
})

test('applies advice over a driver that is synchronous, and on DuckDB', async () => {
  const client = new Database(':memory:')
  onTestFinished(() => void client.close())
  client.exec(`create table orders (${columns});
    with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
      insert into orders select ${values} from n`)
  const db = drizzle(client)
  const advice = await drizzleIndexes.adviseIndexes(db, workload)
  await drizzleIndexes.applyAdvice(db, advice)
  await drizzleIndexes.applyAdvice(db, advice)
  const [table] = await drizzleIndexes.introspect(db)
  expect(table!.indexes).toHaveLength(3)

  const duck = opened(new DuckDBDialect({ path: ':memory:' }))
  await duck.executeQuery(CompiledQuery.raw(`create table orders (${columns})`))
  await duck.executeQuery(
    CompiledQuery.raw(
      `insert into orders select i, 'u' || ((i * 7919) % 100003), i, i from range(200000) n (i)`,
    ),
  )
  const found = await adviseIndexes(duck, workload)
  await Promise.all([applyAdvice(duck, found), applyAdvice(duck, found)])
  expect(await indexesOf(duck)).toEqual(found.proposals.map(({ index }) => index.name))
  expect(found.proposals).toHaveLength(1)
})
