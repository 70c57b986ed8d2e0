import { Holder } from '@keelson/core'
import type { Kysely } from 'kysely'
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
import { KyselyHistory } from './migration-history.ts'
import { KyselyMigrationHost } from './migration-line.ts'
import { type MigrationSource, readSource } from './migration-source.ts'

export interface MigrateOptions extends CommonMigrateOptions {
  /** A folder of modules that export `up`, migrations by their names, or a `MigrationProvider`. They run in the order of their names. */
  readonly migrations: MigrationSource
  /** The table that remembers what has been applied, that of Kysely's `Migrator`. @default 'kysely_migration' */
  readonly historyTable?: string | undefined
  /** The schema of that table (`migrationTableSchema` of the `Migrator`). @default the connection's own */
  readonly historySchema?: string | undefined
}

/**
 * Applies the migrations that have not been applied, each in a transaction with its row of the history, so that it is there
 * as a whole or not at all. A database that Kysely's `Migrator` has migrated goes on from there.
 *
 * One at a time migrates, among processes too: the lock is taken before the history is read. It refuses, before anything
 * runs, what was edited after it had been applied, what is missing, and what comes before something that has been applied;
 * and before it commits, rows that lost their parent (SQLite) and rows gone from tables that the SQL does not name.
 * `transaction: false` in a migration, and every migration on MySQL, runs without a transaction, between two marks: one
 * that did not come to its end is refused until `repairMigration()` has been told what became of it.
 *
 * @param db outside a transaction
 * @returns what was done
 * @throws {MigrationRefusedError} see its `code`; of the migration that it names nothing was kept
 * @throws {MigrationFailedError} with the error of the engine, or of the migration, as its `cause`
 * @throws {MigrationLockError} after `lockTimeoutMs`
 * @throws {OptionError}
 *
 * @example
 * await migrateSafely(db, { migrations: './migrations' })
 * // begin
 * // select pg_try_advisory_xact_lock(...)
 * // select name, timestamp from "kysely_migration"
 * // (the statements of the migration)
 * // insert into "kysely_migration" (name, timestamp) values ($1, $2)
 * // commit
 */
export async function migrateSafely(
  db: Kysely<any>,
  options: MigrateOptions,
): Promise<MigrationReport> {
  return runMigrations(await jobOf('migrateSafely()', db, options, migrateOptions))
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
 * await repairMigration(db, { migrations: './migrations', name: '0007_index', as: 'done' })
 */
export async function repairMigration(db: Kysely<any>, options: RepairOptions): Promise<void> {
  const { name, as, ...rest } = options
  return repair(await jobOf('repairMigration()', db, rest, repairOptions), name, as)
}

async function jobOf(
  where: string,
  db: Kysely<any>,
  options: MigrateOptions,
  known: readonly string[],
): Promise<MigrationJob> {
  const holder = new Holder('migration')
  const normal = normaliseMigrateOptions(where, options, known)
  const host = new KyselyMigrationHost(db, where)
  const { historyTable, historySchema } = options
  checkHistoryName(where, 'historyTable', historyTable, host.engine)
  checkHistoryName(where, 'historySchema', historySchema, host.engine)
  const history = new KyselyHistory(host.engine, historyTable, historySchema)
  return {
    where,
    host,
    history,
    migrations: await readSource(where, options.migrations),
    options: normal,
    holder,
  }
}
