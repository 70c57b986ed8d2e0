import { DuckDBDialect, type DuckDBDialectConfig } from '@keelson/duckdb/kysely'
import { Kysely, sql, type Generated, type KyselyConfig, type LogEvent } from 'kysely'
import { onTestFinished } from 'vitest'
import { temporaryFile } from '../../support/temporary-directory.ts'

export interface Schema {
  person: { id: Generated<number>; name: string; age: number | null }
  pet: { id: Generated<number>; name: string; owner_id: number }
}

/** A path in a directory that is deleted after the test, once everything opened later is closed. */
export function file(): string {
  return temporaryFile('test.duckdb')
}

/** A Kysely that is destroyed after the test. */
export function kysely<DB = Schema>(
  dialect: DuckDBDialectConfig = { path: file() },
  config: Omit<KyselyConfig, 'dialect'> = {},
): Kysely<DB> {
  const db = new Kysely<DB>({ ...config, dialect: new DuckDBDialect(dialect) })
  onTestFinished(() => db.destroy())
  return db
}

/** The same, with two empty tables: persons, unique by name, and their pets. */
export async function kyselyWithTables(
  dialect: DuckDBDialectConfig = { path: file() },
  config: Omit<KyselyConfig, 'dialect'> = {},
): Promise<Kysely<Schema>> {
  const db = kysely(dialect, config)
  await createTables(db)
  return db
}

export async function createTables(db: Kysely<any>): Promise<void> {
  for (const statement of [
    sql`create sequence person_id`,
    sql`create sequence pet_id`,
    sql`create table person (id integer primary key default nextval('person_id'), name varchar not null unique, age integer)`,
    sql`create table pet (id integer primary key default nextval('pet_id'), name varchar not null, owner_id integer not null references person)`,
  ])
    await statement.execute(db)
}

/** Persons 1 to `count`, in one statement that sends no parameters. */
export async function addPersons(db: Kysely<any>, count: number): Promise<void> {
  await sql`insert into person (name, age) select 'person ' || i, i - 1 from range(1, ${sql.lit(count + 1)}) r(i) order by i`.execute(
    db,
  )
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

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const rows: T[] = []
  for await (const row of stream) rows.push(row)
  return rows
}

/** A query that takes minutes, and gives one row. */
export const slow = sql<{
  n: number
}>`select sum(a.i * b.i)::double as n from range(200000) a(i), range(200000) b(i)`
