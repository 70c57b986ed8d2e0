import { checkOptionNames, invalidOption } from '@keelson/core'
import { checkLockTimeout } from '../../host/check-lock-timeout.ts'
import type { PlanStep } from '../schema-plan.ts'

export interface ApplyOptions {
  /** Take steps that lose data: columns and tables that are dropped. @default false */
  readonly allowDrop?: boolean | undefined
  /**
   * Make a copy of the database in this file first, and check that it is whole. The file must not exist; where nothing is left to do,
   * none is made. SQLite and DuckDB; for the others the error says what to use.
   */
  readonly backup?: string | undefined
  /** How long to wait for the lock on the schema, and on PostgreSQL for those on tables, in milliseconds. @default 30_000 */
  readonly lockTimeoutMs?: number | undefined
  /**
   * Let others write while indexes are created and dropped, which is slower and in no transaction. PostgreSQL.
   * @default false, but for steps whose plan was made so
   */
  readonly concurrently?: boolean | undefined
  /** Only look: whether the plan still fits, and whether rows are in its way. @default false */
  readonly dryRun?: boolean | undefined
  /** Is called before and after each step. What it throws ends the plan. */
  readonly onProgress?: ((progress: ApplyProgress) => void) | undefined
  /** Ends the plan before its next step. What is in a transaction is undone. */
  readonly signal?: AbortSignal | undefined
}

export interface ApplyProgress {
  readonly step: PlanStep
  /** The position of the step, from 0. */
  readonly index: number
  /** How many steps the plan has. */
  readonly count: number
  readonly state: 'started' | 'done'
}

/** What `applyPlan()` has done. */
export interface ApplyReport {
  /** How many steps were taken. With `dryRun` how many would be. */
  readonly applied: number
  /** How many had been taken before, by a run that was interrupted or another process. */
  readonly skipped: number
  readonly dryRun: boolean
  /** The file of the backup, where one was made. */
  readonly backup?: string
  /** Of each step that was taken. */
  readonly steps: readonly { readonly step: PlanStep; readonly elapsedMs: number }[]
  readonly elapsedMs: number
  /** The fingerprint that the tables have now. */
  readonly fingerprint: string
}

const names = [
  'allowDrop',
  'backup',
  'lockTimeoutMs',
  'concurrently',
  'dryRun',
  'onProgress',
  'signal',
]

export type NormalisedOptions = ApplyOptions & { readonly lockTimeoutMs: number }

/** @throws {OptionError} for an option that is unknown or impossible */
export function normaliseApplyOptions(options: ApplyOptions): NormalisedOptions {
  const where = 'applyPlan()'
  checkOptionNames(where, options, names)
  const { backup, lockTimeoutMs = 30_000 } = options
  checkLockTimeout(where, lockTimeoutMs)
  for (const name of ['allowDrop', 'concurrently', 'dryRun'] as const) {
    const value = options[name]
    if (value !== undefined && typeof value !== 'boolean')
      invalidOption(where, name, value, 'true or false')
  }
  if (backup !== undefined && (typeof backup !== 'string' || backup === ''))
    invalidOption(where, 'backup', backup, 'the path of a file that does not exist')
  return { ...options, lockTimeoutMs }
}
