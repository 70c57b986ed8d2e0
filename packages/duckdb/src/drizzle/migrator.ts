import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkOptionNames, Holder, invalidOption, quoteIdentifier } from '@keelson/core'
import { DrizzleQueryError, sessionOf } from '@keelson/core/drizzle'
import { type SQL, sql } from 'drizzle-orm'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import { DuckDBStatementError } from '../errors.ts'
import { isDuckDBDatabase } from '../open-duckdb.ts'
import { turnsOf } from '../turns/database-turns.ts'
import type { KeelsonDuckDBDatabase } from './database.ts'
import { checkInstalled } from './internals.ts'
import { MigrationError } from './migration-error.ts'
import { DuckDBDrizzleSession } from './session.ts'
import type { KeelsonDuckDBTransaction } from './transaction.ts'

export interface MigrateOptions {
  /** The folder that `drizzle-kit generate` writes to, with `meta/_journal.json` in it. */
  readonly migrationsFolder: string
  /** The table that remembers what has been applied. @default '__drizzle_migrations' */
  readonly migrationsTable?: string
  /** The schema of that table, created where it is missing. @default 'drizzle' */
  readonly migrationsSchema?: string
}

/**
 * Applies the migrations of `drizzle-kit generate --dialect postgresql` that have not been applied, all of them in one
 * transaction: the database is up to date afterwards, or as it was.
 *
 * The statements run as they are. DuckDB does not run all that drizzle-kit writes for PostgreSQL (foreign keys come in
 * an ALTER TABLE, indexes with USING btree, `serial`, `jsonb`, `"public"."..."`): such a statement fails with an error
 * that says what to write in its place, to be edited in the migration's file.
 *
 * As Drizzle's own migrators do, it applies what is newer than the newest migration applied. Of several that migrate one
 * file at once one does, and the others wait for it and find nothing left to do.
 *
 * @param db a database of this driver
 * @throws {MigrationError} naming the migration, the statement, the reason and what to write instead; the engine's error
 * is its `cause`, and nothing was applied
 *
 * @example
 * await migrate(db, { migrationsFolder: './drizzle' })
 * // begin transaction
 * // create schema if not exists "drizzle"
 * // create table if not exists "drizzle"."__drizzle_migrations" (...)
 * // (the statements of each new migration, and its row in "drizzle"."__drizzle_migrations")
 * // commit
 */
export async function migrate<TSchema extends Record<string, unknown>>(
  db: KeelsonDuckDBDatabase<TSchema>,
  options: MigrateOptions,
): Promise<void> {
  checkInstalled()
  checkOptionNames(where, options, ['migrationsFolder', 'migrationsTable', 'migrationsSchema'])
  const {
    migrationsFolder,
    migrationsTable = '__drizzle_migrations',
    migrationsSchema = 'drizzle',
  } = options
  if (typeof migrationsFolder !== 'string') {
    invalidOption(where, 'migrationsFolder', migrationsFolder, 'a path')
  }
  const session = sessionOf(db)
  if (
    !(session instanceof DuckDBDrizzleSession) ||
    session.isTransaction ||
    !isDuckDBDatabase(db.$client)
  ) {
    invalidOption(where, 'db', db, 'a database of @keelson/duckdb/drizzle, outside a transaction')
  }
  const schema = sql.raw(quoteIdentifier(migrationsSchema, 'duckdb'))
  const table = sql`${schema}.${sql.raw(quoteIdentifier(migrationsTable, 'duckdb'))}`
  const migrations = namedMigrations(migrationsFolder)
  // Only one process can have a file open for writing, so those of other processes need not be waited for.
  const { migration } = await turnsOf(db.$client)
  const holder = new Holder('migration')
  await migration.take(holder)
  holder.since = performance.now()
  try {
    await db.transaction(async (tx) => {
      await tx.execute(sql`create schema if not exists ${schema}`)
      // As Drizzle has it for PostgreSQL, but that the ids are given here: DuckDB has no serial.
      await tx.execute(
        sql`create table if not exists ${table} (id integer primary key, hash text not null, created_at bigint)`,
      )
      await applyNewer(tx, table, migrations, holder)
    })
  } finally {
    migration.pass()
  }
}

const where = 'migrate()'

interface NamedMigration extends MigrationMeta {
  readonly name: string
}

function namedMigrations(migrationsFolder: string): readonly NamedMigration[] {
  const migrations = readMigrationFiles({ migrationsFolder })
  const journal = readFileSync(join(migrationsFolder, 'meta', '_journal.json'), 'utf8')
  const { entries } = JSON.parse(journal) as { entries: readonly { readonly tag: string }[] }
  return migrations.map((migration, index) => ({ ...migration, name: entries[index]!.tag }))
}

async function applyNewer(
  tx: KeelsonDuckDBTransaction<any, any>,
  table: SQL,
  migrations: readonly NamedMigration[],
  holder: Holder,
): Promise<void> {
  const { rows } = await tx.execute<{ id: unknown; newest: unknown }>(
    sql`select coalesce(max(id), 0) as id, max(created_at) as newest from ${table}`,
  )
  const newest = rows[0]!.newest
  let id = Number(rows[0]!.id)
  for (const { name, sql: statements, hash, folderMillis } of migrations) {
    if (newest !== null && Number(newest) >= folderMillis) continue
    for (const statement of statements) {
      // Those who wait are told.
      holder.lastSql = statement
      await run(tx, statement, name)
    }
    await tx.execute(
      sql`insert into ${table} (id, hash, created_at) values (${++id}, ${hash}, ${folderMillis})`,
    )
  }
}

async function run(
  tx: KeelsonDuckDBTransaction<any, any>,
  statement: string,
  migration: string,
): Promise<void> {
  try {
    await tx.execute(sql.raw(statement))
  } catch (error) {
    // A custom migration that has not been written yet, or what stands behind the last breakpoint.
    if (error instanceof DuckDBStatementError && error.code === 'EMPTY_STATEMENT') return
    throw new MigrationError(
      migration,
      statement,
      error instanceof DrizzleQueryError ? error.cause : error,
    )
  }
}
