import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { loadConfig } from '../config/load-config.ts'
import { withDatabase } from '../config/open-database.ts'
import { readTables } from '../config/read-tables.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { schemaCommand } from '../schema/schema-command.ts'
import { type Finding, findingsOf } from '../schema/findings.ts'
import { paint } from '../schema/paint.ts'
import { print } from '../schema/print.ts'

/** `keelson lint`: what is wrong with tables and indexes. */
export function lintCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'lint',
    'indexes that cost more than they help, keys without one',
    'Looks at the tables of the database and at those of the configuration for indexes that are redundant or that the engine does not use, foreign keys without an index, and tables without a key. Changes nothing.',
  )
    .addHelpText('after', `\nEnds with 0 when nothing was found, else with 2.`)
    .action(async ({ config: path, json }) => {
      const config = await loadConfig(path)
      const findings: Finding[] = []
      await withDatabase(config, async (database) => {
        const { engine } = database
        if (config.tables !== undefined) {
          const tables = await readTables(config)
          findings.push(...findingsOf(tables, engine, 'definition'))
        }
        const live = findingsOf(await database.introspect({}), engine, 'database')
        findings.push(...live.filter((each) => !findings.some((other) => isSame(each, other))))
      })
      print(json, { findings }, () => [
        ...findings.map(
          ({ source, table, object, code, why, instead }) =>
            `${paint('yellow', code)} ${object === undefined ? table : `${table}.${object}`} (${source}): ${why}. ${instead}.`,
        ),
        findings.length === 0 ? paint('green', 'Nothing found.') : `${findings.length} found.`,
      ])
      end(findings.length === 0 ? exitCodes.clean : exitCodes.changes)
    })
}

/** What is wrong with a definition is wrong with the table that was made of it. */
function isSame(one: Finding, other: Finding): boolean {
  return one.table === other.table && one.object === other.object && one.code === other.code
}
