import { checkOptionNames, invalidOption, KeelsonError } from '@keelson/core'
import type { SqliteMaintenance } from './maintenance.ts'
import type { MaintenanceSchedule, MaintenanceTask } from './schedule.ts'

/** What a schedule needs of the database. */
export interface ScheduleEngine {
  assertOpen(): void
  /** Empties the write-ahead log, in its turn to write. */
  checkpoint(): Promise<void>
}

/** Runs maintenance tasks on timers that do not keep the process alive, one at a time. */
export class MaintenanceScheduler {
  readonly #engine: ScheduleEngine
  readonly #tasks: Readonly<Record<MaintenanceTask, () => Promise<void>>>
  readonly #timers = new Set<NodeJS.Timeout>()
  #running: Promise<void> = Promise.resolve()

  constructor(engine: ScheduleEngine, maintenance: SqliteMaintenance) {
    this.#engine = engine
    this.#tasks = {
      optimize: () => maintenance.optimize(),
      vacuum: () => maintenance.vacuum(),
      checkpoint: () => engine.checkpoint(),
      integrityCheck: async () => {
        const { problems } = await maintenance.integrityCheck()
        if (problems.length > 0) throw checkFailed('integrity_check', problems)
      },
      foreignKeyCheck: async () => {
        const orphans = await maintenance.findOrphans()
        if (orphans.length > 0) {
          throw checkFailed(
            'foreign_key_check',
            orphans.map(
              ({ table, parent, rows }) => `${rows} rows of ${table} lack their ${parent}`,
            ),
          )
        }
      },
    }
  }

  start(schedule: MaintenanceSchedule): { stop(): void } {
    this.#engine.assertOpen()
    checkOptionNames('maintain()', schedule, ['every', 'onResult'])
    checkOptionNames('maintain({ every })', schedule.every, Object.keys(this.#tasks))
    const entries = Object.entries(schedule.every) as [MaintenanceTask, number][]
    for (const [task, everyMs] of entries) {
      if (!Number.isInteger(everyMs) || everyMs < 1 || everyMs > 0x7fffffff) {
        invalidOption(
          'maintain()',
          `every.${task}`,
          everyMs,
          'whole milliseconds from 1 to 2147483647',
        )
      }
    }
    const timers = entries.map(([task, everyMs]) =>
      setInterval(() => this.#enqueue(task, schedule.onResult), everyMs).unref(),
    )
    for (const timer of timers) this.#timers.add(timer)
    return { stop: () => this.#clear(timers) }
  }

  /** Stops every schedule; a task that runs is finished. */
  stop(): void {
    this.#clear([...this.#timers])
  }

  #clear(timers: readonly NodeJS.Timeout[]): void {
    for (const timer of timers) {
      clearInterval(timer)
      this.#timers.delete(timer)
    }
  }

  readonly #queued = new Set<MaintenanceTask>()

  #enqueue(task: MaintenanceTask, onResult: MaintenanceSchedule['onResult']): void {
    // A task that takes longer than its interval does not pile up.
    if (this.#queued.has(task)) return
    this.#queued.add(task)
    this.#running = this.#running.then(() => this.#run(task, onResult))
  }

  async #run(task: MaintenanceTask, onResult: MaintenanceSchedule['onResult']): Promise<void> {
    const start = performance.now()
    const error = await this.#tasks[task]().then(
      () => undefined,
      (reason: unknown) => reason,
    )
    this.#queued.delete(task)
    const elapsedMs = performance.now() - start
    try {
      if (onResult !== undefined) onResult({ task, elapsedMs, error })
      else if (error !== undefined) warn(task, error)
    } catch (reason) {
      warn(task, reason)
    }
  }
}

function warn(task: MaintenanceTask, reason: unknown): void {
  process.emitWarning(
    `Maintenance task ${task}: ${reason instanceof Error ? reason.message : String(reason)}`,
    {
      type: 'KeelsonMaintenanceWarning',
      code: 'KEELSON_MAINTENANCE',
    },
  )
}

function checkFailed(check: string, findings: readonly string[]): KeelsonError {
  return new KeelsonError(
    'MAINTENANCE_CHECK_FAILED',
    `${check} found ${findings.length} problem(s): ${findings.slice(0, 5).join('; ')}. See https://www.sqlite.org/pragma.html#pragma_${check}`,
  )
}
