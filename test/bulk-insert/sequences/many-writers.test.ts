/** Many write one counter and the same streams at once: nothing is missing, twice, or out of order. */
import { createEventTables, createSequenceTable } from '@keelson/bulk-insert/kysely'
import { openDuckDB } from '@keelson/duckdb'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { createMysqlDatabase, hasMysql } from '../../support/mysql.ts'
import { postgres } from '../../support/postgres.ts'
import { startProgram } from '../../support/program.ts'
import { record, runs, seed } from '../../support/runs.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { write, type Written } from './writer.ts'

const writers = runs(4, 8)
const transactions = runs(40, 1_000)

async function openWithTables(dialect: Dialect): Promise<Kysely<any>> {
  const db = new Kysely<any>({ dialect })
  onTestFinished(() => db.destroy())
  await createSequenceTable(db)
  await createEventTables(db, { order: 'global' })
  await sql`create table invoice (number bigint not null primary key)`.execute(db)
  return db
}

/** Compares what is in the tables with what the writers say they have committed. */
async function verify(db: Kysely<any>, written: readonly Written[]): Promise<void> {
  const numbers = async (query: string): Promise<number[]> =>
    (await sql.raw<{ n: unknown }>(query).execute(db)).rows.map(({ n }) => Number(n))
  const from1To = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1)
  const byNumber = (a: number, b: number): number => a - b

  const invoices = written.flatMap((each) => each.numbers)
  expect(invoices.toSorted(byNumber)).toEqual(from1To(invoices.length))
  expect(await numbers('select number as n from invoice order by number')).toEqual(
    from1To(invoices.length),
  )
  expect(await numbers(`select value as n from keelson_sequence where name = 'invoice'`)).toEqual([
    invoices.length,
  ])

  const committed = written.flatMap((each) => each.events)
  const { rows } = await sql<{
    stream: string
    version: unknown
    position: unknown
    event_id: string
  }>`select stream, version, position, event_id from keelson_event order by position`.execute(db)
  const stored = rows.map(({ stream, version, position, event_id }) => [
    stream,
    Number(version),
    Number(position),
    event_id,
  ])
  expect(stored).toEqual(committed.toSorted((a, b) => a[2] - b[2]))
  expect(stored.map(([, , position]) => position)).toEqual(from1To(stored.length))
  const lengths = new Map<unknown, number>()
  for (const [stream, version] of stored) {
    const expected = (lengths.get(stream) ?? 0) + 1
    expect(version).toBe(expected)
    lengths.set(stream, expected)
  }
  for (const [stream, length] of lengths) {
    expect(
      await numbers(`select version as n from keelson_stream where stream = '${String(stream)}'`),
    ).toEqual([length])
  }
}

function summary(written: readonly Written[], durationMs: number): Record<string, number> {
  const sum = (count: (each: Written) => number): number =>
    written.reduce((total, each) => total + count(each), 0)
  const committed = sum(({ numbers }) => numbers.length)
  return {
    writers,
    transactions: writers * transactions,
    committed,
    rolledBack: sum(({ rolledBack }) => rolledBack),
    events: sum(({ events }) => events.length),
    versionConflicts: sum(({ conflicts }) => conflicts),
    runAgain: sum(({ again }) => again),
    repeats: sum(({ repeats }) => repeats),
    gaps: 0,
    duplicates: 0,
    durationMs: Math.round(durationMs),
  }
}

interface Processes {
  readonly at: string
  readonly drivers: readonly string[]
}

/** Starts the writers as processes, and lets them go when all are ready. */
async function writeByProcesses({ at, drivers }: Processes): Promise<Written[]> {
  const programs = Array.from({ length: writers }, (_, writer) =>
    startProgram(
      new URL('../programs/invoice-writer.ts', import.meta.url),
      drivers[writer % drivers.length]!,
      at,
      JSON.stringify({ writer, transactions, seed, isWrapped: writer % 4 < 2 }),
    ),
  )
  await Promise.all(
    programs.map(async (program) => {
      if ((await program.line()) !== 'ready') throw new Error((await program.end()).stderr)
    }),
  )
  for (const program of programs) program.say('go')
  return Promise.all(
    programs.map(async (program) => {
      const line = await program.line()
      const { code, stderr } = await program.end()
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return JSON.parse(line!) as Written
    }),
  )
}

const timeout = { timeout: 60_000 + writers * transactions * 100 }

test("processes on one SQLite file, by our driver and by Kysely's", timeout, async () => {
  const path = temporaryFile()
  const db = await openWithTables(new SqliteDialect({ path }))
  const start = performance.now()
  const written = await writeByProcesses({ at: path, drivers: ['sqlite', 'kysely'] })
  const result = summary(written, performance.now() - start)
  await verify(db, written)
  record('sequences-processes-sqlite', result)
})

test('processes on PostgreSQL', timeout, async () => {
  const { createDatabase } = await postgres()
  const at = await createDatabase()
  const db = await openWithTables(
    new PostgresDialect({ pool: new Pool({ connectionString: at, max: 1 }) }),
  )
  const start = performance.now()
  const written = await writeByProcesses({ at, drivers: ['postgresql'] })
  const result = summary(written, performance.now() - start)
  await verify(db, written)
  record('sequences-processes-postgresql', result)
})

test.skipIf(!hasMysql)('processes on MySQL', timeout, async () => {
  const at = await createMysqlDatabase()
  const db = await openWithTables(
    new MysqlDialect({ pool: createPool({ uri: at, connectionLimit: 1 }) }),
  )
  const start = performance.now()
  const written = await writeByProcesses({ at, drivers: ['mysql'] })
  const result = summary(written, performance.now() - start)
  await verify(db, written)
  record('sequences-processes-mysql', result)
})

test(
  'connections of one DuckDB, where each conflict is a transaction that runs again',
  timeout,
  async () => {
    const connections = 8
    const perConnection = runs(4, 250)
    const database = await openDuckDB({ path: temporaryFile('app.duckdb') })
    onTestFinished(async () => void (await database.close()))
    const db = await openWithTables(new DuckDBDialect({ database }))
    const wrapped = new Kysely<any>({ dialect: withTransactions(new DuckDBDialect({ database })) })
    const start = performance.now()
    const written = await Promise.all(
      Array.from({ length: connections }, (_, writer) =>
        write(writer % 2 === 0 ? wrapped : db, {
          writer,
          transactions: perConnection,
          seed,
          isWrapped: writer % 2 === 0,
        }),
      ),
    )
    const result = summary(written, performance.now() - start)
    await verify(db, written)
    record('sequences-connections-duckdb', {
      ...result,
      writers: connections,
      transactions: connections * perConnection,
    })
  },
)
