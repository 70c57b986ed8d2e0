import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeValue, invalidOption, type Steps, wait } from '@keelson/core'
import type {
  AbortableOperationOptions,
  CompiledQuery,
  DatabaseConnection,
  Kysely,
  QueryResult,
} from 'kysely'
import { checksumOf } from '../migrate/checksum.ts'
import { sourceError } from '../migrate/errors.ts'
import type { Migration } from '../migrate/migration.ts'
import type { MigrationSession } from '../migrate/migration-host.ts'
import type { Direction } from '../migrate/report.ts'

/** A migration of Kysely's, and what `migrateSafely()` may be told of it. A module of a folder exports the same names. */
export interface SafeMigration {
  up(db: Kysely<any>): Promise<void>
  down?(db: Kysely<any>): Promise<void>
  /** `false`: it cannot run in a transaction, such as PostgreSQL's `create index concurrently`. @default true */
  readonly transaction?: boolean
  /** What tells whether it was edited, in place of the source of its functions, which a compiler may change. */
  readonly checksum?: string
}

/** A folder of modules, migrations by their names, or a provider of Kysely's. */
export type MigrationSource =
  | string
  | Readonly<Record<string, SafeMigration>>
  | { getMigrations(): Promise<Readonly<Record<string, SafeMigration>>> }

/** @throws {MigrationRefusedError} `MIGRATION_SOURCE` */
export async function readSource(
  where: string,
  source: MigrationSource,
): Promise<readonly Migration[]> {
  if (typeof source === 'string') return readFolder(source)
  if (typeof source !== 'object' || source === null) {
    invalidOption(
      where,
      'migrations',
      source,
      'a folder, migrations by their names, or a MigrationProvider',
    )
  }
  const isProvider = 'getMigrations' in source && typeof source.getMigrations === 'function'
  const found = isProvider ? await source.getMigrations() : source
  return Object.entries(found as Readonly<Record<string, SafeMigration>>)
    .toSorted(byName)
    .map(([name, migration]) => {
      check(name, migration, 'The migration')
      const content = sourceOf(migration)
      const given = migration.checksum
      return migrationOf(name, migration, {
        content: given === undefined ? content : undefined,
        checksum:
          given === undefined
            ? content && checksumOf('function', content)
            : checksumOf('given', given),
      })
    })
}

/** As Kysely's `FileMigrationProvider` reads it. */
async function readFolder(folder: string): Promise<readonly Migration[]> {
  const files = await readdir(folder).catch((error: unknown) => {
    throw sourceError(
      `Cannot read the folder of migrations ${resolve(folder)}: ${(error as Error).message}. Create it, or pass the folder that ` +
        'has them: a relative one is taken from the directory in which the process was started. Nothing was migrated.',
      [],
      error,
    )
  })
  const found = new Map<string, string>()
  for (const file of files) {
    const [, name, extension] = /^(.+?)(\.d)?\.[cm]?[jt]s$/.exec(file) ?? []
    if (name === undefined || extension !== undefined) continue
    const other = found.get(name)
    if (other !== undefined) {
      throw sourceError(
        `The folder ${folder} has "${name}" twice, as ${other} and as ${file}. Keep one of them.`,
        [name],
      )
    }
    found.set(name, file)
  }
  const migrations: Migration[] = []
  for (const [name, file] of [...found].toSorted(byName)) {
    const path = resolve(join(folder, file))
    const content = await readFile(path, 'utf8')
    const module = await load(name, path)
    check(name, module, `The file ${path}`)
    const checksum =
      module.checksum === undefined
        ? checksumOf('file', content)
        : checksumOf('given', module.checksum)
    migrations.push(migrationOf(name, module, { content, checksum }))
  }
  return migrations
}

async function load(name: string, path: string): Promise<SafeMigration> {
  try {
    const module = (await import(pathToFileURL(path).href)) as Partial<SafeMigration> & {
      readonly default?: SafeMigration
    }
    return (typeof module.up === 'function' ? module : (module.default ?? module)) as SafeMigration
  } catch (error) {
    throw sourceError(
      `Cannot load migration "${name}" from ${path}: ${(error as Error).message}`,
      [name],
      error,
    )
  }
}

function check(name: string, migration: SafeMigration, what: string): void {
  const wrong =
    typeof migration?.up === 'function'
      ? migration.transaction !== undefined && typeof migration.transaction !== 'boolean'
        ? `\`transaction\` is ${describeValue(migration.transaction)}, not true or false`
        : undefined
      : 'has no function `up`'
  if (wrong === undefined) return
  throw sourceError(
    `${what} "${name}" ${wrong}. Export \`async function up(db)\`, and where wanted \`down\` and \`transaction\`.`,
    [name],
  )
}

function migrationOf(
  name: string,
  migration: SafeMigration,
  text: Pick<Migration, 'content' | 'checksum'>,
): Migration {
  return {
    name,
    ...text,
    transaction: migration.transaction !== false,
    hasDown: typeof migration.down === 'function',
    statements: undefined,
    *run(
      session: MigrationSession,
      direction: Direction,
      sending: (statement: string) => void,
    ): Steps<void> {
      yield* wait(runRecorded(session.handle as Kysely<any>, migration, direction, sending))
    },
  }
}

async function runRecorded(
  db: Kysely<any>,
  migration: SafeMigration,
  direction: Direction,
  sending: (statement: string) => void,
): Promise<void> {
  const connection = await db.getExecutor().provideConnection(async (it: DatabaseConnection) => it)
  const own = Object.getOwnPropertyDescriptor(connection, 'executeQuery')
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the connection as `this`
  const { executeQuery } = connection
  // Only here do statements have their final text; the connection belongs to this migration alone.
  connection.executeQuery = <R>(
    query: CompiledQuery,
    options?: AbortableOperationOptions,
  ): Promise<QueryResult<R>> => {
    sending(query.sql)
    return executeQuery.call(connection, query, options) as Promise<QueryResult<R>>
  }
  try {
    await (direction === 'up' ? migration.up(db) : migration.down!(db))
  } finally {
    if (own === undefined) Reflect.deleteProperty(connection, 'executeQuery')
    else Object.defineProperty(connection, 'executeQuery', own)
  }
}

/** Undefined for functions that do not show their source. */
function sourceOf(migration: SafeMigration): string | undefined {
  const texts = (['up', 'down'] as const)
    .filter((name) => migration[name] !== undefined)
    .map((name) => String(migration[name]))
  return texts.some((text) => /\{\s*\[native code\]\s*\}$/.test(text))
    ? undefined
    : texts.join('\n')
}

/** As Kysely's Migrator has them. */
function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0
}
