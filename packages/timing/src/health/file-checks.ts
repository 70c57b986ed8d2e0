import type { RunStatement } from '../record/database-instance.ts'
import type { HealthCheck, HealthOptions } from './health-report.ts'
import { pragma, sizeChecks } from './size-checks.ts'

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
  const [size, ...log] = await sizeChecks('sqlite', run, options)
  const pages = Number(await pragma(run, 'page_count'))
  const free = Number(await pragma(run, 'freelist_count'))
  const journal = String(await pragma(run, 'journal_mode'))
  const hasKeys = Number(await pragma(run, 'foreign_keys')) === 1
  const checks: HealthCheck[] = [
    size!,
    share('freelist', pages === 0 ? 0 : free / pages),
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
  checks.push(...log)
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

async function duckdbChecks(run: RunStatement, options: HealthOptions): Promise<HealthCheck[]> {
  const checks = await sizeChecks('duckdb', run, options)
  const [size] = await run('select * from pragma_database_size()', [])
  return [
    ...checks,
    {
      name: 'memory',
      status: 'pass',
      value: `${String(size?.['memory_usage'])} of ${String(size?.['memory_limit'])}`,
    },
  ]
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
