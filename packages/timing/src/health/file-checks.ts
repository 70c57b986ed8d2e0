import { stat } from 'node:fs/promises'
import type { RunStatement } from '../record/watched-database.ts'
import type { HealthCheck, HealthOptions } from './health-report.ts'

const megabyte = 1024 * 1024

/** What of a database's size is a warning, and what is more than one. */
export const defaultBytes: { readonly warn: number; readonly critical: number } = {
  warn: 500 * megabyte,
  critical: 1000 * megabyte,
}

/** Looks at what a database without a server keeps in files, by its system. */
export function fileChecks(
  system: string,
  run: RunStatement,
  options: HealthOptions,
): Promise<HealthCheck[]> {
  if (system === 'sqlite') return sqliteChecks(run, options)
  return system === 'duckdb' ? duckdbChecks(run, options) : Promise.resolve([])
}

async function sqliteChecks(run: RunStatement, options: HealthOptions): Promise<HealthCheck[]> {
  const pages = await pragma(run, 'page_count')
  const free = await pragma(run, 'freelist_count')
  const bytes = Number(pages) * Number(await pragma(run, 'page_size'))
  const [main] = await run('pragma database_list', [])
  const file = typeof main?.['file'] === 'string' ? main['file'] : ''
  const journal = String(await pragma(run, 'journal_mode'))
  const hasKeys = Number(await pragma(run, 'foreign_keys')) === 1
  const checks: HealthCheck[] = [
    databaseSize(bytes, options),
    share('freelist', Number(pages) === 0 ? 0 : Number(free) / Number(pages)),
    {
      name: 'journal mode',
      status: journal === 'wal' || journal === 'memory' ? 'pass' : 'warn',
      value: journal,
      ...(journal !== 'wal' &&
        journal !== 'memory' && {
          message: 'Readers and the writer wait for each other. Set `pragma journal_mode = wal`.',
        }),
    },
    {
      name: 'foreign keys',
      status: hasKeys ? 'pass' : 'warn',
      value: hasKeys,
      ...(!hasKeys && {
        message: 'They are not enforced. Set `pragma foreign_keys = on` for each connection.',
      }),
    },
  ]
  if (file !== '') checks.push(walSize(await sizeOf(`${file}-wal`), options))
  if (options.deep === true) checks.push(...(await deepChecks(run)))
  return checks
}

async function deepChecks(run: RunStatement): Promise<HealthCheck[]> {
  const quick = await run('pragma quick_check', [])
  const isSound = quick.length === 1 && Object.values(quick[0]!)[0] === 'ok'
  const orphans = await run('pragma foreign_key_check', [])
  return [
    {
      name: 'quick check',
      status: isSound ? 'pass' : 'fail',
      value: isSound,
      ...(!isSound && {
        message: 'The file is damaged. Restore a backup; `pragma integrity_check` says more.',
      }),
    },
    {
      name: 'foreign key check',
      status: orphans.length === 0 ? 'pass' : 'warn',
      value: orphans.length,
      ...(orphans.length > 0 && { message: 'Rows point to rows that are not there.' }),
    },
  ]
}

/** https://duckdb.org/docs/stable/configuration/pragmas#database-size */
async function duckdbChecks(run: RunStatement, options: HealthOptions): Promise<HealthCheck[]> {
  const [size] = await run('select * from pragma_database_size()', [])
  const bytes = Number(size?.['block_size']) * Number(size?.['total_blocks'])
  return [
    databaseSize(bytes, options),
    walSize(bytesOf(String(size?.['wal_size'])), options),
    {
      name: 'memory',
      status: 'pass',
      value: `${String(size?.['memory_usage'])} of ${String(size?.['memory_limit'])}`,
    },
  ]
}

function databaseSize(bytes: number, { databaseBytes = defaultBytes }: HealthOptions): HealthCheck {
  const check = { name: 'database size', value: bytes, unit: 'bytes' } as const
  if (databaseBytes === false || bytes <= databaseBytes.warn) return { ...check, status: 'pass' }
  const limit = bytes > databaseBytes.critical ? databaseBytes.critical : databaseBytes.warn
  return {
    ...check,
    status: 'warn',
    message: `It is larger than ${Math.round(limit / megabyte)} MB. Delete or archive what is old, then vacuum; or move to a server.`,
  }
}

function walSize(bytes: number, { walBytes = 64 * megabyte }: HealthOptions): HealthCheck {
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

function share(name: string, value: number): HealthCheck {
  const isLarge = value > 0.5
  return {
    name,
    status: isLarge ? 'warn' : 'pass',
    value,
    unit: 'share',
    ...(isLarge && { message: 'More than half of the file is free. Run `vacuum`.' }),
  }
}

async function pragma(run: RunStatement, name: string): Promise<unknown> {
  const [row] = await run(`pragma ${name}`, [])
  return row && Object.values(row)[0]
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
