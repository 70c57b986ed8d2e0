import { type EngineName, invalidOption, KeelsonError, type Steps, takeSteps } from '@keelson/core'
import {
  DestructiveStepError,
  OpenTransactionError,
  RebuildError,
  SchemaDriftError,
} from '../../errors.ts'
import {
  addedViolations,
  foreignKeyViolations,
  type Violations,
} from '../../host/foreign-key-violations.ts'
import type { Host, HostSession, PinnedHost } from '../../host/host.ts'
import { backUp } from '../../backup/back-up.ts'
import { checkConcurrently, inNoTransaction } from '../concurrently.ts'
import { ensuredTablesOf } from '../ensure/ensured-tables.ts'
import { Fingerprint } from '../fingerprint.ts'
import { isRebuild } from '../change/rebuild.ts'
import { readLiveTables } from '../live-schema.ts'
import { inLockedTransaction, onLockedConnection, type Patience } from '../lock/schema-lock.ts'
import type { PlanStep, SchemaPlan } from '../schema-plan.ts'
import {
  type ApplyOptions,
  type ApplyReport,
  type NormalisedOptions,
  normaliseApplyOptions,
} from './apply-options.ts'
import { analyseNewIndexes } from './statistics.ts'
import { checkRows, takeStep } from './take-step.ts'

const where = 'applyPlan()'

/** Takes the steps of a plan, each once, whoever else does so at the same time. */
export async function runPlan(
  host: Host,
  plan: SchemaPlan,
  options: ApplyOptions = {},
): Promise<ApplyReport> {
  const normalised = normaliseApplyOptions(options)
  const { allowDrop, backup, dryRun = false, lockTimeoutMs, signal } = normalised
  checkPlan(plan, host.engine)
  const { concurrently = false } = normalised
  checkConcurrently(where, concurrently, host.engine)
  const steps = concurrently ? plan.steps.map(inNoTransaction) : plan.steps
  const destructive = steps.filter(({ risk }) => risk === 'destructive')
  if (destructive.length > 0 && allowDrop !== true && !dryRun) {
    const instead = 'Say `allowDrop: true` when they may; `backup` makes a copy first.'
    throw new DestructiveStepError(where, destructive, instead)
  }
  if (host.isInTransaction) {
    throw new OpenTransactionError(
      `${where} was called inside a transaction. It begins its own, since others must not be kept waiting for longer than it ` +
        'takes, and some steps can be in none. Call it outside of the transaction. Nothing was sent.',
    )
  }
  const start = performance.now()
  const patience: Patience = { where, lockTimeoutMs, signal }
  const run = new PlanRun(host, plan, steps, normalised)
  let isBackedUp = false
  if (dryRun) await takeSteps(run.look(host))
  else {
    if (backup !== undefined && (await takeSteps(run.isNeeded(host)))) {
      await takeSteps(backUp(host, host.engine, backup, where))
      isBackedUp = true
    }
    try {
      await run.apply(patience)
    } finally {
      // Tables may be gone that were known to be there.
      ensuredTablesOf(host.identity).forget()
    }
  }
  return {
    applied: dryRun ? steps.length - run.skipped : run.taken.length,
    skipped: run.skipped,
    dryRun,
    ...(backup !== undefined && isBackedUp && { backup }),
    steps: run.taken,
    elapsedMs: performance.now() - start,
    fingerprint: dryRun ? run.found : (steps.at(-1)?.after ?? plan.fingerprint),
  }
}

class PlanRun {
  readonly #host: Host
  readonly #plan: SchemaPlan
  readonly #steps: readonly PlanStep[]
  readonly #options: NormalisedOptions
  taken: { readonly step: PlanStep; readonly elapsedMs: number }[] = []
  skipped = 0
  found = ''

  constructor(
    host: Host,
    plan: SchemaPlan,
    steps: readonly PlanStep[],
    options: NormalisedOptions,
  ) {
    this.#host = host
    this.#plan = plan
    this.#steps = steps
    this.#options = options
  }

