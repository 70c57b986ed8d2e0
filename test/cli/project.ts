import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { type Ended, keelsonWithin } from './keelson.ts'

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** A folder with a `keelson.config.ts`, in which packages are found as if they were installed. */
export interface Project {
  readonly directory: string
  write(path: string, text: string): void
  run(...args: readonly string[]): Promise<Ended>
  /** What a run with `--json` has printed. */
  json(...args: readonly string[]): Promise<{ readonly code: number | null; readonly value: any }>
}

export function project(files: Readonly<Record<string, string>>): Project {
  const directory = temporaryDirectory()
  symlinkSync(modules, join(directory, 'node_modules'))
  const write: Project['write'] = (path, text) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  write('package.json', '{ "type": "module" }')
  for (const [path, text] of Object.entries(files)) write(path, text)
  const run: Project['run'] = (...args) => keelsonWithin(directory, ...args)
  return {
    directory,
    write,
    run,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args, '--json')
      try {
        return { code, value: JSON.parse(stdout) }
      } catch (error) {
        throw new Error(stdout + stderr, { cause: error })
      }
    },
  }
}

/** Opens `notes.db` of the folder that the command runs in. */
export const sqlite = `import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely } from 'kysely'
const open = () => new Kysely({ dialect: new SqliteDialect({ path: 'notes.db' }) })`

/** A configuration with one table of `defineTable()`, in a module of its own. */
export function configOf(open: string): Record<string, string> {
  return {
    'keelson.config.ts': `import { defineConfig } from 'keelson'\n${open}\nexport default defineConfig({ db: open, tables: 'tables/*.ts' })\n`,
  }
}

/** Tables of zod: `fields` of `notes`, and what is indexed. */
export function notes(fields: string, parts = ''): string {
  return `import { defineTable } from '@keelson/indexes'
import { z } from 'zod'
export const somethingElse = 1
export const notes = defineTable('notes', z.object({ id: z.int().meta({ db: { primaryKey: true } }), ${fields} })${parts})
`
}
