import type { TableDefinition } from '@keelson/indexes'
import { glob } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../errors.ts'
import type { LoadedConfig } from './load-config.ts'

/**
 * The tables of a configuration, those of modules that match its patterns among them.
 *
 * @throws {ConfigError}
 */
export async function readTables(config: LoadedConfig): Promise<readonly TableDefinition[]> {
  if (config.tables === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${config.path} has no \`tables\`. Give it definitions, tables of Drizzle, or a pattern such as 'src/tables/*.ts'.`,
    )
  }
  const tables = new Map<string, TableDefinition>()
  for (const given of [config.tables].flat()) {
    const found =
      typeof given === 'string' ? await ofModules(given, config) : await ofValues([given], config)
    if (found.length === 0) {
      throw new ConfigError(
        'INVALID_TABLES',
        typeof given === 'string'
          ? `No module that matches ${JSON.stringify(given)} in ${config.directory} exports a table. Export definitions of defineTable(), or tables of Drizzle.`
          : `\`tables\` of ${config.path} has an element that is no table. Give it definitions of defineTable(), tables of Drizzle, or patterns.`,
      )
    }
    for (const table of found) {
      const key = JSON.stringify([table.schema, table.name])
      const other = tables.get(key)
      if (other !== undefined && JSON.stringify(other) !== JSON.stringify(table)) {
        throw new ConfigError(
          'INVALID_TABLES',
          `The table ${JSON.stringify(table.name)} is defined twice, and not alike. Keep one of them.`,
        )
      }
      tables.set(key, table)
    }
  }
  return [...tables.values()]
}

async function ofModules(
  pattern: string,
  config: LoadedConfig,
): Promise<readonly TableDefinition[]> {
  const paths: string[] = []
  for await (const path of glob(pattern, { cwd: config.directory })) {
    if (!path.endsWith('.d.ts')) paths.push(resolve(config.directory, path))
  }
  const values: unknown[] = []
  for (const path of paths.toSorted()) {
    try {
      const module = (await import(pathToFileURL(path).href)) as object
      values.push(...Object.values(module).flat())
    } catch (error) {
      throw new ConfigError(
        'INVALID_TABLES',
        `Cannot load ${path}: ${(error as Error).message}. Correct it, or leave it out of the pattern ${JSON.stringify(pattern)}.`,
        { cause: error },
      )
    }
  }
  return ofValues(values, config)
}

/** What is no table is left out: modules export other things, too. */
async function ofValues(
  values: readonly unknown[],
  { casing }: LoadedConfig,
): Promise<readonly TableDefinition[]> {
  const found: TableDefinition[] = []
  for (const value of values) {
    if (isDefinition(value)) found.push(value)
    else if (isDrizzleTable(value)) {
      const { fromDrizzle } = await import('@keelson/indexes/drizzle')
      found.push(...fromDrizzle([value as never], casing === undefined ? {} : { casing }))
    }
  }
  return found
}

function isDefinition(value: unknown): value is TableDefinition {
  if (typeof value !== 'object' || value === null) return false
  const { name, columns, primaryKey, indexes, queries } = value as Partial<TableDefinition>
  return typeof name === 'string' && [columns, primaryKey, indexes, queries].every(Array.isArray)
}

function isDrizzleTable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && Symbol.for('drizzle:IsDrizzleTable') in value
  )
}
