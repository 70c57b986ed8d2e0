import { openDuckDB, type DuckDBDatabase, type DuckDBOptions } from '@keelson/duckdb'
import { onTestFinished } from 'vitest'
import { temporaryFile } from '../support/temporary-directory.ts'

/** A database that is closed after the test; in a new file, unless `path` or `instance` is given. */
export async function open(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const isNamed = options.path !== undefined || options.instance !== undefined
  const given = isNamed ? options : { ...options, path: temporaryFile('test.duckdb') }
  const database = await openDuckDB(given)
  onTestFinished(async () => {
    await database.close({ deadlineMs: 0 })
  })
  return database
}

/** The first column of every row. */
export async function column(
  database: Pick<DuckDBDatabase, 'execute'>,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<unknown[]> {
  const { rows } = await database.execute<unknown[]>(sql, parameters, { rows: 'arrays' })
  return rows.map(([value]) => value)
}

/** The first column of the first row. */
export async function value(
  database: Pick<DuckDBDatabase, 'execute'>,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<unknown> {
  return (await column(database, sql, parameters))[0]
}

/** Runs statements one after the other. */
export async function run(
  database: Pick<DuckDBDatabase, 'execute'>,
  ...statements: readonly string[]
): Promise<void> {
  for (const statement of statements) await database.execute(statement)
}

/** Holds something back until it is told to go on. */
export function signal(): { readonly wait: Promise<void>; readonly go: () => void } {
  let go = (): void => {}
  const wait = new Promise<void>((resolve) => (go = resolve))
  return { wait, go }
}
