import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { type Emit, generateSchema } from '@keelson/indexes'
import { writeFile } from 'node:fs/promises'
import { loadConfig } from '../config/load-config.ts'
import { withDatabase } from '../config/open-database.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { listOf, schemaCommand } from '../schema/schema-command.ts'
import { print, say } from '../schema/print.ts'

const kinds = ['sql', 'drizzle', 'kysely-types'] as const

/** `keelson introspect`: what tables a database has. */
export function introspectCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'introspect',
    'write the tables of a database as code',
    'Reads the tables of the database, with their keys, checks and indexes, and prints them as code, or with --json as definitions.',
  )
    .addOption(new Option('-e, --emit <what>', 'as what').choices(kinds).default('sql' as const))
    .option('-t, --table <names>', 'only these, with commas between', listOf)
    .option('-s, --schema <name>', "the schema (default: the connection's own)")
    .option('-o, --out <file>', 'write to a file')
    .addHelpText(
      'after',
      `
Examples:
  $ keelson introspect --emit drizzle --out schema.ts
  $ keelson introspect --table users --json`,
    )
    .action(async ({ config: path, json, emit, table, schema, out }) => {
      const config = await loadConfig(path)
      const { engine, tables } = await withDatabase(config, async (database) => ({
        engine: database.engine,
        tables: await database.introspect({
          ...(table !== undefined && { tables: table }),
          ...(schema !== undefined && { schema }),
        }),
      }))
      const missing = table?.filter((name) => tables.every((each) => each.name !== name)) ?? []
      const message = `There is no table ${missing.join(', ')}.`
      if (missing.length > 0) say(message)
      const error = missing.length > 0 && { error: { code: 'NO_TABLE', message } }
      if (json === true) print(true, { engine, tables, ...error }, () => [])
      else {
        const { files, refused } = generateSchema(tables, { dialect: engine, emit: [emit as Emit] })
        const text = files.map((file) => file.text).join('\n')
        if (out === undefined) process.stdout.write(text)
        else await writeFile(out, text)
        for (const { index, why } of refused) say(`Left out: ${index}, since ${why}.`)
      }
      end(missing.length > 0 ? exitCodes.error : exitCodes.clean)
    })
}
