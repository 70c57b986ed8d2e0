import { stat } from 'node:fs/promises'
import type { RunStatement } from '../record/database-instance.ts'
import type { HealthCheck, HealthOptions } from './health-report.ts'

type SizeOptions = Pick<HealthOptions, 'databaseBytes' | 'walBytes'>

const megabyte = 1024 * 1024

/** What of a database's size is a warning, and what is more than one. */
export const defaultBytes: { readonly warn: number; readonly critical: number } = {
  warn: 500 * megabyte,
  critical: 1000 * megabyte,
}

/** The same of its write-ahead log. */
export const defaultWalBytes: number = 64 * megabyte

/** How large its files are, of a database that has any; none of others. */
export async function sizeChecks(
  system: string,
  run: RunStatement,
  options: SizeOptions,
): Promise<HealthCheck[]> {
  if (system === 'sqlite') {
    const bytes = Number(await pragma(run, 'page_count')) * Number(await pragma(run, 'page_size'))
    const [main] = await run('pragma database_list', [])
    const file = typeof main?.['file'] === 'string' ? main['file'] : ''
    const size = databaseSize(bytes, options)
    return file === '' ? [size] : [size, walSize(await sizeOf(`${file}-wal`), options)]
  }
  if (system !== 'duckdb') return []
  // https://duckdb.org/docs/stable/configuration/pragmas#database-size
  const [size] = await run('select * from pragma_database_size()', [])
  return [
    databaseSize(Number(size?.['block_size']) * Number(size?.['total_blocks']), options),
    walSize(bytesOf(String(size?.['wal_size'])), options),
  ]
}

/** Reads a setting, or a figure, of SQLite. */
export async function pragma(run: RunStatement, name: string): Promise<unknown> {
  const [row] = await run(`pragma ${name}`, [])
  return row && Object.values(row)[0]
}

function databaseSize(bytes: number, { databaseBytes = defaultBytes }: SizeOptions): HealthCheck {
  const check = { name: 'database size', value: bytes, unit: 'bytes' } as const
  if (databaseBytes === false || bytes <= databaseBytes.warn) return { ...check, status: 'pass' }
  const limit = bytes > databaseBytes.critical ? databaseBytes.critical : databaseBytes.warn
  return {
    ...check,
    status: 'warn',
    message: `It is larger than ${Math.round(limit / megabyte)} MB. Delete or archive what is old, then vacuum; or move to a server.`,
  }
}

function walSize(bytes: number, { walBytes = defaultWalBytes }: SizeOptions): HealthCheck {
  const isLarge = walBytes !== false && bytes > walBytes
  return {
    name: 'wal size',
    status: isLarge ? 'warn' : 'pass',
    value: bytes,
    unit: 'bytes',
    ...(isLarge && {
      message: 'The log is not written back: a reader, or a transaction, is open for long.',
    }),
  }
}

/** There is no log where nothing was written yet. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

const units: Readonly<Record<string, number>> = {
  bytes: 1,
  byte: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}

/** DuckDB writes sizes for people: `12.5 MiB`. */
function bytesOf(text: string): number {
  const [, count, unit] = /^([\d.]+) (\w+)$/.exec(text) ?? []
  return Number(count ?? 0) * (units[unit ?? ''] ?? 1)
}
