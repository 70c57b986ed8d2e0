import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { milliseconds } from '@keelson/core'
import { loadConfig } from '../config/load-config.ts'
import { type OpenDatabase, withDatabase } from '../config/open-database.ts'
import { readTables } from '../config/read-tables.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { schemaCommand } from '../schema/schema-command.ts'
import { isConfirmed } from '../schema/is-confirmed.ts'
import { paint } from '../schema/paint.ts'
import { nameOf, planLines, unsafeSteps } from '../schema/plan-lines.ts'
import { print, say } from '../schema/print.ts'

/** `keelson apply`: makes the database have its tables. */
export function applyCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'apply',
    'do what `keelson diff` shows',
    'Compares as `keelson diff` does, shows the steps, asks, and takes them: under a lock, in one transaction where the engine can. Run it again after it was interrupted.',
  )
    .option('-y, --yes', 'do not ask')
    .option('--allow-drop', 'take steps that lose data')
    .option('--allow-locking', 'take steps that keep others from writing meanwhile')
    .option('--backup <file>', 'copy the database into this file first (SQLite, DuckDB)')
    .option('--dry-run', 'only look, also at rows that are in the way')
    .option('--concurrently', 'create and drop indexes while others write (PostgreSQL)')
    .addHelpText(
      'after',
      `
Ends with 0 when the database has the tables, 2 when there are steps that were not taken, 3 when one of them needs a flag.

Examples:
  $ keelson apply
  $ keelson apply --yes --backup before.db
  $ keelson apply --dry-run --allow-drop`,
    )
    .action(async ({ config: path, ...options }) => {
      const config = await loadConfig(path)
      const tables = await readTables(config)
      await withDatabase(config, async (database) => {
        const { concurrently } = options
        const plan = await database.diff(tables, concurrently === true ? { concurrently } : {})
        end(await apply(database, plan, options))
      })
    })
}

interface Options {
  readonly json?: true
  readonly yes?: true
  readonly allowDrop?: true
  readonly allowLocking?: true
  readonly backup?: string
  readonly dryRun?: true
}

async function apply(
  database: OpenDatabase,
  plan: Awaited<ReturnType<OpenDatabase['diff']>>,
  { json, yes, allowDrop, allowLocking, backup, dryRun }: Options,
): Promise<ExitCode> {
  if (json !== true) print(false, plan, () => planLines(plan))
  const { steps } = plan
  if (steps.length === 0) {
    if (json === true) print(true, { plan, report: null }, () => [])
    return exitCodes.clean
  }
  const unsafe = unsafeSteps(plan, {
    destructive: allowDrop === true,
    locking: allowLocking === true,
  })
  if (unsafe.length > 0) {
    const flags = [
      ...(unsafe.some(({ risk }) => risk === 'destructive')
        ? ['--allow-drop, since data is lost']
        : []),
      ...(unsafe.some(({ risk }) => risk === 'locking')
        ? ['--allow-locking, since nobody can write meanwhile']
        : []),
    ]
    const message = `Nothing was done. ${unsafe.map(nameOf).join(', ')}: say ${flags.join(', and ')}.`
    say(message)
    const error = { code: 'NOT_ALLOWED', message }
    if (json === true) print(true, { plan, report: null, error }, () => [])
    return exitCodes.unsafe
  }
  if (
    dryRun !== true &&
    yes !== true &&
    // Who reads JSON has not seen what is asked about.
    (json === true ||
      !(await isConfirmed(
        steps.length === 1 ? 'Take this step' : `Take these ${steps.length} steps`,
      )))
  ) {
    if (json === true) print(true, { plan, report: null }, () => [])
    say('Nothing was done. Say --yes to take the steps.')
    return exitCodes.changes
  }
  const report = await database.apply(plan, {
    ...(allowDrop === true && { allowDrop }),
    ...(backup !== undefined && { backup }),
    ...(dryRun === true && { dryRun }),
    onProgress: ({ step, index, count, state }) => {
      if (state === 'started') say(`[${index + 1}/${count}] ${nameOf(step)}`)
    },
  })
  const done = dryRun === true ? 'Would take' : 'Took'
  print(json, { plan, report }, () => [
    `${paint('green', done)} ${report.applied} of ${steps.length} steps in ${milliseconds(report.elapsedMs)}.`,
  ])
  return dryRun === true ? exitCodes.changes : exitCodes.clean
}
