import { transaction, type TransactionOptions } from '@keelson/transactions/kysely'
import { type Kysely, sql } from 'kysely'
import { type Tables, taken } from './engines.ts'
import { registerHook, UserError } from './hook.ts'
import type { RootProgram, ScopeProgram, Step } from './program.ts'
import { codeOf, now, type Outcome, outcomeOf, RootControl, ScopeRecord } from './records.ts'
import type { Frame, Trace } from './trace.ts'

class LostError extends Error {}

type Of<Kind extends Step['do']> = Extract<Step, { do: Kind }>

/** Plays a program, and writes down what it was told. What no model would allow is a violation at once. */
export class Play {
  readonly #trace: Trace

  private constructor(trace: Trace) {
    this.#trace = trace
  }

  /** @returns once everything has settled, also what nobody waited for */
  static async run(trace: Trace, program: readonly RootProgram[]): Promise<void> {
    const play = new Play(trace)
    for (const each of program) {
      const control = new RootControl(each.hasSignal, each.retries)
      void trace.track(play.#root({ ...each, propagation: 'default' }, control))
    }
    await trace.quiet()
  }

  async #root(
    { keeps, steps, propagation }: Pick<ScopeProgram, 'keeps' | 'steps' | 'propagation'>,
    control: RootControl,
  ): Promise<{ outcome: Outcome; scope: ScopeRecord | undefined }> {
    let scope: ScopeRecord | undefined
    const attempt = async (tx: Kysely<Tables>, number: number): Promise<number> => {
      const { body } = scope ?? {}
      if (scope !== undefined) scope.settle(body ?? { error: undefined })
      scope = new ScopeRecord(undefined, control, keeps, number)
      this.#trace.scopes.push(scope)
      return this.#body({ scope, tx }, steps)
    }
    const options: TransactionOptions = {
      ...(propagation === 'requiresNew' && { propagation }),
      ...(!keeps && { commitIf: () => false }),
      ...(control.controller && { signal: control.controller.signal }),
      ...(control.retries && {
        retry: {
          attempts: 2,
          minDelayMs: 0.001,
          when: (error: unknown) => error instanceof LostError,
        },
      }),
    }
    const outcome = await outcomeOf(
      transaction(this.#trace.db, (tx, info) => attempt(tx, info.attempt), options),
    )
    scope?.settle(outcome)
    return { outcome, scope }
  }

  async #body(frame: Frame, steps: readonly Step[]): Promise<number> {
    const { scope } = frame
    try {
      // After an abort nobody waits for it any more.
      await this.#trace.track(this.#steps(frame, steps))
      scope.end({ value: scope.id })
      return scope.id
    } catch (error) {
      scope.end({ error })
      throw error
    }
  }

