import { invalidOption, OptionError } from '@keelson/core'
import type { ResolvedDuckDBOptions } from '../options.ts'
import { localSettings } from './local-settings.ts'

/** A setting of DuckDB, and the option it comes from. */
export interface Setting {
  readonly name: string
  /** The text that DuckDB is given. */
  readonly value: string
  readonly option: string
  /** What the user gave. */
  readonly given: unknown
}

/** The settings that have an option of their own, and it. */
const reserved: ReadonlyMap<string, string> = new Map([
  ['threads', 'threads'],
  ['worker_threads', 'threads'],
  ['memory_limit', 'memoryLimit'],
  ['max_memory', 'memoryLimit'],
  ['temp_directory', 'tempDirectory'],
  ['access_mode', 'readOnly'],
  ['autoinstall_known_extensions', 'autoInstallExtensions'],
  ['autoload_known_extensions', 'autoLoadExtensions'],
])

/**
 * What the instance is opened with.
 *
 * @throws {OptionError} for a setting that has an option of its own, or no value that DuckDB could take
 */
export function settingsOf(options: ResolvedDuckDBOptions): readonly Setting[] {
  const { threads, memoryLimit, tempDirectory, readOnly } = options
  const { autoInstallExtensions, autoLoadExtensions } = options
  const accessMode = readOnly ? 'READ_ONLY' : 'AUTOMATIC'
  const settings: Setting[] = [
    { name: 'access_mode', value: accessMode, option: 'readOnly', given: readOnly },
    setting('autoinstall_known_extensions', autoInstallExtensions, 'autoInstallExtensions'),
    setting('autoload_known_extensions', autoLoadExtensions, 'autoLoadExtensions'),
  ]
  if (threads !== undefined) settings.push(setting('threads', threads, 'threads'))
  if (memoryLimit !== undefined) {
    const value = typeof memoryLimit === 'number' ? `${memoryLimit}B` : memoryLimit
    settings.push({ name: 'memory_limit', value, option: 'memoryLimit', given: memoryLimit })
  }
  if (tempDirectory !== undefined)
    settings.push(setting('temp_directory', tempDirectory, 'tempDirectory'))
  return [...settings, ...furtherSettings(options).filter((each) => !isLocal(each))]
}

/** What each connection is given, since DuckDB has it for each connection alone. */
export function connectionSettingsOf(options: ResolvedDuckDBOptions): readonly Setting[] {
  return furtherSettings(options).filter(isLocal)
}

function isLocal({ name }: Setting): boolean {
  return localSettings.has(name.toLowerCase())
}

function furtherSettings({ settings }: ResolvedDuckDBOptions): Setting[] {
  return Object.entries(settings).map(([name, value]) => {
    const option = `settings.${name}`
    const own = reserved.get(name.toLowerCase())
    if (own !== undefined)
      throw new OptionError(
        'INVALID_OPTION',
        option,
        `openDuckDB() takes \`${name}\` as its option \`${own}\`, so that there is one place for it. Move it there.`,
      )
    if (!isPlain(value))
      invalidOption('openDuckDB()', option, value, 'a string, a finite number or a boolean')
    return setting(name, value, option)
  })
}

function isPlain(value: unknown): boolean {
  return typeof value === 'number'
    ? Number.isFinite(value)
    : /^(string|boolean)$/.test(typeof value)
}

function setting(name: string, given: string | number | boolean, option: string): Setting {
  return { name, value: String(given), option, given }
}

/** Whether two settings of one name come to the same, as `1GB` and `1000MB` do. */
export function isSameValue(one: Setting | undefined, other: Setting | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  if (one.value === other.value) return true
  const size = sizeOf(one.value)
  return size !== undefined && size.bytes === sizeOf(other.value)?.bytes
}

/** Whether what DuckDB says it has is what it was told. */
export function means({ value }: Setting, actual: string): boolean {
  if (plain(value) === plain(actual)) return true
  if (actual !== '' && value.trim() !== '' && Number(value) === Number(actual)) return true
  const [wanted, got] = [sizeOf(value), sizeOf(actual)]
  // It prints sizes with one decimal, and cuts the others off: `1.8 GiB` for 2 GB.
  return (
    wanted !== undefined &&
    got !== undefined &&
    Math.abs(wanted.bytes - got.bytes) <= 0.101 * got.unit
  )
}

/** Without what makes no difference in a truth value, a list of names, or a list of directories in brackets. */
function plain(text: string): string {
  const bare = text.trim().toLowerCase()
  const items = bare
    .replaceAll(/^\[|\]$/g, '')
    .split(',')
    .map((item) => item.replaceAll(/^[\s'"]+|[\s'"/]+$/g, ''))
  if (bare.startsWith('[')) items.sort()
  const joined = items.join()
  return { true: '1', false: '0' }[joined] ?? joined
}

const units: Readonly<Record<string, number>> = {
  b: 1,
  byte: 1,
  bytes: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

function sizeOf(text: string): { readonly bytes: number; readonly unit: number } | undefined {
  const size = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim())
  const unit = units[size?.[2]?.toLowerCase() ?? '']
  return unit === undefined ? undefined : { bytes: Number(size![1]) * unit, unit }
}
