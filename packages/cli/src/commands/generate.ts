import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import type { EngineName } from '@keelson/core'
import { type Emit, generateSchema } from '@keelson/indexes'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { dialectOf, loadConfig, type LoadedConfig } from '../config/load-config.ts'
import { withDatabase } from '../config/open-database.ts'
import { readTables } from '../config/read-tables.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { listOf, schemaCommand } from '../schema/schema-command.ts'
import { emits } from '../schema/emits.ts'
import { paint } from '../schema/paint.ts'
import { refusedLines } from '../schema/plan-lines.ts'
import { print } from '../schema/print.ts'

/** `keelson generate`: writes tables as code. */
export function generateCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'generate',
    'write the tables as SQL, a migration, a Drizzle schema or types',
    'Writes the tables of the configuration as code. The same tables make the same files, whatever was there before.',
  )
    .option('-o, --out <folder>', "where to (default: the configuration's `out`, or generated)")
    .option('-e, --emit <what>', `what, with commas between: ${emits.join(', ')}`, listOf)
    .option('--check', 'write nothing, and end with 2 when a file is not as it would be written')
    .addHelpText(
      'after',
      `
Examples:
  $ keelson generate --emit sql,kysely-types
  $ keelson generate --check        # in CI`,
    )
    .action(async ({ config: path, json, out, emit, check }) => {
      const config = await loadConfig(path)
      const tables = await readTables(config)
      const { files, refused } = generateSchema(tables, {
        dialect: await engineOf(config),
        emit: (emit as Emit[] | undefined) ?? config.emit ?? ['sql'],
      })
      const folder =
        out === undefined ? join(config.directory, config.out ?? 'generated') : resolve(out)
      const results: { readonly path: string; readonly isChanged: boolean }[] = []
      for (const file of files) {
        const to = join(folder, file.path)
        const isChanged = (await textOf(to)) !== file.text
        if (isChanged && check !== true) {
          await mkdir(dirname(to), { recursive: true })
          await writeFile(to, file.text)
        }
        results.push({ path: relative(process.cwd(), to), isChanged })
      }
      const word = check === true ? 'would change' : 'written'
      print(json, { files: results, refused }, () => [
        ...results.map(({ path: shown, isChanged }) =>
          isChanged ? `${paint('yellow', word)} ${shown}` : `${paint('dim', 'unchanged')} ${shown}`,
        ),
        ...refusedLines(refused),
      ])
      const isStale = check === true && results.some(({ isChanged }) => isChanged)
      end(isStale ? exitCodes.changes : exitCodes.clean)
    })
}

/** Undefined where there is no such file. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function engineOf(config: LoadedConfig): Promise<EngineName> {
  if (config.dialect !== undefined || config.db === undefined) return dialectOf(config)
  return withDatabase(config, async ({ engine }) => engine)
}
