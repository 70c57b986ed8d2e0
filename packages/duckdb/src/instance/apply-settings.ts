import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { describeValue, OptionError } from '@keelson/core'
import { means, type Setting } from './settings.ts'

/** Whom a setting is made for: all who use the instance, or one connection. */
type Scope = 'global' | 'session'

/** What DuckDB is opened with. */
export function configOf(settings: readonly Setting[]): Record<string, string> {
  return Object.fromEntries(settings.map(({ name, value }) => [name, value]))
}

/**
 * Finds the settings that DuckDB does not take when it is opened, only later: opening with all of them does not tell.
 *
 * @throws {OptionError} for one that it does not take at all
 */
export async function findRefused(settings: readonly Setting[]): Promise<readonly Setting[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const refused: Setting[] = []
  try {
    for (const each of settings) {
      if (each.name === 'access_mode' || (await isTakenAtOpening(each))) continue
      await applySetting(connection, each, 'global')
      refused.push(each)
    }
    return refused
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

async function isTakenAtOpening(setting: Setting): Promise<boolean> {
  try {
    const instance = await DuckDBInstance.create(':memory:', configOf([setting]))
    instance.closeSync()
    return true
  } catch {
    return false
  }
}

/**
 * Makes a setting in an instance that is open: the settings of extensions, such as `TimeZone`, cannot be made before.
 *
 * @throws {OptionError} with the engine's error as its cause
 */
export async function applySetting(
  connection: DuckDBConnection,
  { name, value, option, given }: Setting,
  scope: Scope,
): Promise<void> {
  try {
    await connection.run(`set ${scope} ${quoted(name, '"')} = ${quoted(value, "'")}`)
  } catch (error) {
    const { message } = error as Error
    if (/unrecognized configuration parameter/.test(message)) {
      const near = /Did you mean: (.*)/.exec(message)?.[1]?.replaceAll('"', '`')
      throw new OptionError(
        'UNKNOWN_OPTION',
        option,
        `openDuckDB() cannot set \`${name}\`: DuckDB has no such setting. ` +
          (near === undefined ? 'See the names in duckdb_settings().' : `Did you mean ${near}?`),
        { cause: error },
      )
    }
    throw new OptionError(
      'INVALID_OPTION',
      option,
      `openDuckDB() cannot use ${describeValue(given)} as \`${option}\`: ${firstLine(message)}. Give a value that DuckDB takes.`,
      { cause: error },
    )
  }
}

/** Gives a new connection what DuckDB has for each connection alone, and verifies it. */
export async function applyConnectionSettings(
  connection: DuckDBConnection,
  settings: readonly Setting[],
): Promise<void> {
  for (const each of settings) await applySetting(connection, each, 'session')
  await verifySettings(connection, settings)
}

/** @throws {OptionError} `SETTING_NOT_APPLIED` when DuckDB says something else than it was told */
export async function verifySettings(
  connection: DuckDBConnection,
  settings: readonly Setting[],
): Promise<void> {
  if (settings.length === 0) return
  const list = settings.map(({ name }) => `current_setting(${quoted(name, "'")})::varchar`)
  const result = await connection.run(`select ${list.join(', ')}`)
  const [row = []] = result.getChunk(0).getRows()
  settings.forEach((each, index) => {
    const actual = String(row[index] ?? '')
    if (means(each, actual)) return
    throw new OptionError(
      'SETTING_NOT_APPLIED',
      each.option,
      `openDuckDB() set \`${each.name}\` to ${describeValue(each.given)}, and DuckDB has ${describeValue(actual)}. ` +
        'Give a value that it takes, or leave the option out.',
    )
  })
}

/** The rest lists candidates, or quotes the statement. */
export function firstLine(message: string): string {
  return message.split('\n', 1)[0]!.replace(/[.:]$/, '')
}

function quoted(text: string, quote: string): string {
  return quote + text.replaceAll(quote, quote + quote) + quote
}
