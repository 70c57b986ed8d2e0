import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { loadConfig } from '../config/load-config.ts'
import { withDatabase } from '../config/open-database.ts'
import { readTables } from '../config/read-tables.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { schemaCommand } from '../schema/schema-command.ts'
import { planLines, unsafeSteps } from '../schema/plan-lines.ts'
import { print } from '../schema/print.ts'

/** `keelson diff`: what a database lacks of its tables. */
export function diffCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'diff',
    'what has to be done for the database to have the tables',
    'Compares the tables of the database with their definitions, and prints each step with its risk, what it may cost, and its SQL. Changes nothing.',
  )
    .option('--concurrently', 'create and drop indexes while others write (PostgreSQL)')
    .addHelpText(
      'after',
      `
Ends with 0 when there is nothing to do, 2 when there are steps, 3 when one of them is destructive or keeps others from writing.

Examples:
  $ keelson diff
  $ keelson diff --json | jq '.steps[].sql[]'`,
    )
    .action(async ({ config: path, json, concurrently }) => {
      const config = await loadConfig(path)
      const tables = await readTables(config)
      const plan = await withDatabase(config, (database) =>
        database.diff(tables, concurrently === true ? { concurrently } : {}),
      )
      print(json, plan, () => planLines(plan))
      const isUnsafe = unsafeSteps(plan, { destructive: false, locking: false }).length > 0
      if (plan.steps.length === 0) end(exitCodes.clean)
      else end(isUnsafe ? exitCodes.unsafe : exitCodes.changes)
    })
}
