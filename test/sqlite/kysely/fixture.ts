import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteDialect, type SqliteDialectConfig } from '@keelson/sqlite/kysely'
import { Kysely, sql, type Generated, type KyselyConfig, type LogEvent } from 'kysely'
import { onTestFinished } from 'vitest'

export interface Schema {
  person: { id: Generated<number>; name: string; age: number | null }
  pet: { id: Generated<number>; name: string; owner_id: number }
}

/** A path in a directory that is deleted after the test, once everything opened later is closed. */
export function temporaryFile(name = 'test.db'): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-kysely-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, name)
}

/** A Kysely that is destroyed after the test. */
export function kysely<DB = Schema>(
  dialect: SqliteDialectConfig = { path: temporaryFile() },
  config: Omit<KyselyConfig, 'dialect'> = {},
): Kysely<DB> {
  const db = new Kysely<DB>({ ...config, dialect: new SqliteDialect(dialect) })
  onTestFinished(() => db.destroy())
  return db
}

/** The same, with two empty tables: persons, unique by name, and their pets. */
export async function kyselyWithTables(
  dialect: SqliteDialectConfig = { path: temporaryFile() },
  config: Omit<KyselyConfig, 'dialect'> = {},
): Promise<Kysely<Schema>> {
  const db = kysely(dialect, config)
  await createTables(db)
  return db
}

export async function createTables(db: Kysely<any>): Promise<void> {
  await sql`create table person (id integer primary key, name text not null unique, age integer)`.execute(
    db,
  )
  await sql`create table pet (id integer primary key, name text not null, owner_id integer not null references person on delete cascade)`.execute(
    db,
  )
}

export async function addPersons(db: Kysely<Schema>, count: number): Promise<void> {
  const values = Array.from({ length: count }, (_, index) => ({
    name: `person ${index + 1}`,
    age: index,
  }))
  await db.insertInto('person').values(values).execute()
}

export async function names(db: Kysely<Schema>): Promise<string[]> {
  const rows = await db.selectFrom('person').select('name').orderBy('id').execute()
  return rows.map(({ name }) => name)
}

/** Collects the SQL that Kysely's `log` tells of; `error: ...` for what failed. */
export function recorder(): { log: (event: LogEvent) => void; readonly lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    log: ({ level, query }) =>
      void lines.push(level === 'error' ? `error: ${query.sql}` : query.sql),
  }
}

/** The error a promise is rejected with. */
export async function rejection(
  promise: PromiseLike<unknown>,
): Promise<Error & { code?: unknown }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('It was expected to fail, and did not.')
}
