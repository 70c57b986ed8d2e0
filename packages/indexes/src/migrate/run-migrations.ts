/** Over 300 lines, being one subject: one call of migrateSafely(), from its lock to its report. */
import { statSync } from 'node:fs'
import {
  engineTraits,
  excerpt,
  type Holder,
  OptionError,
  started,
  type Steps,
  takeSteps,
} from '@keelson/core'
import { backUp } from '../backup/back-up.ts'
import { addedViolations, type Violations } from '../host/foreign-key-violations.ts'
import { processTurns, type Turn } from '../host/process-turns.ts'
import { ensuredTablesOf } from '../plan/ensure/ensured-tables.ts'
import { engines } from './engine/engines.ts'
import { MigrationFailedError, MigrationLockError, MigrationRefusedError } from './errors.ts'
import type { History, HistoryRow } from './history.ts'
import { Ledger } from './ledger.ts'
import { HeldElsewhere, lockError, MigrationLock, type Settings } from './migration-lock.ts'
import type { MigrationHost, MigrationLine, MigrationSession } from './migration-host.ts'
import type { Migration } from './migration.ts'
import { mayStillRun } from './note-holder.ts'
import type { NormalMigrateOptions } from './options.ts'
import type {
  Direction,
  MigrationBackup,
  MigrationEvent,
  MigrationReport,
  MigrationRun,
  PlannedMigration,
} from './report.ts'
import { refuseRowLoss } from './row-loss.ts'
import { type MigrationState, stateOf } from './state.ts'

/** What is migrated, by what. */
export interface MigrationJob {
  readonly where: string
  readonly host: MigrationHost
  readonly history: History
  /** In the order in which they are to be applied. */
  readonly migrations: readonly Migration[]
  readonly options: NormalMigrateOptions
  /** Who migrates, made where the user's call is still on the stack. */
  readonly holder: Holder
}

/** See `migrateSafely()`. */
export function runMigrations(job: MigrationJob): Promise<MigrationReport> {
  return withLine(job, (line) => new MigrationCall(job, line).run())
}

/** Waits for the turn in this process, and for a connection. */
export async function withLine<R>(
  { where, host, options, holder }: MigrationJob,
  fn: (line: MigrationLine) => Promise<R>,
): Promise<R> {
  if (host.isInTransaction) {
    throw new OptionError(
      'INVALID_OPTION',
      'db',
      `${where} was called in an open transaction. Each migration has one of its own: call it outside, with the database itself.`,
    )
  }
  // First by the database at hand: of a driver with one connection not even its file can be asked for meanwhile.
  return inTurn(host.identity, holder, options, async () => {
    const file = await fileOf(host)
    const run = (): Promise<R> => host.connected(fn)
    try {
      return await (file === undefined ? run() : inTurn(file, holder, options, run))
    } finally {
      // Tables may be gone that were known to be there.
      ensuredTablesOf(host.identity).forget()
    }
  })
}

function inTurn<R>(
  database: string | object,
  holder: Holder,
  { lockTimeoutMs }: NormalMigrateOptions,
  fn: () => Promise<R>,
): Promise<R> {
  const turn: Turn = {
    timeoutMs: lockTimeoutMs,
    began: () => (holder.since = performance.now()),
    describe: () => holder.describe(),
  }
  const timedOut = (current: Turn): Error => lockError(lockTimeoutMs, current.describe?.())
  return processTurns('migrations').run(database, turn, timedOut, fn)
}

async function fileOf(host: MigrationHost): Promise<string | undefined> {
  const { fileQuery } = engines[host.engine]
  if (fileQuery === undefined) return undefined
  const [row] = await host.query(fileQuery)
  const file = row?.['file']
  return typeof file === 'string' && file !== '' ? `${host.engine}:${file}` : undefined
}

/** The lock that everyone takes who migrates with the same history. */
export function lockOf(
  { host, history, options }: MigrationJob,
  line: MigrationLine,
  ledger: Ledger,
  waiting: (holder: string | undefined) => void = () => {},
): MigrationLock {
  const own = `keelson.migrate:${history.schema ?? ''}.${history.table}`
  const keys = history.migratorLock === undefined ? [own] : [own, history.migratorLock]
  return new MigrationLock({
    host,
    engine: engines[host.engine],
    line,
    names: { keys, claim: ledger.claim },
    timeoutMs: options.lockTimeoutMs,
    waiting,
  })
}

