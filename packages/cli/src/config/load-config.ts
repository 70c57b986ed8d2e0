import { checkOptionNames, type EngineName, engineTraits, invalidOption } from '@keelson/core'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { emits } from '../schema/emits.ts'
import { ConfigError } from '../errors.ts'
import type { Config } from './config.ts'

/** A configuration, and where it is. */
export interface LoadedConfig extends Config {
  readonly path: string
  readonly directory: string
}

const names = ['ts', 'mts', 'js', 'mjs'].map((extension) => `keelson.config.${extension}`)

/**
 * Loads `keelson.config.ts` of a folder, whose types Node strips by itself.
 *
 * @param given a path in its place
 * @throws {ConfigError}
 * @throws {OptionError} for what it says and nobody reads
 */
export async function loadConfig(given: string | undefined): Promise<LoadedConfig> {
  const path = given === undefined ? find(process.cwd()) : resolve(given)
  if (path === undefined || !existsSync(path)) {
    throw new ConfigError(
      'NO_CONFIG',
      given === undefined
        ? `There is no ${names[0]} in ${process.cwd()}. Write one that exports defineConfig({ db, tables }) of "keelson", or name it by --config.`
        : `There is no ${given}. Name a module that exports defineConfig({ db, tables }) of "keelson".`,
    )
  }
  const config = await importConfig(path)
  check(config, path)
  return { ...config, path, directory: dirname(path) }
}

function find(directory: string): string | undefined {
  return names.map((name) => join(directory, name)).find((path) => existsSync(path))
}

async function importConfig(path: string): Promise<Config> {
  let module: { readonly default?: unknown }
  try {
    module = (await import(pathToFileURL(path).href)) as typeof module
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const instead =
      code === 'ERR_UNKNOWN_FILE_EXTENSION'
        ? ` Node ${process.version} does not strip types: use Node 22.18 or later, or write keelson.config.js.`
        : ''
    throw new ConfigError('CONFIG_NOT_LOADED', `Cannot load ${path}: ${message}${instead}`, {
      cause: error,
    })
  }
  const config = module.default
  if (typeof config === 'object' && config !== null) return config
  throw new ConfigError(
    'INVALID_CONFIG',
    `${path} has no default export that is an object. Write \`export default defineConfig({ ... })\`.`,
  )
}

const options = ['db', 'close', 'dialect', 'tables', 'casing', 'out', 'emit', 'migrations']

function check(config: Config, path: string): void {
  checkOptionNames(path, config, options)
  const { db, close, dialect, tables, out, emit, migrations } = config
  if (db !== undefined && typeof db !== 'function')
    invalidOption(path, 'db', db, 'a function that opens a database: `() => new Kysely(...)`')
  if (close !== undefined && typeof close !== 'function')
    invalidOption(path, 'close', close, 'a function')
  if (dialect !== undefined && !Object.hasOwn(engineTraits, dialect))
    invalidOption(path, 'dialect', dialect, Object.keys(engineTraits).join(', '))
  if (tables !== undefined && (tables === null || !['string', 'object'].includes(typeof tables)))
    invalidOption(path, 'tables', tables, 'tables, or patterns of modules that export them')
  for (const [name, value] of Object.entries({ out, migrations })) {
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      invalidOption(path, name, value, 'the path of a folder')
  }
  if (emit !== undefined && !(Array.isArray(emit) && emit.every((each) => emits.includes(each))))
    invalidOption(path, 'emit', emit, `an array of ${emits.join(', ')}`)
}

/** @throws {ConfigError} where the engine is not known without a database */
export function dialectOf(config: LoadedConfig): EngineName {
  if (config.dialect !== undefined) return config.dialect
  throw new ConfigError(
    'INVALID_CONFIG',
    `${config.path} names no engine. Give it \`dialect: 'sqlite'\` or another one, or a \`db\`.`,
  )
}
