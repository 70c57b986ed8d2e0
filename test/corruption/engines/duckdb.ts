import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Place } from './place.ts'

/** A file that nobody has open: a second instance beside the library's would be a fault of its own. */
export async function prepareDuckDB(directory: string, schema: readonly string[]): Promise<Place> {
  const location = join(directory, 'test.duckdb')
  await run(location, 'create table t (v varchar not null unique)')
  for (const statement of schema) await run(location, statement)
  return {
    location,
    async rows() {
      const rows = await run(location, 'select v from t order by rowid')
      return rows.map(({ v }) => String(v))
    },
    execute: (sql) => run(location, sql),
  }
}

async function run(path: string, sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJS()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