interface Plan {
  readonly direction: Direction
  readonly run: readonly Migration[]
  readonly left: readonly Migration[]
}

/** What the lock keeps as it is: the rows of the history, and of which migrations there is a note. */
interface Known {
  readonly rows: readonly HistoryRow[]
  readonly notes: { has(name: string): boolean }
}

/** Carries the result of a dry run out of the transaction that it undoes. */
class DryRunEnd extends Error {
  readonly plan: readonly PlannedMigration[]

  constructor(plan: readonly PlannedMigration[]) {
    super('dry run')
    this.plan = plan
  }
}

class MigrationCall {
  readonly #job: MigrationJob
  readonly #line: MigrationLine
  readonly #ledger: Ledger
  readonly #lock: MigrationLock
  readonly #start = performance.now()
  readonly #runs: Record<Direction, MigrationRun[]> = { up: [], down: [] }
  readonly #skipped = new Set<string>()
  #adopted: readonly string[] = []
  #pending: readonly string[] = []
  #plan: readonly PlannedMigration[] | undefined
  #backup: MigrationBackup | undefined

  constructor(job: MigrationJob, line: MigrationLine) {
    this.#job = job
    this.#line = line
    this.#ledger = new Ledger(job.history, job.host.engine)
    this.#lock = lockOf(job, line, this.#ledger, (by) =>
      this.#tell({ kind: 'waiting', holder: by }),
    )
  }

  async run(): Promise<MigrationReport> {
    try {
      const { options } = this.#job
      if (this.#isTransactional) await (options.dryRun === true ? this.#dryRun() : this.#migrate())
      else
        await this.#lock.exclusively(() =>
          options.dryRun === true ? this.#dryRun() : this.#migrate(),
        )
      return this.#report
    } catch (error) {
      const isOurs =
        error instanceof MigrationFailedError ||
        error instanceof MigrationRefusedError ||
        error instanceof MigrationLockError
      if (isOurs) error.report = this.#report
      throw error
    }
  }

  async #migrate(): Promise<void> {
    const { direction, run, left } = await this.#lock.transaction((session) =>
      this.#prepare(session),
    )
    this.#pending = [...run, ...left].map(({ name }) => name)
    const { backup } = this.#job.options
    if (backup !== undefined && run.length > 0) await this.#backUp(backup)
    for (const migration of run) {
      await this.#runOne(migration, direction)
      this.#pending = this.#pending.filter((name) => name !== migration.name)
    }
  }

  /** The tables, the texts of what others have applied, and what is to be done. */
  *#prepare(session: MigrationSession): Steps<Plan> {
    yield* this.#ledger.create(session)
    const state = yield* this.#state(session)
    const plan = planOf(this.#job, state)
    for (const migration of state.unknown) {
      yield* this.#ledger.note(session, migration, 'applied', state.notes.has(migration.name))
    }
    this.#adopted = state.unknown.map(({ name }) => name)
    for (const name of this.#adopted) this.#tell({ kind: 'adopted', name })
    if (plan.direction === 'up') for (const { name } of state.applied) this.#skipped.add(name)
    return plan
  }

  /** @throws {HeldElsewhere} while another process is at a migration without a transaction */
  *#state(session: MigrationSession): Steps<MigrationState> {
    const { migrations, options } = this.#job
    const rows = yield* this.#ledger.rows(session)
    const notes = yield* this.#ledger.notes(session)
    const running = notes.find(({ state, holder }) => state !== 'applied' && mayStillRun(holder))
    // On other engines the lock has told already that nobody is at it.
    if (running !== undefined && engines[this.#job.host.engine].keepsOutByMark) {
      throw new HeldElsewhere(
        `process ${running.holder}, at migration "${running.name}" since ${running.startedAt} (if it no longer is: repairMigration())`,
      )
    }
    return stateOf(
      migrations,
      rows,
      notes,
      options.allowOutOfOrder === true || options.down !== undefined,
    )
  }

  async #backUp(path: string): Promise<void> {
    const start = performance.now()
    const { host, where } = this.#job
    await takeSteps(backUp(this.#line, host.engine, path, where))
    const durationMs = performance.now() - start
    this.#backup = { path, bytes: statSync(path).size, durationMs }
    this.#tell({ kind: 'backedUp', backup: this.#backup })
  }

  async #runOne(migration: Migration, direction: Direction): Promise<void> {
    const { name } = migration
    const transaction = migration.transaction && this.#isTransactional
    const start = performance.now()
    const isRun = await (transaction
      ? this.#inTransaction(migration, direction)
      : this.#lock.exclusively(() => this.#loosely(migration, direction)))
    if (!isRun) {
      this.#skipped.add(name)
      return
    }
    const durationMs = performance.now() - start
    this.#runs[direction].push({ name, durationMs, transaction })
    this.#tell({ kind: 'finished', name, direction, durationMs })
  }

  async #inTransaction(migration: Migration, direction: Direction): Promise<boolean> {
    let isCommitting = false
    const sent: string[] = []
    try {
      return await this.#lock.transaction((session, settings) => {
        const steps = this.#transactionSteps(session, settings, migration, direction, sent)
        return (function* (): Steps<boolean> {
          const isRun = yield* steps
          isCommitting = true
          return isRun
        })()
      })
    } catch (error) {
      if (!isCommitting || error instanceof MigrationRefusedError) throw error
      throw this.#failure(migration, direction, 'commit', true, error)
    }
  }

  *#transactionSteps(
    session: MigrationSession,
    settings: Settings,
    migration: Migration,
    direction: Direction,
    sent: string[],
  ): Steps<boolean> {
    const engine = engines[this.#job.host.engine]
    const { allowDataLoss = false } = this.#job.options
    const state = yield* this.#state(session)
    if (isDone(state, migration, direction)) return false
    this.#begins(migration, direction)
    const tables = allowDataLoss === true ? [] : yield* engine.tableStates(session)
    const violations = yield* violationsOf(settings, session)
    yield* this.#send(session, migration, direction, sent, true)
    if (tables.length > 0) {
      refuseRowLoss(migration.name, tables, yield* engine.tableStates(session), sent, allowDataLoss)
    }
    refuseViolations(migration.name, violations, yield* violationsOf(settings, session), true)
    yield* this.#remember(session, migration, direction, state)
    return true
  }

  async #loosely(migration: Migration, direction: Direction): Promise<boolean> {
    const marked = await this.#lock.transaction((session) =>
      this.#mark(session, migration, direction),
    )
    if (marked === undefined) return false
    this.#begins(migration, direction)
    await this.#lock.loosely((session, settings) =>
      this.#looseSteps(session, settings, migration, direction),
    )
    await this.#lock.transaction((session) => this.#remember(session, migration, direction, marked))
    return true
  }

  /**
   * Notes that it begins, so that one that does not come to its end is found.
   *
   * @returns what was found, with the note; undefined when there is nothing to do
   */
  *#mark(
    session: MigrationSession,
    migration: Migration,
    direction: Direction,
  ): Steps<Known | undefined> {
    const state = yield* this.#state(session)
    if (isDone(state, migration, direction)) return undefined
    const mark = direction === 'up' ? 'applying' : 'undoing'
    yield* this.#ledger.note(session, migration, mark, state.notes.has(migration.name))
    return { rows: state.rows, notes: new Set([...state.notes.keys(), migration.name]) }
  }

  *#looseSteps(
    session: MigrationSession,
    settings: Settings,
    migration: Migration,
    direction: Direction,
  ): Steps<void> {
    const violations = yield* violationsOf(settings, session)
    yield* this.#send(session, migration, direction, [], false)
    refuseViolations(migration.name, violations, yield* violationsOf(settings, session), false)
  }

  *#send(
    session: MigrationSession,
    migration: Migration,
    direction: Direction,
    sent: string[],
    isTransaction: boolean,
  ): Steps<void> {
    const sending = (statement: string): void => {
      sent.push(statement)
      // Those who wait are told.
      this.#job.holder.lastSql = statement
    }
    try {
      yield* migration.run(session, direction, sending)
    } catch (error) {
      throw this.#failure(migration, direction, sent.at(-1), isTransaction, error)
    }
  }

  /** Its row of the history, and the note. */
  *#remember(
    session: MigrationSession,
    migration: Migration,
    direction: Direction,
    { rows, notes }: Known,
  ): Steps<void> {
    if (direction === 'up') {
      yield* this.#ledger.add(session, migration, rows)
      yield* this.#ledger.note(session, migration, 'applied', notes.has(migration.name))
      return
    }
    for (const row of rows)
      if (row.name === migration.name) yield* this.#ledger.remove(session, row)
    yield* this.#ledger.forget(session, migration.name)
  }

  async #dryRun(): Promise<void> {
    if (!this.#isTransactional) {
      const plan = planOf(this.#job, await takeSteps(this.#state(this.#line)))
      this.#setPlan(
        plan,
        plan.run.map((migration) => unrecorded(migration, plan.direction, noTransactions)),
      )
      return
    }
    let plan: Plan | undefined
    try {
      await this.#lock.transaction((session) => this.#record(session, (made) => (plan = made)))
    } catch (error) {
      if (!(error instanceof DryRunEnd) || plan === undefined) throw error
      this.#setPlan(plan, error.plan)
    }
  }

  #setPlan({ run, left }: Plan, planned: readonly PlannedMigration[]): void {
    this.#plan = planned
    this.#pending = [...run, ...left].map(({ name }) => name)
  }

  /** Runs what has to be run to know its statements, in a transaction that is always undone. */
  *#record(session: MigrationSession, planned: (plan: Plan) => void): Steps<never> {
    yield* this.#ledger.create(session)
    const state = yield* this.#state(session)
    const plan = planOf(this.#job, state)
    if (plan.direction === 'up') for (const { name } of state.applied) this.#skipped.add(name)
    planned(plan)
    const result: PlannedMigration[] = []
    let obstacle: string | undefined
    for (const migration of plan.run) {
      const { name, transaction, statements } = migration
      if (statements !== undefined && plan.direction === 'up') {
        result.push({ name, transaction, statements })
        continue
      }
      if (!transaction) {
        obstacle ??= `"${name}" runs without a transaction, so that it cannot be run and undone`
      }
      if (obstacle !== undefined) {
        result.push(unrecorded(migration, plan.direction, obstacle))
        continue
      }
      const sent: string[] = []
      try {
        yield* migration.run(session, plan.direction, (statement) => sent.push(statement))
        result.push({ name, transaction, statements: sent })
      } catch (error) {
        obstacle = `"${name}" failed: ${(error as Error).message}`
        result.push(unrecorded(migration, plan.direction, obstacle))
      }
    }
    throw new DryRunEnd(result)
  }

  get #isTransactional(): boolean {
    return engineTraits[this.#job.host.engine].supportsTransactionalDdl
  }

  get #report(): MigrationReport {
    return {
      applied: [...this.#runs.up],
      undone: [...this.#runs.down],
      skipped: [...this.#skipped],
      adopted: this.#adopted,
      pending: this.#pending.filter((name) => !this.#skipped.has(name)),
      plan: this.#plan,
      durationMs: performance.now() - this.#start,
      backup: this.#backup,
    }
  }

  #begins({ name }: Migration, direction: Direction): void {
    this.#tell({ kind: 'started', name, direction })
  }

  #failure(
    { name }: Migration,
    direction: Direction,
    statement: string | undefined,
    isRolledBack: boolean,
    cause: unknown,
  ): MigrationFailedError {
    const verb = direction === 'up' ? 'applying' : 'undoing'
    const at = statement === undefined ? '' : ` at ${excerpt(statement)}`
    const what = isRolledBack
      ? 'It was rolled back; what came before it stays. Correct it and migrate again.'
      : 'It ran without a transaction, so that what it had done by then is there, and it is marked as dirty. Complete it or ' +
        `undo it by hand, then repairMigration(db, { migrations, name: '${name}', as: 'done' }), or as: 'undone'.`
    return new MigrationFailedError(
      `Migration "${name}" failed${at} (${verb}): ${reasonOf(cause)}. ${what}`,
      { migration: name, statement, isRolledBack, cause },
    )
  }

  #tell(event: MigrationEvent): void {
    const { onProgress } = this.#job.options
    if (onProgress === undefined) return
    try {
      const answer = started(onProgress(event))
      if (answer instanceof Promise) answer.catch(warn)
    } catch (error) {
      warn(error)
    }
  }
}

