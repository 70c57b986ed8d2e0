import { fileURLToPath } from 'node:url'
import type { DuckDBDatabase } from '@keelson/duckdb'
import { minute, print, printTable } from '../terminal.ts'
import { createFlight, createRoute } from './schema.ts'

/** DuckDB reads the file by itself, and takes its path like any other parameter. */
export async function loadFlights(database: DuckDBDatabase): Promise<void> {
  const url = new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets'))
  const { changes } = await database.execute(createFlight, [fileURLToPath(url)])
  await database.execute(createRoute)

  printTable(['file', 'rows in the new table'], [['flights-3m.parquet', changes!]])

  const { rows } = await database.execute<{ first: Date; last: Date }>(
    'select min(date) as first, max(date) as last from flight',
  )
  const { first, last } = rows[0]!
  print(`Flights within the USA, ${minute(first)} to ${minute(last)}`)
}
