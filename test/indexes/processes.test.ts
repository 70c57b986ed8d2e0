import { revertPlan, type SchemaPlan } from '@keelson/indexes'
import { applyPlan, diffSchema, ensureTables, introspect } from '@keelson/indexes/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { type Dialect, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { startProgram } from '../support/program.ts'
import { record, runs } from '../support/runs.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { rowsOf } from './rows-of.ts'
import { largeTables, numberedTables, users } from './tables.ts'

/** A place where several processes can have one database. */
interface Place {
  readonly engine: 'sqlite' | 'postgresql'
  readonly place: string
  readonly db: Kysely<any>
}

async function sqlite(): Promise<Place> {
  const place = temporaryFile()
  return { engine: 'sqlite', place, db: opened(new SqliteDialect({ path: place })) }
}

async function postgresql(): Promise<Place> {
  const place = await (await postgres()).createDatabase()
  const pool = new Pool({ connectionString: place, max: 2 })
  return { engine: 'postgresql', place, db: opened(new PostgresDialect({ pool })) }
}

function opened(dialect: Dialect): Kysely<any> {
  const db = new Kysely<any>({ dialect })
  onTestFinished(() => db.destroy())
  return db
}

const places = [
  ['SQLite', sqlite],
  ['PostgreSQL', postgresql],
] as const

const ensuring = new URL('programs/ensuring.ts', import.meta.url)
const applying = new URL('programs/applying.ts', import.meta.url)

describe.each(places)('processes on %s', (name, open) => {
  it('make sure of the same tables at once, without an error and once each', async () => {
    const { engine, place, db } = await open()
    const [processes, calls, count] = [runs(3, 8), runs(10, 100), 5]
    const programs = Array.from({ length: processes }, () =>
      startProgram(ensuring, engine, place, String(calls), String(count)),
    )
    for (const program of programs) expect(await program.line()).toBe('ready')
    for (const program of programs) program.say('go')
    for (const program of programs) {
      expect(await program.line()).toBeUndefined()
      expect(await program.end()).toEqual({ code: 0, stderr: '' })
    }
    expect((await diffSchema(db, numberedTables(count))).steps).toEqual([])
    expect(await introspect(db)).toHaveLength(count)
    record('indexes-processes', { [`${name} ensureTables`]: processes * calls })
  })

  const ways = engineWays(name)
  it.each(ways)('converge when they are killed while they apply%s', async (_, how) => {
    const { engine, place, db } = await open()
    await ensureTables(db, [users()])
    await fill(db, engine, runs(20_000, 200_000))
    const kills = runs(2, 30)
    for (let kill = 0; kill < kills; kill++) {
      const program = startProgram(applying, engine, place, how)
      const plan = JSON.parse((await program.line()) ?? 'null') as SchemaPlan | null
      expect(plan).not.toBeNull()
      const after = Math.floor(Math.random() * 2 * plan!.steps.length)
      for (let lines = 0; lines < after; lines++) await program.line()
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
      await program.kill()
      // The server goes on with what a client that is gone has asked for; the lock waits for that.
      await applyPlan(db, plan!, { lockTimeoutMs: 60_000 })
      expect((await diffSchema(db, largeTables())).steps).toEqual([])
      const [indexes] = await rowsOf(db, invalid[engine])
      expect(Number(indexes?.['n'])).toBe(0)
      await applyPlan(
        db,
        revertPlan({ ...plan!, steps: plan!.steps.map((step) => ({ ...step })) }),
        {
          allowDrop: true,
        },
      )
    }
    record('indexes-processes', { [`${name} killed ${how}`.trimEnd()]: kills })
  })
})

function engineWays(name: string): readonly (readonly [string, string])[] {
  return name === 'SQLite'
    ? [['', '']]
    : [
        ['', ''],
        [' and create indexes concurrently', 'concurrently'],
      ]
}

const invalid = {
  sqlite: `select 0 as n`,
  postgresql: 'select count(*) as n from pg_index where not indisvalid',
} as const

async function fill(db: Kysely<any>, engine: Place['engine'], rows: number): Promise<void> {
  const numbers =
    engine === 'sqlite'
      ? `(with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows}) select i from n)`
      : `generate_series(1, ${rows}) as n(i)`
  await rowsOf(
    db,
    `insert into users (id, email, name, age) select i, 'a' || i, 'b' || i, i from ${numbers}`,
  )
}

describe('connections on DuckDB', () => {
  it('make sure of the same tables at once, without an error and once each', async () => {
    const path = temporaryFile('app.duckdb')
    const connections = Array.from({ length: 8 }, () => opened(new DuckDBDialect({ path })))
    const calls = runs(10, 100)
    const tables = numberedTables(5)
    await Promise.all(
      connections.map(async (db) => {
        for (let call = 0; call < calls; call++)
          await ensureTables(db, [tables[call % tables.length]!], { refresh: true })
      }),
    )
    expect((await diffSchema(connections[0]!, tables)).steps).toEqual([])
    expect(await introspect(connections[0]!)).toHaveLength(tables.length)
    record('indexes-processes', { 'DuckDB ensureTables': 8 * calls })
  })
})