const noTransactions = 'this engine cannot undo what a migration does, so that it is not run'

function unrecorded(migration: Migration, direction: Direction, why: string): PlannedMigration {
  const { name, transaction } = migration
  const statements = direction === 'up' ? migration.statements : undefined
  return statements === undefined
    ? { name, transaction, statements, why }
    : { name, transaction, statements }
}

function planOf(
  { where, migrations, options: { to, down } }: MigrationJob,
  state: MigrationState,
): Plan {
  if (down !== undefined) return downPlan(where, down, state)
  if (to === undefined) return { direction: 'up', run: state.pending, left: [] }
  const last = migrations.findIndex(({ name }) => name === to)
  if (last === -1) throw unknownTarget(where, 'to', to)
  const wanted = new Set(migrations.slice(0, last + 1))
  const run = state.pending.filter((migration) => wanted.has(migration))
  const left = state.pending.filter((migration) => !wanted.has(migration))
  return { direction: 'up', run, left }
}

function downPlan(
  where: string,
  down: NonNullable<NormalMigrateOptions['down']>,
  { applied, pending }: MigrationState,
): Plan {
  let kept = down === 'all' ? 0 : applied.length - 1
  if (typeof down === 'object') {
    kept = applied.findIndex(({ name }) => name === down.to) + 1
    if (kept === 0) throw unknownTarget(where, 'down.to', down.to)
  }
  const run = applied.slice(Math.max(kept, 0)).toReversed()
  const without = run.filter(({ hasDown }) => !hasDown).map(({ name }) => name)
  if (without.length > 0) {
    throw new MigrationRefusedError(
      'MIGRATION_NO_DOWN',
      `Cannot undo "${without.join('", "')}": there is no \`down\`. Nothing was undone. Write a migration that does what ` +
        'is wanted instead, or restore a backup.',
      without,
    )
  }
  return { direction: 'down', run, left: pending }
}

