import { checkOptionNames, invalidOption, quoteIdentifier } from '@keelson/core'
import { sessionOf } from '@keelson/core/drizzle'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { sqlTokens } from '../statement/tokens.ts'
import type { KeelsonSqliteDatabase } from './database.ts'
import { checkInstalled } from './internals.ts'
import { SqliteDrizzleSession } from './session.ts'

export interface MigrateOptions {
  /** The folder that `drizzle-kit generate` writes to, with `meta/_journal.json` in it. */
  readonly migrationsFolder: string
  /** The table that remembers what has been applied. @default '__drizzle_migrations' */
  readonly migrationsTable?: string
}

/**
 * Applies the migrations of drizzle-kit that have not been applied, all of them in one transaction: the database is up
 * to date afterwards, or as it was.
 *
 * It keeps the table of Drizzle's own migrators, so a database that one of them has migrated goes on from there, and
 * like them it applies what is newer than the newest migration applied.
 *
 * Foreign keys are not enforced while it runs, because rebuilding a table, which is how SQLite changes a column, would
 * otherwise delete the rows that refer to it; `PRAGMA foreign_keys=OFF` in a migration comes too late for that, since
 * SQLite ignores it inside a transaction. Instead the rows are checked before the commit.
 *
 * Several processes may migrate at once: one does, the others wait for it and find nothing left to do.
 *
 * @param db a database of this driver
 * @throws {MigrationForeignKeyError} when a migration would leave rows whose parent is missing
 * @throws {TransactionAbortedError} when SQLite rolled the transaction back on its own
 * @throws `DrizzleQueryError` with the statement that failed
 *
 * @example
 * await migrate(db, { migrationsFolder: './drizzle' })
 * // pragma foreign_keys = off
 * // begin immediate
 * // CREATE TABLE IF NOT EXISTS "__drizzle_migrations" (...)
 * // (the statements of each new migration, and its row in "__drizzle_migrations")
 * // pragma foreign_key_check
 * // commit
 * // pragma foreign_keys = on
 */
export async function migrate<TSchema extends Record<string, unknown>>(
  db: KeelsonSqliteDatabase<TSchema>,
  options: MigrateOptions,
): Promise<void> {
  checkInstalled()
  checkOptionNames(where, options, ['migrationsFolder', 'migrationsTable'])
  const { migrationsFolder, migrationsTable = '__drizzle_migrations' } = options
  if (typeof migrationsFolder !== 'string') {
    invalidOption(where, 'migrationsFolder', migrationsFolder, 'a path')
  }
  const session = sessionOf(db)
  if (!(session instanceof SqliteDrizzleSession) || session.isTransaction) {
    invalidOption(where, 'db', db, 'a database of @keelson/sqlite/drizzle, outside a transaction')
  }
  const migrations = readMigrationFiles({ migrationsFolder })
  // Drizzle before 0.45 does not escape quotes in identifiers.
  const table = sql.raw(quoteIdentifier(migrationsTable, 'sqlite'))
  await session.migration(async (tx) => {
    // As Drizzle has it. SERIAL means nothing to SQLite, so `id` is always null.
    await tx.run(
      sql`CREATE TABLE IF NOT EXISTS ${table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
    )
    const newest = await tx.get<{ created_at: unknown } | undefined>(
      sql`SELECT created_at FROM ${table} ORDER BY created_at DESC LIMIT 1`,
    )
    for (const migration of migrations) {
      if (newest !== undefined && Number(newest.created_at) >= migration.folderMillis) continue
      for (const statement of migration.sql) {
        if (!isBlank(statement)) await tx.run(sql.raw(statement))
      }
      await tx.run(
        sql`INSERT INTO ${table} ("hash", "created_at") VALUES(${migration.hash}, ${migration.folderMillis})`,
      )
    }
  })
}

const where = 'migrate()'

/** A custom migration that has not been written yet, or what stands behind the last breakpoint. */
function isBlank(statement: string): boolean {
  for (const { text } of sqlTokens(statement)) if (text !== ';') return false
  return true
}
