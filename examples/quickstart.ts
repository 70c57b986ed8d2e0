/**
 * Real data in one SQLite file, through Kysely and through Drizzle: load, relate, query, stream, and a nested step that
 * fails without taking the outer one along. The file is in a temporary folder and gone at the end.
 *
 * Run it with `npx -y pnpm@12 example`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '@keelson/sqlite'
import { drizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely } from 'kysely'
import * as drizzleTour from './quickstart/drizzle-tour.ts'
import { checkFile, showSettings } from './quickstart/checks.ts'
import * as kyselyTour from './quickstart/kysely-tour.ts'
import { load, repair } from './quickstart/load.ts'
import { relate } from './quickstart/relate.ts'
import { schema, type Database } from './quickstart/schema.ts'
import { print, seconds, step } from './quickstart/terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'keelson-quickstart-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130))

const database = openSqlite({ path: join(folder, 'airports.db') })
const kysely = new Kysely<Database>({ dialect: new SqliteDialect({ database }) })
const db = drizzle({ client: database, schema })

try {
  await step('Open one file for Kysely and Drizzle', () => showSettings(database))
  await step('Load two CSV files', () => load(database, kysely, db))
  await step('Repair what they got wrong', () => repair(kysely))
  await step('Find the nearest airport of each ZIP code', () => relate(database))

  await step('Kysely: query', () => kyselyTour.showBusiestAirports(kysely))
  await step('Kysely: stream into a file', () => kyselyTour.exportZips(kysely, folder))
  await step('Kysely: fail a nested step', () => kyselyTour.failNestedStep(kysely, db))

  await step('Drizzle: query with relations', () => drizzleTour.showRemoteZips(db))
  await step('Drizzle: stream into a histogram', () => drizzleTour.showDistances(db))
  await step('Drizzle: fail a nested step', () => drizzleTour.failNestedStep(db, kysely))

  await step('Check the file', () => checkFile(database, kysely, db))
} finally {
  await database.close() // for both: they only borrowed it
}

print(`
Done in ${seconds(0)}, start of Node included. Where to go next:
  examples/quickstart/        what just ran, one file per subject
  packages/sqlite/README.md   every option, and what SQLite cannot do
  npx -y pnpm@12 test         the same promises as tests`)
