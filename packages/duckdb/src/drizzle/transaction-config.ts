import { checkOptionNames, describeValue, invalidOption, OptionError } from '@keelson/core'
import type { BeginOptions } from '../contract.ts'

/** How a transaction begins. DuckDB has one isolation level, a snapshot, and nothing to defer. */
export interface DuckDBTransactionConfig {
  /** `'read only'` makes DuckDB refuse every write in it. @default 'read write' */
  readonly accessMode?: 'read only' | 'read write'
}

const where = 'transaction()'

/** @throws {OptionError} for what DuckDB does not have, by its name */
export function beginOptions(config: DuckDBTransactionConfig = {}): BeginOptions {
  if (typeof config !== 'object' || config === null) {
    invalidOption(where, 'config', config, "an object such as { accessMode: 'read only' }")
  }
  checkOptionNames(where, config, ['accessMode', ...Object.keys(unavailable)])
  for (const [name, reason] of Object.entries(unavailable)) {
    const value = (config as Record<string, unknown>)[name]
    if (value === undefined) continue
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `${where} cannot use ${describeValue(value)} as \`${name}\`: ${reason} Leave it out.`,
    )
  }
  const { accessMode } = config
  if (accessMode !== undefined && accessMode !== 'read only' && accessMode !== 'read write') {
    invalidOption(where, 'accessMode', accessMode, "'read only', 'read write'")
  }
  return accessMode === undefined ? {} : { accessMode }
}

/** Options of Drizzle's transactions on PostgreSQL. */
const unavailable: Readonly<Record<string, string>> = {
  isolationLevel:
    'every transaction of DuckDB sees a snapshot of the database, and there is no other level.',
  deferrable: 'DuckDB has no transactions that wait for a safe moment.',
}
