import { checkOptionNames, invalidOption, KeelsonError, settlesWithin } from '@keelson/core'
import type { Recorder } from '../record/recorder.ts'
import type { RunStatement, WatchedDatabase } from '../record/watched-database.ts'
import { messageOf } from '../record/message-of.ts'
import { shareInUse } from '../record/pool-reader.ts'
import { errorRate } from '../stats/window.ts'
import { raiseSizes } from '../signals/size-rule.ts'
import { fileChecks } from './file-checks.ts'
import type { HealthCheck, HealthOptions, HealthReport, HealthStatus } from './health-report.ts'

const where = 'health()'
/** What of a pool may be in use, and of the queries fail, before it is a warning. */
const mostOfPool = 0.8
const mostErrors = 0.05

/** The report of a database, or the one that is being made, or was made a moment ago. */
export function checkHealth(
  recorder: Recorder,
  database: WatchedDatabase,
  options: HealthOptions,
): Promise<HealthReport> {
  checkOptions(options)
  const now = performance.now()
  const key = JSON.stringify(options)
  const known = database.latestHealth
  const isRecent = known !== undefined && now - known.atMs < (options.maxAgeMs ?? 1_000)
  if (known?.key === key && (isRecent || !known.isSettled)) return known.report
  const report = look(recorder, database, options)
  const latest = { key, atMs: now, report, isSettled: false }
  database.latestHealth = latest
  const settled = (): void => {
    latest.isSettled = true
  }
  report.then(settled, settled)
  return report
}

async function look(
  recorder: Recorder,
  database: WatchedDatabase,
  options: HealthOptions,
): Promise<HealthReport> {
  const start = performance.now()
  const { run, name, system } = database
  // Whoever looks into everything waits for it.
  const timeoutMs = options.timeoutMs ?? (options.deep === true ? 60_000 : 1_000)
  const probed = await probe(database, timeoutMs)
  const probeMs = performance.now() - start
  const checks = [probed, ...gaugeChecks(database, options)]
  // Of a database that does not answer there is nothing more to be asked.
  if (probed.status === 'pass' && run !== undefined)
    checks.push(...(await filesWithin(Math.max(0, timeoutMs - probeMs), system, run, options)))
  raiseSizes(recorder.rules.raised, name, checks, options)
  return {
    status: worst(checks),
    live: true,
    ready: checks.every(({ status }) => status !== 'fail'),
    database: name,
    system,
    checkedAt: new Date(performance.timeOrigin + start).toISOString(),
    probeMs,
    pool: database.gauges?.(),
    window: database.window.counts(performance.now()),
    oldestTransactionMs: database.transactions.oldestMs(performance.now()),
    checks,
  }
}

/**
 * Through the pool, as a query would go: a database that can be reached and a pool that is used up do not answer. One that is
 * waited for still is waited for again, so that they do not pile up behind it.
 */
async function probe(database: WatchedDatabase, timeoutMs: number): Promise<HealthCheck> {
  const name = 'answers'
  const { run, system } = database
  if (run === undefined)
    return { name, status: 'pass', message: 'No query has run yet: nothing was asked.' }
  const start = performance.now()
  if (database.probe === undefined) {
    // Of SQLite `select 1` does not touch the file, and this reads its header.
    const asked = run(system === 'sqlite' ? 'pragma schema_version' : 'select 1', [])
    const answered = asked.then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    database.probe = answered
    void answered.then(() => {
      database.probe = undefined
    })
  }
  const answered = database.probe
  if (!(await settlesWithin(timeoutMs, answered)))
    return { name, status: 'fail', message: `There was no answer within ${timeoutMs} ms.` }
  const failure = await answered
  const value = performance.now() - start
  return failure === undefined
    ? { name, status: 'pass', value, unit: 'ms' }
    : { name, status: 'fail', value, unit: 'ms', message: messageOf(failure.error) }
}

/** What it finds, within what is left of the time. */
async function filesWithin(
  timeoutMs: number,
  system: string,
  run: RunStatement,
  options: HealthOptions,
): Promise<HealthCheck[]> {
  const found = fileChecks(system, run, options)
  const name = 'files'
  try {
    if (await settlesWithin(timeoutMs, found)) return await found
    found.catch(() => {})
    return [{ name, status: 'fail', message: `There was no answer within ${timeoutMs} ms.` }]
  } catch (error) {
    return [{ name, status: 'fail', message: messageOf(error) }]
  }
}

function gaugeChecks(
  database: WatchedDatabase,
  { transactionMs = 60_000 }: HealthOptions,
): HealthCheck[] {
  const now = performance.now()
  const checks: HealthCheck[] = []
  const pool = database.gauges?.()
  if (pool !== undefined && pool.max > 0) {
    const used = shareInUse(pool)
    const isUsedUp = used > mostOfPool && pool.pending > 0
    const waiting = `${pool.pending} callers wait for one of ${pool.max} connections.`
    checks.push(gaugeCheck('pool', used, 'share', isUsedUp ? waiting : undefined))
  }
  const counts = database.window.counts(now)
  const rate = errorRate(counts)
  const failed = `${counts.errors} of ${counts.calls} queries of the last minute failed.`
  checks.push(gaugeCheck('errors', rate, 'share', rate > mostErrors ? failed : undefined))
  const oldest = database.transactions.oldestMs(now) ?? 0
  const kept = 'It keeps its locks, and what it sees, for as long.'
  checks.push(
    gaugeCheck('oldest transaction', oldest, 'ms', oldest > transactionMs ? kept : undefined),
  )
  return checks
}

/** @param warning what is wrong, if anything */
function gaugeCheck(
  name: string,
  value: number,
  unit: 'share' | 'ms',
  warning: string | undefined,
): HealthCheck {
  return warning === undefined
    ? { name, status: 'pass', value, unit }
    : { name, status: 'warn', value, unit, message: warning }
}

function worst(checks: readonly HealthCheck[]): HealthStatus {
  if (checks.some(({ status }) => status === 'fail')) return 'fail'
  return checks.some(({ status }) => status === 'warn') ? 'warn' : 'pass'
}

function checkOptions(options: HealthOptions): void {
  const names = [
    'timeoutMs',
    'maxAgeMs',
    'deep',
    'databaseBytes',
    'walBytes',
    'transactionMs',
  ] as const
  checkOptionNames(where, options, names)
  if (options.databaseBytes !== undefined && options.databaseBytes !== false)
    checkOptionNames(`databaseBytes of ${where}`, options.databaseBytes, ['warn', 'critical'])
  for (const name of ['timeoutMs', 'maxAgeMs', 'transactionMs'] as const) {
    const value: unknown = options[name]
    if (value !== undefined && (typeof value !== 'number' || !(value >= 0)))
      invalidOption(where, name, value, 'milliseconds, 0 or more')
  }
}

/** @throws always: what to do with a database that nobody measures */
export function notTimed(): never {
  throw new KeelsonError(
    'NOT_TIMED',
    'health() got a database that nothing measures. Wrap it with withTiming(), and give that here.',
  )
}