function unknownTarget(where: string, option: string, name: string): OptionError {
  return new OptionError(
    'INVALID_OPTION',
    option,
    `${where} cannot use ${JSON.stringify(name)} as \`${option}\`: ` +
      `${option === 'to' ? 'there is no migration of that name' : 'no migration of that name has been applied'}. Nothing was done.`,
  )
}

function isDone({ applied }: MigrationState, { name }: Migration, direction: Direction): boolean {
  return applied.some((migration) => migration.name === name) === (direction === 'up')
}

function* violationsOf(settings: Settings, session: MigrationSession): Steps<Violations> {
  return settings === undefined ? new Map() : yield* settings.violations(session)
}

function refuseViolations(
  migration: string,
  before: Violations,
  after: Violations,
  isTransaction: boolean,
): void {
  const found = addedViolations(before, after)
  if (found.length === 0) return
  throw new MigrationRefusedError(
    'MIGRATION_FOREIGN_KEYS',
    `Migration "${migration}" leaves rows without a parent: ${found.join('; ')}. ` +
      (isTransaction
        ? 'It was rolled back. Delete or correct these rows in the migration.'
        : `It ran without a transaction and is marked as dirty: correct them, then repairMigration(db, { migrations, name: '${migration}', as: 'done' }).`),
    [migration],
  )
}

/** What the engine says, which ORMs put behind their own words. */
function reasonOf(error: unknown): string {
  let inner = error
  for (let depth = 0; depth < 5; depth++) {
    const cause = (inner as { cause?: unknown } | null | undefined)?.cause
    if (cause === undefined || cause === null) break
    inner = cause
  }
  return String((inner as { message?: unknown } | null | undefined)?.message ?? inner).replace(
    /\.$/,
    '',
  )
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}
