import { checkOptionNames, invalidOption, KeelsonError, settlesWithin } from '@keelson/core'
import type { Recorder } from '../record/recorder.ts'
import type { DatabaseInstance, RunStatement } from '../record/database-instance.ts'
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
  instance: DatabaseInstance,
  options: HealthOptions,
): Promise<HealthReport> {
  checkOptions(options)
  const now = performance.now()
  const key = JSON.stringify(options)
  const known = instance.latestHealth
  const isRecent = known !== undefined && now - known.atMs < (options.maxAgeMs ?? 1_000)
  if (known?.key === key && (isRecent || !known.isSettled)) return known.report
  const report = look(recorder, instance, options)
  const latest = { key, atMs: now, report, isSettled: false }
  instance.latestHealth = latest
  const settled = (): void => {
    latest.isSettled = true
  }
  report.then(settled, settled)
  return report
}

async function look(
  recorder: Recorder,
  instance: DatabaseInstance,
  options: HealthOptions,
): Promise<HealthReport> {
  const start = performance.now()
  const { run, database } = instance
  const { name, system } = database
  // Whoever looks into everything waits for it.
  const timeoutMs = options.timeoutMs ?? (options.deep === true ? 60_000 : 1_000)
  const probed = await probe(instance, timeoutMs)
  const probeMs = performance.now() - start
  const checks = [probed, ...gaugeChecks(instance, options)]
  // Of a database that does not answer there is nothing more to be asked.
  if (probed.status === 'pass' && run !== undefined)
    checks.push(...(await filesWithin(timeoutMs, probeMs, system, run, options)))
  raiseSizes(recorder.rules.raised, name, checks, options)
  return {
    status: worst(checks),
    live: true,
    ready: checks.every(({ status }) => status !== 'fail'),
    database: name,
    system,
    checkedAt: new Date(performance.timeOrigin + start).toISOString(),
    probeMs,
    pool: instance.gauges?.(),
    window: database.window.counts(performance.now()),
    oldestTransactionMs: database.transactions.oldestMs(performance.now()),
    checks,
  }
}

/**
 * Through the pool, as a query would go: a database that can be reached and a pool that is used up do not answer. One that is
 * waited for still is waited for again, so that they do not pile up behind it.
 */
async function probe(instance: DatabaseInstance, timeoutMs: number): Promise<HealthCheck> {
  const name = 'answers'
  const { run } = instance
  const { system } = instance.database
  if (run === undefined)
    return { name, status: 'pass', message: 'No query has run yet: nothing was asked.' }
  const start = performance.now()
  if (instance.probe === undefined) {
    // Of SQLite `select 1` does not touch the file, and this reads its header.
    const asked = run(system === 'sqlite' ? 'pragma schema_version' : 'select 1', [])
    const answered = asked.then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    instance.probe = answered
    void answered.then(() => {
      instance.probe = undefined
    })
  }
  const answered = instance.probe
  if (!(await settlesWithin(timeoutMs, answered)))
    return { name, status: 'fail', message: `There was no answer within ${timeoutMs} ms.` }
  const failure = await answered
  const value = performance.now() - start
  return failure === undefined
    ? { name, status: 'pass', value, unit: 'ms' }
    : { name, status: 'fail', value, unit: 'ms', message: messageOf(failure.error) }
}

/** What it finds, within what is left of the time after the probe. */
async function filesWithin(
  timeoutMs: number,
  probeMs: number,
  system: string,
  run: RunStatement,
  options: HealthOptions,
): Promise<HealthCheck[]> {
  const found = fileChecks(system, run, options)
  const name = 'files'
  try {
    if (await settlesWithin(Math.max(0, timeoutMs - probeMs), found)) return await found
    found.catch(() => {})
    return [{ name, status: 'fail', message: `There was no answer within ${timeoutMs} ms.` }]
  } catch (error) {
    return [{ name, status: 'fail', message: messageOf(error) }]
  }
}

function gaugeChecks(
  { database, gauges }: DatabaseInstance,
  { transactionMs = 60_000 }: HealthOptions,
): HealthCheck[] {
  const now = performance.now()
  const checks: HealthCheck[] = []
  const pool = gauges?.()
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
  if (typeof options !== 'object' || options === null)
    invalidOption(where, 'options', options, `an object with ${names.join(', ')}`)
  checkOptionNames(where, options, names)
  const { databaseBytes, walBytes, deep } = options
  if (databaseBytes !== undefined && databaseBytes !== false) checkSizes(databaseBytes)
  if (walBytes !== undefined && walBytes !== false && !isSize(walBytes))
    invalidOption(where, 'walBytes', walBytes, 'bytes, 0 or more, or false')
  if (deep !== undefined && typeof deep !== 'boolean')
    invalidOption(where, 'deep', deep, 'true or false')
  for (const name of ['timeoutMs', 'maxAgeMs', 'transactionMs'] as const) {
    const value: unknown = options[name]
    if (value !== undefined && (typeof value !== 'number' || !(value >= 0)))
      invalidOption(where, name, value, 'milliseconds, 0 or more')
  }
}

function checkSizes(sizes: NonNullable<HealthOptions['databaseBytes']>): void {
  const expected =
    'false, or an object of warn and critical, in bytes, of which critical is the larger'
  if (typeof sizes !== 'object' || sizes === null)
    invalidOption(where, 'databaseBytes', sizes, expected)
  checkOptionNames(`databaseBytes of ${where}`, sizes, ['warn', 'critical'])
  for (const name of ['warn', 'critical'] as const)
    if (!isSize(sizes[name]))
      invalidOption(where, `databaseBytes.${name}`, sizes[name], 'bytes, 0 or more')
  if (sizes.critical < sizes.warn)
    invalidOption(
      where,
      'databaseBytes.critical',
      sizes.critical,
      `no less than warn, which is ${sizes.warn}`,
    )
}

function isSize(value: unknown): boolean {
  return typeof value === 'number' && value >= 0
}

/** @throws always: what to do with a database that nobody measures */
export function notTimed(): never {
  throw new KeelsonError(
    'NOT_TIMED',
    'health() got a database that nothing measures. Wrap it with withTiming(), and give that here.',
  )
}
