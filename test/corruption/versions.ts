import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { createClient } from '@libsql/client'
import BetterSqlite3 from 'better-sqlite3'
import { Client } from 'pg'
import { emptyPGlite } from '../support/pglite.ts'

const packages = [
  'kysely',
  'drizzle-orm',
  'knex',
  'better-sqlite3',
  '@libsql/client',
  'pg',
  '@electric-sql/pglite',
  '@duckdb/node-api',
  '@leonardovida-md/drizzle-neo-duckdb',
]

/** The versions of everything that took part: `kysely 0.29.9`, `PostgreSQL 18.4`. */
export async function versions(server: string): Promise<string[]> {
  const libraries = packages.map((name) => {
    const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
    return `${name} ${version}`
  })
  const engines = await Promise.all([sqlite(), libsql(), postgres(server), pglite(), duckdb()])
  return [...libraries, ...engines]
}

async function sqlite(): Promise<string> {
  const db = new BetterSqlite3(':memory:')
  const version = db.prepare('select sqlite_version()').pluck().get()
  db.close()
  return `SQLite ${String(version)} in better-sqlite3`
}

async function libsql(): Promise<string> {
  const client = createClient({ url: ':memory:' })
  const { rows } = await client.execute('select sqlite_version() as version')
  client.close()
  return `${rows[0]!['version'] as string} in libsql`
}

async function postgres(connectionString: string): Promise<string> {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows } = await client.query<{ server_version: string }>('show server_version')
  await client.end()
  return `PostgreSQL ${rows[0]!.server_version}`
}

async function pglite(): Promise<string> {
  const db = emptyPGlite()
  const { rows } = await db.query<{ server_version: string }>('show server_version')
  await db.close()
  return `${rows[0]!.server_version} in PGlite`
}

async function duckdb(): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const [row] = (await connection.runAndReadAll('select version() as v')).getRowObjectsJS()
  connection.closeSync()
  instance.closeSync()
  return `DuckDB ${(row!['v'] as string).replace(/^v/, '')}`
}
