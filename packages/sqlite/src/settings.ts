import { checkOptionNames, describeValue, invalidOption, OptionError } from '@keelson/core/base'
import Database from 'better-sqlite3'
import type { BetterSqlite3Database } from './better-sqlite3.ts'
import { SqliteOpenError } from './errors.ts'
import type { ConnectionOptions } from './options.ts'

/** Settings that an option of `openSqlite()` stands for: there is one source of configuration. */
const byOption: Readonly<Record<string, string>> = {
  journal_mode: 'A file is always in WAL mode.',
  foreign_keys: 'Use `foreignKeys`.',
  synchronous: 'Use `synchronous`.',
  busy_timeout: 'Use `busyTimeoutMs`.',
  query_only: 'Use `readOnly`, or a read-only transaction.',
}

/** Names that SQLite reads as numbers, as its documentation lists them. https://www.sqlite.org/pragma.html */
const numbersByName: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  synchronous: { off: 0, normal: 1, full: 2, extra: 3 },
  temp_store: { default: 0, file: 1, memory: 2 },
  auto_vacuum: { none: 0, full: 1, incremental: 2 },
  secure_delete: { off: 0, on: 1, fast: 2 },
}

const shapesFile = new Set(['page_size', 'auto_vacuum', 'encoding'])

/**
 * Sets up a connection and reads every setting back.
 *
 * @throws {SqliteOpenError} `WAL_UNAVAILABLE`
 * @throws {OptionError} `SETTING_NOT_APPLIED`
 */
export function applySettings(
  database: BetterSqlite3Database,
  options: ConnectionOptions,
  isReader: boolean,
): void {
  const pragmas = Object.entries(options.pragmas)
  // These shape a new file, and must be set before anything, WAL included, is written to it.
  const shape = pragmas.filter(([name]) => shapesFile.has(name))
  if (!isReader)
    for (const [name, value] of shape) setPragma(database, name, value, `pragmas.${name}`)
  if (!options.readOnly && !isReader && !database.memory)
    useWriteAheadLog(database, options.busyTimeoutMs)
  const defaults: Record<string, string | number | boolean> = {
    foreign_keys: options.foreignKeys,
    synchronous: options.synchronous,
    // Inserting many rows into a table with a UNIQUE index writes a statement journal; in memory it costs half.
    temp_store: 'memory',
    // Keeps a log that grew once from staying that large.
    ...(database.memory ? {} : { journal_size_limit: 64 * 1024 * 1024 }),
    ...(isReader ? { query_only: true } : {}),
  }
  for (const [name, value] of Object.entries(defaults)) setPragma(database, name, value)
  for (const [name, value] of pragmas) {
    if (!shapesFile.has(name)) setPragma(database, name, value, `pragmas.${name}`)
  }
}

/** Refuses what cannot be a setting, before anything is opened. */
export function checkPragmas(pragmas: ConnectionOptions['pragmas']): void {
  for (const [name, value] of Object.entries(pragmas)) {
    const option = byOption[name.toLowerCase()]
    if (option !== undefined) {
      throw new OptionError(
        'INVALID_OPTION',
        `pragmas.${name}`,
        `\`pragmas.${name}\` is not set here. ${option}`,
      )
    }
    const usable =
      typeof value === 'boolean' ||
      typeof value === 'string' ||
      (typeof value === 'number' && Number.isFinite(value))
    if (!usable)
      invalidOption(
        'openSqlite()',
        `pragmas.${name}`,
        value,
        'a string, a finite number, true or false',
      )
  }
  if (Object.keys(pragmas).length > 0) checkPragmaNames(pragmas)
}

function useWriteAheadLog(database: BetterSqlite3Database, busyTimeoutMs: number): void {
  let mode: unknown
  try {
    mode = whenNotBusy(() => database.pragma('journal_mode = wal', { simple: true }), busyTimeoutMs)
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    throw new SqliteOpenError(
      'WAL_UNAVAILABLE',
      `${database.name} could not be switched to WAL mode, because another connection is using it in another mode. Close that connection, or switch the file while nobody else has it open.`,
      { cause: error },
    )
  }
  if (mode === 'wal') return
  throw new SqliteOpenError(
    'WAL_UNAVAILABLE',
    `${database.name} stays in journal mode "${String(mode)}" instead of WAL, as on network disks, which lack shared memory. Keep the file on a local disk.`,
  )
}

/** SQLite's own busy handler does not wait here, where two processes that open a new file at once both want it. */
function whenNotBusy<T>(attempt: () => T, timeoutMs: number): T {
  const start = performance.now()
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      const isBusy = (error as { code?: string }).code === 'SQLITE_BUSY'
      if (!isBusy || performance.now() - start >= timeoutMs) throw error
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

function checkPragmaNames(pragmas: object): void {
  const database = new Database(':memory:')
  const known = database.prepare('select name from pragma_pragma_list').all() as { name: string }[]
  database.close()
  checkOptionNames(
    '`pragmas`',
    pragmas,
    known.map(({ name }) => name),
  )
}

function setPragma(
  database: BetterSqlite3Database,
  name: string,
  value: string | number | boolean,
  option: string = name,
): void {
  const sql = `${name} = ${typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : Number(value)}`
  try {
    database.pragma(sql)
  } catch (error) {
    throw notApplied(option, value, `it says "${(error as Error).message}"`, { cause: error })
  }
  const got = database.pragma(name, { simple: true })
  if (normalised(name, got) === normalised(name, value)) return
  throw notApplied(
    option,
    value,
    `it reports ${got === undefined ? 'nothing' : describeValue(got)}`,
  )
}

function notApplied(
  option: string,
  value: unknown,
  answer: string,
  cause?: ErrorOptions,
): OptionError {
  return new OptionError(
    'SETTING_NOT_APPLIED',
    option,
    `SQLite did not apply \`${option}\`: asked for ${describeValue(value)}, ${answer}. ` +
      'Use a value that it accepts here (https://www.sqlite.org/pragma.html), or leave the setting out.',
    cause,
  )
}

function normalised(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0'
  const text = String(value).toLowerCase()
  return String(
    numbersByName[name]?.[text] ??
      { on: 1, yes: 1, true: 1, off: 0, no: 0, false: 0 }[text] ??
      text,
  )
}
