import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { milliseconds } from '@keelson/core'
import { type MigrationEvent, type MigrationReport, MigrationRefusedError } from '@keelson/indexes'
import { join } from 'node:path'
import { loadConfig } from '../config/load-config.ts'
import { withDatabase } from '../config/open-database.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { listOf, schemaCommand } from '../schema/schema-command.ts'
import { paint } from '../schema/paint.ts'
import { print, say } from '../schema/print.ts'

/** `keelson migrate`: applies migrations that were written by hand, or by drizzle-kit. */
export function migrateCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'migrate',
    'apply the migrations of a folder, safely',
    'Applies the migrations of the configuration that the database has not: one process at a time, each in a transaction, none that was edited, is missing or comes too late. Works on what Kysely or Drizzle have migrated before.',
  )
    .option('--to <name>', 'the last one to apply')
    .option('--down <what>', 'undo: last, all, or those behind the one that is named; needs --yes')
    .option('-y, --yes', 'undo without asking')
    .option('--backup <file>', 'copy the database into this file first (SQLite, DuckDB)')
    .option('--dry-run', 'only tell what would be done')
    .option('--allow-out-of-order', 'apply also what comes before something that has been applied')
    .option('--allow-data-loss <tables>', 'tables that may lose rows, with commas between', listOf)
    .addHelpText(
      'after',
      `
Ends with 0 when all are applied, 2 when some would be (--dry-run), 3 when they were refused.

Examples:
  $ keelson migrate --dry-run
  $ keelson migrate --backup before.db
  $ keelson migrate --down last --yes`,
    )
    .action(async ({ config: path, json, down, yes, ...options }) => {
      const config = await loadConfig(path)
      if (down !== undefined && yes !== true && options.dryRun !== true) {
        const message = `Nothing was done. Undoing ${down} loses what the migrations have made: say --yes.`
        say(message)
        if (json === true) print(true, { error: { code: 'NOT_CONFIRMED', message } }, () => [])
        end(exitCodes.unsafe)
        return
      }
      const isWord = down === 'last' || down === 'all'
      try {
        const report = await withDatabase(config, (database) =>
          database.migrate({
            ...options,
            migrations: join(config.directory, config.migrations ?? 'migrations'),
            down: down === undefined || isWord ? down : { to: down },
            onProgress: (event) => say(sentenceOf(event)),
          }),
        )
        print(json, report, () => linesOf(report))
        end((report.plan ?? []).length > 0 ? exitCodes.changes : exitCodes.clean)
      } catch (error) {
        if (!(error instanceof MigrationRefusedError) || isOurs.has(error.code)) throw error
        const { code, message, migrations } = error
        say(`${paint('red', 'refused')} ${code}: ${message}`)
        if (json === true) print(true, { error: { code, message, migrations } }, () => [])
        end(exitCodes.unsafe)
      }
    })
}

/** What was asked for wrongly, and is not unsafe. */
const isOurs: ReadonlySet<string> = new Set([
  'MIGRATION_SOURCE',
  'MIGRATION_BACKUP',
  'MIGRATION_NO_DOWN',
])

function sentenceOf(event: MigrationEvent): string {
  switch (event.kind) {
    case 'waiting':
      return `Waiting for ${event.holder ?? 'somebody else'} to end.`
    case 'adopted':
      return `${event.name} had been applied before.`
    case 'backedUp':
      return `Backed up into ${event.backup.path}.`
    case 'started':
      return `${event.direction === 'up' ? 'Applying' : 'Undoing'} ${event.name}`
    case 'finished':
      return `${event.name} took ${milliseconds(event.durationMs)}.`
  }
}

function linesOf({ applied, undone, skipped, pending, plan }: MigrationReport): string[] {
  if (plan !== undefined) {
    if (plan.length === 0)
      return [`${paint('green', 'Nothing to do')}: ${skipped.length} are applied.`]
    return plan.flatMap(({ name, statements, why }) => [
      `${paint('yellow', 'would run')} ${name}`,
      ...(statements?.map((statement) => `${statement.trim().replace(/;$/, '')};`) ?? [
        `-- ${why ?? 'unknown'}`,
      ]),
    ])
  }
  return [
    ...applied.map(({ name }) => `${paint('green', 'applied')} ${name}`),
    ...undone.map(({ name }) => `${paint('yellow', 'undone')} ${name}`),
    `${skipped.length} were applied before, ${pending.length} are left.`,
  ]
}
