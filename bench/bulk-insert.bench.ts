// Bulk insert beside the best loop by hand and what people write: rows of 6 and of 10 columns, without and with a unique
// index, with conflicts that skip and that update, on SQLite, DuckDB and PostgreSQL; and the memory it takes. Run alone with
// `pnpm bench bulk-insert`, or for a first look with `pnpm bench bulk-insert --quick`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startPostgres } from '../test/support/postgres/server.ts'
import {
  type BulkContender,
  countedByHand,
  duckdbValues,
  duckdbBulkContenders,
  type Mode,
  postgresqlBulkContenders,
  sqliteBulkContenders,
} from './support/bulk-contenders.ts'
import {
  bulkRow,
  type BulkRow,
  type BulkTable,
  sixColumns,
  tenColumns,
} from './support/bulk-rows.ts'
import { printStandings, writeResults } from './support/results.ts'
import type { Standing } from './support/side-by-side.ts'

const quick = process.argv.includes('--quick')
const directory = mkdtempSync(join(tmpdir(), 'keelson-bulk-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
const results: Record<string, Standing[]> = {}
const many = quick ? 20_000 : 100_000
const most = quick ? 50_000 : 1_000_000

function rowsOf(table: BulkTable, from: number, to: number): BulkRow[] {
  return Array.from({ length: to - from }, (_, at) => bulkRow(from + at, table.columns.length))
}

interface Job {
  readonly title: string
  readonly contenders: readonly BulkContender[]
  readonly baseline: string
  readonly given: readonly BulkRow[]
  readonly rows: readonly BulkRow[]
  readonly unique?: boolean
  readonly mode?: Mode
  readonly rounds: number
}

/** Rounds in turn; what a contender has to make ready is not measured. */
async function compare({
  title,
  contenders,
  baseline,
  given,
  rows,
  unique = false,
  mode = 'insert',
  rounds,
}: Job): Promise<void> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  let expected: number | undefined
  for (let round = 0; round < rounds; round++) {
    const order = contenders.map((_, index) => contenders[(index + round) % contenders.length]!)
    for (const contender of order) {
      await contender.prepare(given, unique)
      globalThis.gc?.()
      const start = performance.now()
      await contender.insert(rows, mode)
      samples.get(contender.name)!.push(((performance.now() - start) * 1_000) / rows.length)
      const count = await contender.count()
      expected ??= count
      if (count !== expected)
        throw new Error(`${title}: ${contender.name} has ${count} rows, others ${expected}`)
    }
  }
  const base = samples.get(baseline)!
  const standings = contenders.map(({ name }) => {
    const own = samples.get(name)!
    return {
      name,
      medianUs: median(own),
      bestUs: Math.min(...own),
      timesBaseline: median(own.map((us, round) => us / base[round]!)),
    }
  })
  printStandings(title, baseline, standings)
  results[title] = standings
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[sorted.length >> 1]!
}

const sqliteFloor = 'raw better-sqlite3, 50 rows a statement'
for (const table of [sixColumns, tenColumns]) {
  const size = `${table.columns.length} columns`
  const contenders = sqliteBulkContenders((name) => join(directory, `${size}-${name}.db`), table)
  const rows = rowsOf(table, 0, many)
  const old = rowsOf(table, many / 2, many + many / 2)
  const common = { contenders, baseline: sqliteFloor, rounds: quick ? 3 : 7 }
  await compare({ ...common, title: `SQLite, ${size}, ${many} rows`, given: [], rows })
  await compare({
    ...common,
    title: `SQLite, ${size}, ${many} rows, unique index`,
    given: [],
    rows,
    unique: true,
  })
  if (table === sixColumns) {
    await compare({
      ...common,
      title: `SQLite, ${size}, ${many} rows, half of them skipped`,
      given: old,
      rows,
      mode: 'skip',
    })
    await compare({
      ...common,
      title: `SQLite, ${size}, ${many} rows, half of them updated`,
      given: old,
      rows,
      mode: 'update',
    })
  }
  await compare({
    ...common,
    title: `SQLite, ${size}, ${most} rows`,
    given: [],
    rows: rowsOf(table, 0, most),
    rounds: quick ? 1 : 2,
  })
  for (const contender of contenders) await contender.close()
}

const duckdbFloor = '@duckdb/node-api, table function by hand'
{
  const contenders = await duckdbBulkContenders((name) => join(directory, name), sixColumns)
  const [floor, ours] = contenders as [BulkContender, BulkContender]
  const few = rowsOf(sixColumns, 0, quick ? 2_000 : 50_000)
  const common = { baseline: duckdbFloor, given: [] }
  await compare({
    ...common,
    title: `DuckDB, 6 columns, ${few.length} rows`,
    contenders,
    rows: few,
    rounds: 3,
  })
  await compare({
    ...common,
    title: `DuckDB, 6 columns, ${many} rows`,
    contenders: [floor, ours],
    rows: rowsOf(sixColumns, 0, many),
    rounds: quick ? 3 : 7,
  })
  await compare({
    ...common,
    title: `DuckDB, 6 columns, ${most} rows`,
    contenders: [floor, ours],
    rows: rowsOf(sixColumns, 0, most),
    rounds: quick ? 1 : 2,
  })
  for (const contender of contenders) await contender.close()
}

const postgres = await startPostgres()
try {
  const admin = new Client({ connectionString: postgres.connectionString })
  await admin.connect()
  let databases = 0
  const createDatabase = async (): Promise<string> => {
    const name = `bench_${++databases}`
    await admin.query(`create database ${name}`)
    return Object.assign(new URL(postgres.connectionString), { pathname: name }).href
  }
  for (const table of [sixColumns, tenColumns]) {
    const contenders = await postgresqlBulkContenders(createDatabase, table)
    const size = `${table.columns.length} columns`
    const common = { contenders, baseline: 'Kysely: values()', rounds: quick ? 3 : 7 }
    const rows = rowsOf(table, 0, many)
    const old = rowsOf(table, many / 2, many + many / 2)
    await compare({ ...common, title: `PostgreSQL, ${size}, ${many} rows`, given: [], rows })
    if (table === sixColumns)
      await compare({
        ...common,
        title: `PostgreSQL, ${size}, ${many} rows, half of them updated`,
        given: old,
        rows,
        mode: 'update',
      })
    for (const contender of contenders) await contender.close()
  }
  await admin.end()
} finally {
  await postgres.stop()
}

/** The most memory of a process that inserts generated rows, and of one that does nothing else but start. */
const memory = Object.fromEntries(
  ['sqlite', 'duckdb'].map((engine) => {
    const peak = (rows: number): number => {
      const program = new URL('support/bulk-memory.ts', import.meta.url).pathname
      const { stdout, status } = spawnSync(
        process.execPath,
        [program, engine, join(directory, `memory-${rows}.${engine}`), String(rows)],
        { encoding: 'utf8' },
      )
      if (status !== 0)
        throw new Error(`The program that measures the memory of ${engine} has failed.`)
      return Number(stdout)
    }
    return [engine, { rows: most, peakMiB: peak(most), startMiB: peak(0) }]
  }),
)
console.log(memory)

const ratio = (title: string, one: string, other: string): number => {
  const found = (name: string): Standing => results[title]!.find((each) => each.name === name)!
  return Math.round((found(one).medianUs / found(other).medianUs) * 100) / 100
}
const six = `SQLite, 6 columns, ${many} rows`
const targets = {
  'SQLite: Keelson, times the best loop by hand in speed (target >= 0.9)': ratio(
    six,
    sqliteFloor,
    'Kysely: Keelson',
  ),
  'SQLite: Keelson, times the run() loop in speed': ratio(
    six,
    'raw better-sqlite3, run() in a loop',
    'Kysely: Keelson',
  ),
  "SQLite: Keelson, times Kysely's values() in speed (target >= 3)": ratio(
    six,
    'Kysely: values()',
    'Kysely: Keelson',
  ),
  "SQLite: Keelson, times Drizzle's values() in speed (target >= 9)": ratio(
    six,
    'Drizzle: values()',
    'Drizzle: Keelson',
  ),
  "SQLite, unique index: Keelson, times Kysely's values() in speed (target >= 2)": ratio(
    `${six}, unique index`,
    'Kysely: values()',
    'Kysely: Keelson',
  ),
  'SQLite: the updates of an upsert counted, times not counted in cost (target <= 1.10)': ratio(
    `${six}, half of them updated`,
    countedByHand,
    sqliteFloor,
  ),
  'SQLite: Keelson, an upsert with exact counts, times the best loop by hand in cost': ratio(
    `${six}, half of them updated`,
    'Kysely: Keelson',
    sqliteFloor,
  ),
  'DuckDB: Keelson, times the table function by hand in speed (target >= 0.9)': ratio(
    `DuckDB, 6 columns, ${many} rows`,
    duckdbFloor,
    'Kysely: Keelson',
  ),
  'DuckDB: Keelson, times multi-row VALUES by hand in speed (target >= 20)': ratio(
    `DuckDB, 6 columns, ${quick ? 2_000 : 50_000} rows`,
    duckdbValues,
    'Kysely: Keelson',
  ),
  "PostgreSQL: Keelson, times Kysely's values() in speed (target >= 4)": ratio(
    `PostgreSQL, 6 columns, ${many} rows`,
    'Kysely: values()',
    'Kysely: Keelson',
  ),
}
console.log(targets)

if (!quick) {
  writeResults(
    new URL('results/bulk-insert.json', import.meta.url),
    ['better-sqlite3', '@duckdb/node-api', 'kysely', 'drizzle-orm', 'knex', 'pg'],
    { targets, memory, results },
  )
}
