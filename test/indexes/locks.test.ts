import { applyPlan as applyOnDrizzle, diffSchema as diffOnDrizzle } from '@keelson/indexes/drizzle'
import { applyPlan, diffSchema, ensureTables } from '@keelson/indexes/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect as KeelsonSqliteDialect } from '@keelson/sqlite/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { Kysely, PostgresDialect, SqliteDialect } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { rowsOf } from './rows-of.ts'
import { databases } from './schema-databases.ts'
import { adding, altering, index, unique, users } from './tables.ts'

const onPostgresql = Object.keys(databases).filter((name) =>
  /^(pg|postgres\.js|PGlite) /.test(name),
)

const mandatoryAge = { name: 'age', type: { kind: 'int32' }, nullable: false } as const

describe('on PostgreSQL', () => {
  async function connect(max = 3): Promise<{ readonly db: Kysely<any>; readonly pool: Pool }> {
    const pool = new Pool({ connectionString: await (await postgres()).createDatabase(), max })
    const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
    onTestFinished(() => db.destroy())
    return { db, pool }
  }

  const key = 'select pg_advisory_lock(30229308793646958)'

  it('waits for whoever has the lock, and no longer than it was told', async () => {
    const { db, pool } = await connect()
    const holder = await pool.connect()
    onTestFinished(() => holder.release(true))
    await holder.query(key)
    const plan = await diffSchema(db, [users()])
    await expect(applyPlan(db, plan, { lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'SCHEMA_LOCK_TIMEOUT',
    })
    await holder.query('select pg_advisory_unlock_all()')
    await applyPlan(db, plan, { lockTimeoutMs: 50 })
    // The same for the lock on a table.
    await holder.query('begin; lock table users in share mode')
    const altered = await diffSchema(db, [
      adding(users(), { name: 'note', type: { kind: 'string' }, nullable: true }),
    ])
    await expect(applyPlan(db, altered, { lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'SCHEMA_LOCK_TIMEOUT',
      cause: { code: '55P03' },
    })
    await holder.query('rollback')
  })

  it('leaves the lock_timeout of a transaction that it joins, and of a connection', async () => {
    const database = await databases['pg under Kysely']!()
    const timeout = async (db: any): Promise<unknown> =>
      (await rowsOf(db, 'show lock_timeout'))[0]?.['lock_timeout']
    await database.db.transaction().execute(async (tx: any) => {
      await rowsOf(tx, `set local lock_timeout = '1234ms'`)
      await ensureTables(tx, [users()], { inTransaction: 'join' })
      expect(await timeout(tx)).toBe('1234ms')
    })
    await database.db.connection().execute(async (db: any) => {
      await rowsOf(db, `set lock_timeout = '1234ms'`)
      const plan = await diffSchema(db, [users({ indexes: [index('age')] })])
      await applyPlan(db, plan, { concurrently: true })
      expect(await timeout(db)).toBe('1234ms')
    })
  })

  it('does not wait so that a concurrent build would wait for it', async () => {
    const { db } = await connect(12)
    await ensureTables(db, [users()])
    await rowsOf(
      db,
      `insert into users (id, email, name, age) select i, 'a' || i, 'b' || i, i from generate_series(1, 20000) as n(i)`,
    )
    const tables = [users({ indexes: [index('age'), index('name'), index('email')] })]
    const plan = await diffSchema(db, tables, { concurrently: true })
    const reports = await Promise.all([
      ...Array.from({ length: 4 }, () => applyPlan(db, plan)),
      ensureTables(db, [{ ...users(), name: 'others' }]),
    ])
    expect(reports.reduce((sum, report) => sum + (report?.applied ?? 0), 0)).toBe(3)
  })

  it('waits for it with indexes that are created concurrently, too, and gives it back', async () => {
    const { db, pool } = await connect()
    await ensureTables(db, [users()])
    const holder = await pool.connect()
    onTestFinished(() => holder.release(true))
    await holder.query(key)
    const plan = await diffSchema(db, [users({ indexes: [index('age')] })], { concurrently: true })
    expect(plan.steps).toMatchObject([{ kind: 'createIndex', transactional: false }])
    expect(plan.steps[0]!.sql[0]).toMatch(/^create index concurrently /)
    await expect(applyPlan(db, plan, { lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'SCHEMA_LOCK_TIMEOUT',
    })
    await holder.query('select pg_advisory_unlock_all()')
    await applyPlan(db, plan)
    expect(
      await rowsOf(
        db,
        `select count(*)::int as n from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      ),
    ).toEqual([{ n: 0 }])
    const settings = await Promise.all(
      Array.from({ length: 2 }, () => pool.query('show lock_timeout')),
    )
    expect(settings.map(({ rows }) => rows[0].lock_timeout)).toEqual(['0', '0'])
  })

  it('builds an index anew that a build has left unfinished', async () => {
    const { db } = await connect()
    await ensureTables(db, [users()])
    await rowsOf(db, `insert into users (id, email) values (1, 'twice'), (2, 'twice')`)
    const tables = [users({ indexes: [unique('email')] })]
    const plan = await diffSchema(db, tables, { concurrently: true })
    const [sql] = plan.steps[0]!.sql
    await expect(rowsOf(db, sql!)).rejects.toMatchObject({ code: '23505' })
    const unfinished = 'select count(*)::int as n from pg_index where not indisvalid'
    expect(await rowsOf(db, unfinished)).toEqual([{ n: 1 }])
    await expect(applyPlan(db, plan)).rejects.toMatchObject({ code: 'ROWS_IN_THE_WAY' })
    await rowsOf(db, 'delete from users where id = 2')
    // It is none for a plan that is made now, either.
    expect((await diffSchema(db, tables)).fingerprint).toBe(plan.fingerprint)
    await applyPlan(db, plan)
    expect(await rowsOf(db, unfinished)).toEqual([{ n: 0 }])
    expect((await diffSchema(db, tables)).steps).toEqual([])
  })

  it('goes on where a plan was interrupted whose steps are in no transaction', async () => {
    const { db } = await connect()
    await ensureTables(db, [users()])
    const tables = [users({ indexes: [index('age'), index('name'), index('email')] })]
    const plan = await diffSchema(db, tables, { concurrently: true })
    const stopped = applyPlan(db, plan, {
      onProgress: ({ index: at, state }) => {
        if (at === 1 && state === 'started') throw new Error('stopped')
      },
    })
    await expect(stopped).rejects.toThrow('stopped')
    expect(await applyPlan(db, plan)).toMatchObject({ applied: 2, skipped: 1 })
    expect((await diffSchema(db, tables)).steps).toEqual([])
  })

  it.each(onPostgresql)('creates indexes concurrently on %s', async (name) => {
    const database = await databases[name]!()
    await database.ensureTables([users()])
    const tables = [users({ indexes: [index('age')] })]
    const plan = await database.diffSchema(tables)
    const report = await database.applyPlan(plan, { concurrently: true })
    expect(report.steps).toMatchObject([{ step: { transactional: false } }])
    expect((await database.diffSchema(tables)).steps).toEqual([])
  })

  it.each(onPostgresql)(
    'alters a table and creates indexes concurrently in one plan on %s',
    async (name) => {
      const database = await databases[name]!()
      await database.ensureTables([users()])
      const note = { name: 'note', type: { kind: 'string' }, nullable: true } as const
      const tables = [adding(users({ indexes: [index('age'), unique('email')] }), note)]
      const plan = await database.diffSchema(tables, { concurrently: true })
      expect(plan.steps.map(({ transactional }) => transactional)).toEqual([true, false, false])
      expect(await database.applyPlan(plan, { lockTimeoutMs: 5_000 })).toMatchObject({ applied: 3 })
      expect((await database.diffSchema(tables)).steps).toEqual([])
    },
  )

  it.each(onPostgresql)(
    'leaves no transaction on the connection of a plan that fails on %s',
    async (name) => {
      const database = await databases[name]!()
      await database.ensureTables([users()])
      await database.sql(`insert into users (id, email) values (1, 'a@b.c')`)
      const note = { name: 'note', type: { kind: 'string' }, nullable: true } as const
      const tables = [adding(altering(users({ indexes: [index('age')] }), mandatoryAge), note)]
      const plan = await database.diffSchema(tables, { concurrently: true })
      await expect(database.applyPlan(plan)).rejects.toMatchObject({ code: 'ROWS_IN_THE_WAY' })
      expect(
        await database.sql(
          `select pid from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
        ),
      ).toEqual([])
      expect((await database.diffSchema([users()])).steps).toEqual([])
      await database.sql('update users set age = 1')
      await database.applyPlan(plan)
      expect((await database.diffSchema(tables)).steps).toEqual([])
    },
  )

  it('sees what was committed while it waited, whatever the isolation of the database', async () => {
    const { db } = await connect(6)
    const [row] = await rowsOf(db, 'select current_database() as name')
    await rowsOf(
      db,
      `alter database "${String(row?.['name'])}" set default_transaction_isolation = 'repeatable read'`,
    )
    const tables = [users({ indexes: [index('age')] })]
    const plan = await diffSchema(db, tables)
    const reports = await Promise.all(Array.from({ length: 5 }, () => applyPlan(db, plan)))
    expect(reports.reduce((sum, { applied }) => sum + applied, 0)).toBe(2)
  })
})

describe('on SQLite', () => {
  const open: Readonly<Record<string, (path: string) => readonly [any, 'kysely' | 'drizzle']>> = {
    "Kysely's own dialect": (path) => {
      const db = new Kysely<any>({
        dialect: new SqliteDialect({ database: new BetterSqlite3(path) }),
      })
      onTestFinished(() => db.destroy())
      return [db, 'kysely']
    },
    "Keelson's dialect": (path) => {
      const db = new Kysely<any>({ dialect: new KeelsonSqliteDialect({ path }) })
      onTestFinished(() => db.destroy())
      return [db, 'kysely']
    },
    'better-sqlite3 under Drizzle': (path) => {
      const client = new BetterSqlite3(path)
      onTestFinished(() => void client.close())
      return [drizzle(client), 'drizzle']
    },
  }

  it.each(Object.entries(open))(
    'has the lock on the file before it looks, under %s',
    async (_, connect) => {
      const path = temporaryFile()
      const [db, orm] = connect(path)
      const other = new BetterSqlite3(path, { timeout: 0 })
      onTestFinished(() => void other.close())
      const [diff, apply] =
        orm === 'kysely' ? [diffSchema, applyPlan] : [diffOnDrizzle, applyOnDrizzle]
      const plan = await diff(db, [users()])
      let others: unknown
      await apply(db, plan, {
        onProgress: ({ state }) => {
          if (state !== 'started') return
          try {
            other.exec('begin immediate')
          } catch (error) {
            others = error
          }
        },
      })
      expect(others).toMatchObject({ code: 'SQLITE_BUSY' })
    },
  )
})

describe('on DuckDB', () => {
  it('takes turns among all that have the file open', async () => {
    const path = temporaryFile('app.duckdb')
    const connect = (): Kysely<any> => {
      const db = new Kysely<any>({ dialect: new DuckDBDialect({ path }) })
      onTestFinished(() => db.destroy())
      return db
    }
    const [one, other] = [connect(), connect()]
    const plan = await diffSchema(one, [users({ indexes: [] })])
    let waited: unknown
    await applyPlan(one, plan, {
      onProgress: ({ state }) => {
        if (state === 'started')
          waited = applyPlan(other, plan, { lockTimeoutMs: 0 }).catch((error: unknown) => error)
      },
    })
    const result = await waited
    // It was told in time, or came when the first was done.
    expect([{ code: 'SCHEMA_LOCK_TIMEOUT' }, { skipped: 1 }]).toContainEqual(
      'skipped' in (result as object)
        ? { skipped: (result as { skipped: number }).skipped }
        : { code: (result as { code: string }).code },
    )
  })
})