  async #steps(frame: Frame, steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(frame, step)
  }

  // oxlint-disable-next-line typescript/promise-function-async -- some are answered at once
  #step(frame: Frame, step: Step): Promise<unknown> | void {
    const { scope } = frame
    switch (step.do) {
      case 'insert':
        return this.#await(this.#trace.insert(frame, step.through), step.awaited)
      case 'fail':
        return this.#fail(frame, step)
      case 'ruin':
        return this.#trace.engine.kind === 'sqlite'
          ? this.#ruin(frame, step)
          : this.#fail(frame, { ...step, do: 'fail', awaited: true })
      case 'read':
        return this.#trace.read(scope)
      case 'throw':
        throw new UserError(`thrown in ${scope.id}`)
      case 'lose':
        if (scope.root.attempt === 1) throw new LostError(`lost in ${scope.id}`)
        return
      case 'pause':
        return new Promise((resolve) => setImmediate(resolve))
      case 'abort':
        return this.#abort(scope)
      case 'late':
        return this.#late(frame, step)
      case 'hook':
        return registerHook(this.#trace, frame.scope, step)
      case 'scope':
        return this.#await(this.#inner(frame, step), step.awaited, scope)
      case 'parallel': {
        scope.root.isOrdered = false
        const branches = step.branches.map((each) => this.#trace.track(this.#steps(frame, each)))
        return step.waits === 'all' ? Promise.all(branches) : Promise.allSettled(branches)
      }
    }
  }

  async #fail({ scope }: Frame, { caught, awaited }: Of<'fail'>): Promise<void> {
    const insert = this.#trace.db.insertInto('item').values({ name: taken })
    const failing = this.#trace.send(scope, () => insert.execute(), awaited ? 'seen' : 'unseen')
    if (awaited && !caught) await failing
    else
      await this.#await(
        failing.catch(() => {}),
        awaited,
      )
  }

  async #ruin({ scope }: Frame, { caught }: Of<'ruin'>): Promise<void> {
    const ruin = sql`insert or rollback into item values (${taken})`
    const ruining = this.#trace.send(scope, () => ruin.execute(this.#trace.db), 'root')
    await (caught ? ruining.catch(() => {}) : ruining)
  }

  #abort(scope: ScopeRecord): void {
    const { control, root } = scope
    if (control.controller === undefined || control.aborted !== undefined) return
    root.isOrdered = false
    control.aborted = { at: now(), error: new Error(`aborted in ${scope.id}`) }
    control.controller.abort(control.aborted.error)
  }

  #late(frame: Frame, { through }: Of<'late'>): void {
    const { scope } = frame
    const later = async (): Promise<void> => {
      await scope.whenSettled
      await this.#trace.insert(frame, through)
    }
    void this.#trace.track(later())
  }

  async #inner(frame: Frame, program: Of<'scope'>): Promise<void> {
    const { propagation, caught } = program
    const { hasSavepoints } = this.#trace.engine
    const isJoin = propagation === 'required' || (propagation === 'default' && !hasSavepoints)
    try {
      if (propagation === 'requiresNew') await this.#requiresNew(frame, program)
      else if (isJoin) await this.#join(frame, program)
      else await this.#nest(frame, program)
    } catch (error) {
      if (!caught) throw error
    }
  }

  async #nest({ scope }: Frame, { propagation, keeps, steps }: ScopeProgram): Promise<void> {
    const { isOver } = scope
    let child: ScopeRecord | undefined
    scope.openPart()
    const outcome = await outcomeOf(
      transaction(
        this.#trace.db,
        (tx) => {
          child = new ScopeRecord(scope, scope.control, keeps, 1)
          this.#trace.scopes.push(child)
          scope.parts.push(child)
          return this.#body({ scope: child, tx }, steps)
        },
        {
          ...(propagation === 'nested' && { propagation }),
          ...(!keeps && { commitIf: () => false }),
        },
      ),
    )
    scope.openParts--
    if (child !== undefined) {
      child.settle(outcome)
      if (isOver) this.#trace.violations.push(`a scope began in ${scope.id}, which is over`)
    } else if (!this.#trace.engine.hasSavepoints) {
      if (!('error' in outcome) || codeOf(outcome.error) !== 'SAVEPOINTS_NOT_SUPPORTED')
        this.#trace.violations.push('a savepoint was not refused')
    } else this.#checkRefused(scope, outcome)
    if ('error' in outcome) throw outcome.error
  }

  async #join({ scope }: Frame, { propagation, keeps, steps }: ScopeProgram): Promise<void> {
    const { isOver } = scope
    let body: Outcome | undefined
    scope.openPart()
    const outcome = await outcomeOf(
      transaction(
        this.#trace.db,
        async (tx) => {
          const part = { endedAt: Infinity }
          scope.parts.push(part)
          body = await outcomeOf(this.#trace.track(this.#steps({ scope, tx }, steps)))
          part.endedAt = now()
          if ('error' in body) {
            scope.joined.push({ at: now(), error: body.error })
            throw body.error
          }
          if (!keeps) scope.joined.push({ at: now(), error: undefined })
        },
        {
          ...(propagation !== 'default' && { propagation }),
          ...(!keeps && { commitIf: () => false }),
        },
      ),
    )
    scope.openParts--
    if (body === undefined) this.#checkRefused(scope, outcome)
    else {
      if (isOver) this.#trace.violations.push(`something joined ${scope.id}, which is over`)
      const [told, was] = [outcome, body].map((each) => ('error' in each ? each.error : undefined))
      if (told !== was)
        this.#trace.violations.push(`what joined ${scope.id} ended with ${String(told)}`)
    }
    if ('error' in outcome) throw outcome.error
  }

  async #requiresNew({ scope }: Frame, program: ScopeProgram): Promise<void> {
    const isFree = this.#trace.engine.hasSecondConnection
    const { isOver } = scope.root
    const inner = await this.#root(program, new RootControl(false, false))
    const hasRun = inner.scope !== undefined
    const mayRun = isFree || scope.root.body !== undefined || scope.control.aborted !== undefined
    if (hasRun && !mayRun)
      this.#trace.violations.push('a second transaction ran where there can be one')
    const { outcome } = inner
    if (
      !hasRun &&
      (isFree ||
        isOver ||
        !('error' in outcome) ||
        codeOf(outcome.error) !== 'TRANSACTION_POOL_DEADLOCK')
    )
      this.#trace.violations.push(
        `requiresNew did not run: ${'error' in outcome && String(outcome.error)}`,
      )
    if ('error' in outcome) throw outcome.error
  }

  #checkRefused(scope: ScopeRecord, outcome: Outcome): void {
    if (!('error' in outcome) || !scope.explains(outcome.error))
      this.#trace.violations.push(
        `a scope in ${scope.id} did not begin: ${'error' in outcome && String(outcome.error)}`,
      )
  }

  async #await(promise: Promise<unknown>, isAwaited: boolean, beside?: ScopeRecord): Promise<void> {
    const tracked = this.#trace.track(promise)
    if (isAwaited) await tracked
    else if (beside !== undefined) beside.root.isOrdered = false
  }
}
