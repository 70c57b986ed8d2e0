import { KeelsonError } from '@keelson/core'

/** What the clone needs of SQLite: a database of better-sqlite3 or of `node:sqlite` is one. */
export interface SqliteClient {
  exec(sql: string): unknown
  prepare(sql: string): {
    all(...parameters: unknown[]): unknown[]
    run(...parameters: unknown[]): unknown
  }
  close(): unknown
}

/** Opens a database in memory: with better-sqlite3 where it is installed, with Node's own SQLite elsewhere. */
export async function openSqliteInMemory(): Promise<SqliteClient> {
  try {
    const { default: Database } = await import('better-sqlite3')
    return new Database(':memory:')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
  }
  try {
    const { DatabaseSync } = await import('node:sqlite')
    return new DatabaseSync(':memory:') as unknown as SqliteClient
  } catch (error) {
    throw new KeelsonError(
      'SQLITE_NOT_FOUND',
      'Advice for SQLite is tried on an empty copy of the schema in memory, and there is no SQLite to open it with. ' +
        "Install better-sqlite3, or run Node 22.13 or later, which has one, or pass `whatIf: 'rules'`.",
      { cause: error },
    )
  }
}
