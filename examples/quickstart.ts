/**
 * Real data in two databases, each through Kysely and through Drizzle. In SQLite: load, relate, query, stream, and a
 * nested step that fails without taking the outer one along, and the same queries on threads. In DuckDB: 3,000,000 rows of a Parquet file to query and to
 * stream, and a transaction that no caught error saves. Then the indexes that are missing, measured, and a report of what every query took. The files are in a temporary folder and gone at the end.
 *
 * Run it with `npx -y pnpm@12 example`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuckDB } from '@keelson/duckdb'
import { drizzle as drizzleDuckDB } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { adviceLines, type IndexAdvice } from '@keelson/indexes'
import { createAdvisor } from '@keelson/indexes/kysely'
import { openSqlite } from '@keelson/sqlite'
import { drizzle as drizzleSqlite } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { createTiming } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { Kysely } from 'kysely'
import { closeBoth } from './quickstart/close.ts'
import { copyFlights } from './quickstart/copy-flights.ts'
import { showDuckDBSettings } from './quickstart/duckdb/checks.ts'
import * as drizzleOnDuckDB from './quickstart/duckdb/drizzle-tour.ts'
import * as kyselyOnDuckDB from './quickstart/duckdb/kysely-tour.ts'
import { loadFlights } from './quickstart/duckdb/load.ts'
import type { Database as FlightTables } from './quickstart/duckdb/schema.ts'
import { adviseIndexes } from './quickstart/sqlite/advice.ts'
import { checkFile, showSqliteSettings } from './quickstart/sqlite/checks.ts'
import * as drizzleOnSqlite from './quickstart/sqlite/drizzle-tour.ts'
import * as kyselyOnSqlite from './quickstart/sqlite/kysely-tour.ts'
import { loadAirports, repairAirports } from './quickstart/sqlite/load.ts'
import { compareModes } from './quickstart/sqlite/modes.ts'
import { relateAirports } from './quickstart/sqlite/relate.ts'
import { schema, type Database as AirportTables } from './quickstart/sqlite/schema.ts'
import { print, seconds, step } from './quickstart/terminal.ts'
import { showTiming } from './quickstart/timing.ts'

const folder = mkdtempSync(join(tmpdir(), 'keelson-quickstart-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130))

/** Watches all four; none of the steps below knows of it. */
let advice: IndexAdvice | undefined
const timing = createTiming({ advice: () => (advice === undefined ? [] : adviceLines(advice)) })
/** Remembers what Kysely asks of SQLite, to say which indexes are missing. */
const advisor = createAdvisor()

const sqlite = openSqlite({ path: join(folder, 'airports.db') })
const airports = {
  kysely: new Kysely<AirportTables>({
    dialect: withTiming(new SqliteDialect({ database: sqlite }), timing),
    log: advisor.log,
  }),
  drizzle: withDrizzleTiming(drizzleSqlite({ client: sqlite, schema }), timing),
}

const duckdb = await openDuckDB({
  path: join(folder, 'flights.duckdb'),
  threads: 2,
  memoryLimit: '1GiB',
  timestamp: 'date', // instead of a text; Drizzle's columns decide for themselves
})
const flights = {
  kysely: new Kysely<FlightTables>({
    dialect: withTiming(new DuckDBDialect({ database: duckdb }), timing),
  }),
  drizzle: withDrizzleTiming(drizzleDuckDB({ client: duckdb }), timing),
}

try {
  await step('SQLite: open one file for Kysely and Drizzle', () => showSqliteSettings(sqlite))
  await step('Load two CSV files, with rows that come twice', () =>
    loadAirports(sqlite, airports.kysely, airports.drizzle),
  )
  await step('Repair what they got wrong', () => repairAirports(airports.kysely))
  await step('Find the nearest airport of each ZIP code', () => relateAirports(sqlite))

  await step('Kysely on SQLite: query', () => kyselyOnSqlite.showBusiestAirports(airports.kysely))
  await step('Kysely on SQLite: stream into a file', () =>
    kyselyOnSqlite.exportZips(airports.kysely, folder),
  )
  await step('Kysely on SQLite: fail a nested step', () =>
    kyselyOnSqlite.failNestedStep(airports.kysely, airports.drizzle),
  )

  await step('Drizzle on SQLite: query with relations', () =>
    drizzleOnSqlite.showRemoteZips(airports.drizzle),
  )
  await step('Drizzle on SQLite: stream into a histogram', () =>
    drizzleOnSqlite.showDistances(airports.drizzle),
  )
  await step('Drizzle on SQLite: fail a nested step', () =>
    drizzleOnSqlite.failNestedStep(airports.drizzle, airports.kysely),
  )
  await step('Keep the event loop moving while SQLite works', () => compareModes(sqlite.path))
  await step('Check the file', () => checkFile(sqlite, airports.kysely, airports.drizzle))

  await step('DuckDB: open one file for Kysely and Drizzle', () => showDuckDBSettings(duckdb))
  await step('Load a Parquet file', () => loadFlights(duckdb))

  await step('Kysely on DuckDB: query', () => kyselyOnDuckDB.sumUpRoutes(flights.kysely))
  await step('Kysely on DuckDB: query, with names from SQLite', () =>
    kyselyOnDuckDB.showLateAirports(flights.kysely, airports.drizzle),
  )
  await step('Kysely on DuckDB: stream into a histogram', () =>
    kyselyOnDuckDB.showDelays(flights.kysely),
  )

  await step('Drizzle on DuckDB: query with dates', () =>
    drizzleOnDuckDB.showWorstDelays(flights.drizzle),
  )
  await step('Drizzle on DuckDB: fail a transaction', () =>
    drizzleOnDuckDB.failTransaction(flights.drizzle),
  )

  await step('Stream 200,000 flights from DuckDB into SQLite', () =>
    copyFlights(flights.kysely, airports.kysely),
  )
  await step('Ask for the indexes that are missing, and measure them', async () => {
    advice = await adviseIndexes(airports.kysely, advisor)
  })
  await step('What all of these queries took', () => showTiming(timing))
} finally {
  // For Kysely and Drizzle too: they only borrowed both.
  await step('Close both files', () => closeBoth(sqlite, duckdb))
}

print(`
Done in ${seconds(0)}, start of Node included. Where to go next:
  examples/quickstart/        what just ran, one file per subject
  packages/sqlite/README.md   every option, and what SQLite cannot do
  packages/duckdb/README.md   the same for DuckDB
  packages/bulk-insert/README.md   what the counts mean, on every engine
  packages/indexes/README.md   tables from schemas, migrations, advice
  packages/timing/README.md   the page, metrics and tests behind the report
  npx -y pnpm@12 test         the same promises as tests`)
