import { statSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { KeelsonError, OptionError } from '@keelson/core'
import { ThreadBudget } from '../connection/thread-budget.ts'
import { DuckDBOpenError } from '../errors.ts'
import { applySetting, configOf, findRefused, firstLine, verifySettings } from './apply-settings.ts'
import type { Setting } from './settings.ts'

/**
 * Opens an instance and verifies its settings.
 *
 * @param path the real path, or `':memory:'`
 * @throws {OptionError} for a setting that DuckDB does not know, does not take or did not apply
 * @throws {DuckDBOpenError} for a file that it cannot open. Nothing is left open.
 */
export async function openInstance(
  path: string,
  settings: readonly Setting[],
): Promise<DuckDBInstance> {
  checkClient()
  const { instance, left } = await create(path, settings)
  try {
    const connection = await instance.connect()
    try {
      for (const setting of left) await applySetting(connection, setting, 'global')
      await verifySettings(connection, settings)
      if (path !== ':memory:') await refuseOtherFiles(connection, path)
    } finally {
      connection.closeSync()
    }
    return instance
  } catch (error) {
    instance.closeSync()
    if (error instanceof OptionError || error instanceof DuckDBOpenError) throw error
    throw new DuckDBOpenError(
      'OPEN_FAILED',
      `${path} was opened, but with its settings nothing can be done: ${(error as Error).message}. Check \`settings\`.`,
      { cause: error },
    )
  }
}

/** Of a CSV, JSON or Parquet file DuckDB makes a view in a database that is in memory, and gone when it is closed. */
async function refuseOtherFiles(connection: DuckDBConnection, path: string): Promise<void> {
  const result = await connection.run(
    'select path from duckdb_databases() where database_name = current_database()',
  )
  const [file] = result.getChunk(0).getColumnValues(0)
  if (typeof file === 'string') return
  throw new DuckDBOpenError(
    'NOT_A_DATABASE',
    `${path} holds data, and is not a DuckDB database. Open another file or ':memory:', and read this one in a query: ` +
      "select * from 'file'. Nothing was changed in it.",
  )
}

interface Created {
  readonly instance: DuckDBInstance
  /** Settings that are still to be made. */
  readonly left: readonly Setting[]
}

async function create(path: string, settings: readonly Setting[]): Promise<Created> {
  try {
    return { instance: await open(path, settings), left: [] }
  } catch (error) {
    const left = await forLater(error as Error, settings)
    if (left.length === 0) throw openError(path, error as Error)
    const rest = await create(
      path,
      settings.filter((setting) => !left.includes(setting)),
    )
    return { instance: rest.instance, left: [...left, ...rest.left] }
  }
}

/**
 * Those that DuckDB takes only once it is open.
 *
 * @throws {OptionError} when there is one that it does not take at all
 */
async function forLater(
  { message }: Error,
  settings: readonly Setting[],
): Promise<readonly Setting[]> {
  const ofExtensions =
    /options were not recognized: (.*)/.exec(message)?.[1] ??
    /To set the (\S+) setting, the \S+ extension needs to be loaded/.exec(message)?.[1]
  if (ofExtensions !== undefined) {
    const names = ofExtensions.toLowerCase().split(/,\s*/)
    return settings.filter(({ name }) => names.includes(name.toLowerCase()))
  }
  // Everything else says what is wrong with the file.
  return /set config|Syntax Error|Settings Error/.test(message) ? findRefused(settings) : []
}

function open(path: string, settings: readonly Setting[]): Promise<DuckDBInstance> {
  const config = configOf(settings)
  // Code that takes the same file from the client's cache shares it then, or is refused.
  const isShared = path !== ':memory:'
  return ThreadBudget.shared.run(
    () => (isShared ? DuckDBInstance.fromCache(path, config) : DuckDBInstance.create(path, config)),
    undefined,
  )
}

function openError(path: string, error: Error): DuckDBOpenError {
  const { message } = error
  const failed = (code: DuckDBOpenError['code'], text: string): DuckDBOpenError =>
    new DuckDBOpenError(code, `${path} ${text}`, { cause: error })
  if (/different configuration/.test(message)) {
    return failed(
      'OPEN_IN_THIS_PROCESS',
      'is open in this process with other settings, by code that uses @duckdb/node-api itself. Pass that instance as ' +
        '`instance`, or close it first.',
    )
  }
  if (/Could not set lock/.test(message)) {
    const holder = /\(PID (\d+)\)/.exec(message)?.[1]
    return failed(
      'FILE_LOCKED',
      `is open in another process${holder === undefined ? '' : ` (PID ${holder})`}, and one process at a time can ` +
        'have a DuckDB file open for writing. Close it there, or open it with `readOnly` in every process.',
    )
  }
  if (/not a valid DuckDB database file/.test(message)) {
    return failed(
      'NOT_A_DATABASE',
      isEmpty(path)
        ? 'is an empty file, which is not a DuckDB database. Delete it, and it is created.'
        : 'is not a DuckDB database. Check the path; nothing was changed in the file.',
    )
  }
  if (/newer version of DuckDB/.test(message)) {
    return failed(
      'OPEN_FAILED',
      `was written by a newer DuckDB: ${firstLine(message)}. Install a newer @duckdb/node-api; nothing was changed in the file.`,
    )
  }
  if (/Corrupt database file|Could not read enough bytes/.test(message)) {
    return failed(
      'OPEN_FAILED',
      `is damaged or cut short: ${firstLine(message)}. Restore it from a backup; nothing was changed in the file.`,
    )
  }
  const advice = message.startsWith('Out of Memory')
    ? 'Give a larger `memoryLimit`.'
    : 'Check that the file was written by this version of DuckDB or an older one, and the permissions of the file and its directory.'
  return failed('OPEN_FAILED', `could not be opened: ${message}. ${advice}`)
}

function isEmpty(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === 0
}

/** Its peer range has to take every version, since all of them are pre-releases to npm. */
function checkClient(): void {
  if (typeof DuckDBInstance.fromCache === 'function') return
  throw new KeelsonError(
    'UNSUPPORTED_CLIENT',
    '@keelson/duckdb needs @duckdb/node-api 1.3 or newer, and the one that is installed has no instance cache. Install a newer one.',
  )
}
