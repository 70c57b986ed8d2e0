import type { HealthReport } from '../health/health-report.ts'
import type { PoolGauges } from './pool-reader.ts'
import type { WatchedDatabase } from './watched-database.ts'

/** A setting of PostgreSQL that holds for one statement. */
export interface StatementSetting {
  readonly name: string
  readonly value: string
}

/** Runs a statement outside of every transaction, uncounted, and gives its rows. */
export type RunStatement = (
  sql: string,
  params: readonly unknown[],
  setting?: StatementSetting,
) => Promise<readonly Record<string, unknown>[]>

/**
 * Runs a statement with a setting, on a session that nobody else has meanwhile.
 *
 * @param send sends on that session
 */
export async function runWithSetting(
  send: RunStatement,
  sql: string,
  params: readonly unknown[],
  { name, value }: StatementSetting,
): ReturnType<RunStatement> {
  const set = 'select set_config($1, $2, false)'
  const [before] = await send('select current_setting($1) as value', [name])
  await send(set, [name, value])
  try {
    return await send(sql, params)
  } finally {
    await send(set, [name, before!['value']])
  }
}

/** One `Kysely`, or one database of Drizzle's, that is measured: those that are given one name are counted together. */
export class DatabaseInstance {
  /** What it is counted in. */
  readonly database: WatchedDatabase
  gauges: (() => PoolGauges | undefined) | undefined
  /** Set as soon as there is something that statements can be sent through. */
  run: RunStatement | undefined
  /** Whether a statement sent now would run inside somebody's transaction; not there where that cannot be. */
  isInTransaction: (() => boolean) | undefined
  /** What was last found out about its health, and for which question. */
  latestHealth:
    | {
        readonly key: string
        readonly atMs: number
        readonly report: Promise<HealthReport>
        isSettled: boolean
      }
    | undefined
  /** A probe that is still waited for, and what it fails with. */
  probe: Promise<{ readonly error: unknown } | undefined> | undefined

  constructor(database: WatchedDatabase, gauges: (() => PoolGauges | undefined) | undefined) {
    this.database = database
    this.gauges = gauges
    if (gauges !== undefined) database.hasPool(this)
  }

  /** It was closed. */
  closed(): void {
    this.gauges = undefined
    this.run = undefined
    this.isInTransaction = undefined
  }
}
