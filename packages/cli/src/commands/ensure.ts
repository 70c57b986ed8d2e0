import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { NotAdditiveError } from '@keelson/indexes'
import { loadConfig } from '../config/load-config.ts'
import { withDatabase } from '../config/open-database.ts'
import { readTables } from '../config/read-tables.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { schemaCommand } from '../schema/schema-command.ts'
import { nameOf } from '../schema/plan-lines.ts'
import { print, say } from '../schema/print.ts'

/** `keelson ensure`: creates what is missing. */
export function ensureCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'ensure',
    'create tables and indexes that are missing, and change nothing else',
    'Creates the tables and indexes that the database lacks. Safe to run from many processes at once, for example at every start of an application.',
  )
    .addHelpText(
      'after',
      `
Ends with 0 when the database has them, 3 when one is there otherwise than it is defined: see \`keelson diff\`.`,
    )
    .action(async ({ config: path, json }) => {
      const config = await loadConfig(path)
      const tables = await readTables(config)
      try {
        await withDatabase(config, (database) => database.ensure(tables))
      } catch (error) {
        if (!(error instanceof NotAdditiveError)) throw error
        const { code, message, steps } = error
        say(`${code}: ${message}`)
        print(json, { error: { code, message, steps } }, () => steps.map(nameOf))
        end(exitCodes.unsafe)
        return
      }
      const names = tables.map(({ name }) => name)
      print(json, { tables: names }, () => [`The database has ${names.join(', ')}.`])
      end(exitCodes.clean)
    })
}
