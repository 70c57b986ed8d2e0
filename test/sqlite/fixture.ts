import { openSqlite, type SqliteDatabase, type SqliteOptions } from '@keelson/sqlite'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import { startProgram } from '../support/program.ts'
import { temporaryFile } from '../support/temporary-directory.ts'

/** A database that is closed after the test; in a new file, unless `path` or `database` is given. */
export function open(options: SqliteOptions = {}): SqliteDatabase {
  const isNamed = options.path !== undefined || options.database !== undefined
  const database = openSqlite(isNamed ? options : { ...options, path: temporaryFile() })
  onTestFinished(async () => {
    await database.close({ deadlineMs: 0 })
  })
  return database
}

/** The same file through plain better-sqlite3, as another program would use it; never waits for a lock. */
export function plain(path: string): Database.Database {
  const database = new Database(path, { timeout: 0 })
  onTestFinished(() => void database.close())
  return database
}

/** Another process that has the file open, and runs one statement after the other. */
export interface OtherProcess {
  /** @returns `'ok'` or the code of SQLite's error */
  run(sql: string): Promise<string>
  kill(): Promise<void>
}

export async function otherProcess(path: string): Promise<OtherProcess> {
  const program = startProgram(new URL('./programs/console.ts', import.meta.url), path)
  const ready = await program.line()
  if (ready !== 'ready') throw new Error((await program.end()).stderr)
  return {
    async run(sql) {
      program.say(sql)
      return (await program.line()) ?? 'gone'
    },
    kill: () => program.kill(),
  }
}

/** The first column of every row. */
export async function column(
  database: Pick<SqliteDatabase, 'execute'>,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<unknown[]> {
  const { rows } = await database.execute<unknown[]>(sql, parameters, { rows: 'arrays' })
  return rows.map(([value]) => value)
}

/** The first column of the first row. */
export async function value(
  database: Pick<SqliteDatabase, 'execute'>,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<unknown> {
  return (await column(database, sql, parameters))[0]
}

/** Runs statements one after the other. */
export async function run(
  database: Pick<SqliteDatabase, 'execute'>,
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