  async apply(patience: Patience): Promise<void> {
    const host = this.#host
    if (this.#steps.every(({ transactional }) => transactional)) {
      const rebuilds = host.engine === 'sqlite' && this.#steps.some(({ sql }) => isRebuild(sql))
      await inLockedTransaction(
        host,
        patience,
        (session) => this.#takeAll(session),
        rebuilds ? (fn) => host.atomicallyWithoutForeignKeys(fn) : undefined,
      )
      return
    }
    await onLockedConnection(host, patience, (pinned) => this.#takeGroups(pinned, patience))
  }

  /** Looks without changing anything: at the fingerprint, and at the rows as far as they can be asked for now. */
  *look(session: HostSession): Steps<void> {
    const first = yield* this.#firstStep(session)
    this.skipped = first
    const made = new Set<string>()
    for (const step of this.#steps.slice(first)) {
      // What is added before it can be asked for only then.
      if (!made.has(step.table)) yield* checkRows(session, step)
      if (step.kind === 'addColumn' || step.kind === 'createTable') made.add(step.table)
    }
  }

  /** Whether there is a step to take. @throws {SchemaDriftError} */
  *isNeeded(session: HostSession): Steps<boolean> {
    return (yield* this.#firstStep(session)) < this.#steps.length
  }

  *#takeAll(session: HostSession): Steps<void> {
    // It may be a second attempt, of which the first left nothing.
    this.taken = []
    const first = yield* this.#firstStep(session)
    this.skipped = first
    const steps = this.#steps.slice(first)
    const isSqlite = this.#host.engine === 'sqlite'
    const rebuilt = steps.find(({ sql }) => isSqlite && isRebuild(sql))
    if (rebuilt === undefined) {
      yield* this.#take(session, steps, first)
      return
    }
    const before = yield* foreignKeyViolations(session)
    yield* this.#take(session, steps, first)
    refuseViolations(before, yield* foreignKeyViolations(session), rebuilt.table)
  }

  /** Steps that can be in a transaction are in one with their neighbours; what was done is kept when a later one fails. */
  async #takeGroups(pinned: PinnedHost, patience: Patience): Promise<void> {
    const first = await takeSteps(this.#firstStep(pinned))
    this.skipped = first
    for (let at = first; at < this.#steps.length;) {
      const { transactional } = this.#steps[at]!
      let end = at + 1
      while (transactional && this.#steps[end]?.transactional === true) end++
      const group = this.#steps.slice(at, end)
      const start = at
      if (transactional) {
        const before = this.taken
        await inLockedTransaction(pinned, patience, (session) => {
          this.taken = [...before]
          return this.#take(session, group, start)
        })
      } else await takeSteps(this.#take(pinned, group, start))
      at = end
    }
  }

  *#take(session: HostSession, steps: readonly PlanStep[], first: number): Steps<void> {
    const { onProgress, signal } = this.#options
    const count = this.#steps.length
    for (const [at, step] of steps.entries()) {
      signal?.throwIfAborted()
      const index = first + at
      onProgress?.({ step, index, count, state: 'started' })
      const start = performance.now()
      yield* takeStep(session, step, this.#host.engine)
      this.taken.push({ step, elapsedMs: performance.now() - start })
      onProgress?.({ step, index, count, state: 'done' })
    }
    yield* analyseNewIndexes(session, steps, this.#host.engine)
  }

  /**
   * Which step is the next one, by what the database has: the first, or the one after those that were taken already.
   *
   * @throws {SchemaDriftError} when it is none
   */
  *#firstStep(session: HostSession): Steps<number> {
    const { fingerprint, tables } = this.#plan
    const live = yield* readLiveTables(session, this.#host.engine, tables)
    const found = new Fingerprint(live).text
    this.found = found
    if (found === fingerprint) return 0
    const done = this.#steps.findLastIndex(({ after }) => after === found)
    if (done === -1) throw new SchemaDriftError(fingerprint, found)
    return done + 1
  }
}

/** @throws {RebuildError} for rows that refer to none, and did refer to one before */
function refuseViolations(before: Violations, after: Violations, table: string): void {
  const added = addedViolations(before, after)
  if (added.length === 0) return
  throw new RebuildError(
    table,
    `Rows would refer to none after the plan: ${added.join('; ')}. Correct or delete them, and try again. All of it was undone.`,
  )
}

function checkPlan(plan: SchemaPlan, engine: EngineName): void {
  if (plan?.v !== 1)
    invalidOption(where, 'plan', plan, 'what diffSchema() of this version has returned')
  if (plan.engine === engine) return
  throw new KeelsonError(
    'OTHER_ENGINE',
    `${where} was given a plan for ${plan.engine}, and this is ${engine}. Make one with diffSchema() on this database. ` +
      'Nothing was sent.',
  )
}
