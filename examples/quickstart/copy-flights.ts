import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { type Kysely, sql } from 'kysely'
import type { Database as FlightTables } from './duckdb/schema.ts'
import type { Database as AirportTables } from './sqlite/schema.ts'
import { number, print, printTable, ProgressBar } from './terminal.ts'

const wanted = 200_000

/** Streams flights from DuckDB into SQLite, where one flight a minute between two airports is enough. */
export async function copyFlights(
  duckdb: Kysely<FlightTables>,
  sqlite: Kysely<AirportTables>,
): Promise<void> {
  await sql`create table flight (
    date text not null, origin text not null, destination text not null, delay integer not null,
    primary key (date, origin, destination)
  ) strict, without rowid`.execute(sqlite)

  const bar = new ProgressBar(wanted)
  const report = await bulkInsert(
    sqlite,
    'flight',
    duckdb
      .selectFrom('flight')
      .select(['origin', 'destination', 'delay', sql<string>`date::varchar`.as('date')])
      .orderBy('date')
      .limit(wanted)
      .stream(),
    { onConflict: 'skip', onProgress: ({ rows }) => bar.update(rows) },
  )
  bar.stop()

  const { attempted, inserted, skipped, rowsPerSecond, method } = report
  printTable(
    ['attempted', 'inserted', 'skipped', 'rows a second', 'method'],
    [[attempted, inserted!, skipped!, rowsPerSecond, method!]],
  )
  print(`Who counts what was sent would say: ${number(attempted)} inserted.`)
}
