import { Holder } from '@keelson/core'
import {
  type CommonMigrateOptions,
  checkHistoryName,
  migrateOptions,
  normaliseMigrateOptions,
  repairOptions,
} from '../migrate/options.ts'
import { type MigrationRepair, repair } from '../migrate/repair-migration.ts'
import type { MigrationReport } from '../migrate/report.ts'
import { type MigrationJob, runMigrations } from '../migrate/run-migrations.ts'
import type { AnyDatabase } from './drizzle-host.ts'
import { readMigrationFolder } from './migration-folder.ts'
import { DrizzleHistory } from './migration-history.ts'
import { DrizzleMigrationHost } from './migration-line.ts'

export interface MigrateOptions extends CommonMigrateOptions {
  /** The folder that `drizzle-kit generate` writes to, with `meta/_journal.json` in it. */
  readonly migrations: string
  /** The table that remembers what has been applied, that of Drizzle's `migrate()`. @default '__drizzle_migrations' */
  readonly historyTable?: string | undefined
  /** The schema of that table. @default 'drizzle' on PostgreSQL and DuckDB */
  readonly historySchema?: string | undefined
}

/**
 * Applies the migrations of drizzle-kit that have not been applied, each in a transaction with its row of the history, so
 * that it is there as a whole or not at all. A database that Drizzle's `migrate()` has migrated goes on from there.
 *
 * One at a time migrates, among processes too: the lock is taken before the history is read. It refuses, before anything
 * runs, what was edited after it had been applied, what is missing, and what comes before something that has been applied;
 * and before it commits, rows that lost their parent (SQLite) and rows gone from tables that the SQL does not name.
 * A file with the line `-- keelson: no transaction`, and every migration on MySQL, runs without a transaction, between two
 * marks: one that did not come to its end is refused until `repairMigration()` has been told what became of it.
 *
 * @param db outside a transaction
 * @returns what was done
 * @throws {MigrationRefusedError} see its `code`; of the migration that it names nothing was kept
 * @throws {MigrationFailedError} with the error of the driver as its `cause`
 * @throws {MigrationLockError} after `lockTimeoutMs`
 * @throws {OptionError}
 *
 * @example
 * await migrateSafely(db, { migrations: './drizzle' })
 * // pragma foreign_keys = off
 * // begin immediate
 * // select hash, created_at from "__drizzle_migrations"
 * // (the statements of the migration)
 * // insert into "__drizzle_migrations" (hash, created_at) values (?, ?)
 * // commit
 * // pragma foreign_keys = on
 */
export async function migrateSafely(
  db: AnyDatabase,
  options: MigrateOptions,
): Promise<MigrationReport> {
  return runMigrations(jobOf('migrateSafely()', db, options, migrateOptions))
}

/** Which migration, and what it is. */
export interface RepairOptions extends Pick<
  MigrateOptions,
  'migrations' | 'historyTable' | 'historySchema' | 'lockTimeoutMs'
> {
  readonly name: string
  /**
   * `'done'`: the database has all of it. `'undone'`: it has nothing of it, and the history forgets it. `'edited'`: it has
   * what the text says now.
   */
  readonly as: MigrationRepair
}

/**
 * Says in the history what a migration is, after somebody has looked at the database. It runs no migration.
 *
 * @throws {OptionError} for a migration that cannot be that
 * @throws {MigrationLockError}
 *
 * @example
 * await repairMigration(db, { migrations: './drizzle', name: '0007_index', as: 'done' })
 */
export async function repairMigration(db: AnyDatabase, options: RepairOptions): Promise<void> {
  const { name, as, ...rest } = options
  return repair(jobOf('repairMigration()', db, rest, repairOptions), name, as)
}

function jobOf(
  where: string,
  db: AnyDatabase,
  options: MigrateOptions,
  known: readonly string[],
): MigrationJob {
  const holder = new Holder('migration')
  const normal = normaliseMigrateOptions(where, options, known)
  const host = new DrizzleMigrationHost(db, where)
  const { historyTable, historySchema } = options
  checkHistoryName(where, 'historyTable', historyTable, host.engine)
  checkHistoryName(where, 'historySchema', historySchema, host.engine)
  const migrations = readMigrationFolder(where, options.migrations, host.engine)
  const history = new DrizzleHistory(host.engine, migrations, historyTable, historySchema)
  return { where, host, history, migrations, options: normal, holder }
}
