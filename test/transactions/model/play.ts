import {
  afterCommit,
  afterRollback,
  beforeCommit,
  inTransaction,
  transaction,
  type TransactionOptions,
} from '@keelson/transactions/kysely'
import { type Kysely, sql } from 'kysely'
import { type ModelEngine, type Tables, taken } from './engines.ts'
import type { RootProgram, ScopeProgram, Step } from './program.ts'
import {
  codeOf,
  type HookRecord,
  isUniqueViolation,
  now,
  type Outcome,
  outcomeOf,
  RootControl,
  type RowRecord,
  ScopeRecord,
} from './records.ts'

/** Where a step stands. */
interface Frame {
  readonly scope: ScopeRecord
  readonly tx: Kysely<Tables>
}

class UserError extends Error {}
class LostError extends Error {}

type Of<Kind extends Step['do']> = Extract<Step, { do: Kind }>

/** Plays a program, and writes down what it was told. What no model would allow is a violation at once. */
export class Play {
  readonly engine: ModelEngine
  readonly db: Kysely<Tables>
  readonly prefix: string
  readonly scopes: ScopeRecord[] = []
  readonly rows: RowRecord[] = []
  readonly hooks: HookRecord[] = []
  readonly violations: string[] = []
  /** Everything that was begun, awaited by the program or not. */
  readonly #begun: Promise<unknown>[] = []

  constructor(engine: ModelEngine, db: Kysely<Tables>, prefix: string) {
    this.engine = engine
    this.db = db
    this.prefix = prefix
  }

  async run(program: readonly RootProgram[]): Promise<void> {
    for (const each of program) {
      const control = new RootControl(each.hasSignal, each.retries)
      this.#track(this.#root({ ...each, propagation: 'default' }, control))
    }
    // What goes on after the end of a transaction may begin more.
    while (this.#begun.length > 0) await Promise.allSettled(this.#begun.splice(0))
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
      this.scopes.push(scope)
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
      transaction(this.db, (tx, info) => attempt(tx, info.attempt), options),
    )
    scope?.settle(outcome)
    return { outcome, scope }
  }

  async #body(frame: Frame, steps: readonly Step[]): Promise<number> {
    const { scope } = frame
    try {
      // After an abort nobody waits for it any more.
      await this.#track(this.#steps(frame, steps))
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
        return this.#await(this.#insert(frame, step.through), step.awaited)
      case 'fail':
        return this.#fail(frame, step)
      case 'ruin':
        return this.engine.kind === 'sqlite'
          ? this.#ruin(frame, step)
          : this.#fail(frame, { ...step, do: 'fail', awaited: true })
      case 'read':
        return this.#read(frame)
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
        return this.#hook(frame, step)
      case 'scope':
        return this.#await(this.#inner(frame, step), step.awaited, scope)
      case 'parallel': {
        scope.root.isOrdered = false
        const branches = step.branches.map((each) => this.#track(this.#steps(frame, each)))
        return step.waits === 'all' ? Promise.all(branches) : Promise.allSettled(branches)
      }
    }
  }

  /** Sends a statement, and checks what it was told against what is known of the scope. */
  async #send(
    scope: ScopeRecord,
    send: () => Promise<unknown>,
    fails?: 'seen' | 'unseen' | 'root',
  ): Promise<unknown> {
    const { mustRefuse } = scope
    const failed = fails === 'root' ? scope.root : scope
    if (fails !== undefined) failed.failing++
    try {
      const value = await send()
      if (mustRefuse) this.violations.push(`a statement ran in ${scope.id}, which allows none`)
      if (fails) this.violations.push(`a statement in ${scope.id} was to fail, and did not`)
      return value
    } catch (error) {
      if (fails !== undefined && isUniqueViolation(error)) {
        if (fails === 'root') scope.root.lost = { at: now(), error }
        else if (this.engine.failsWhole) scope.failures.push({ at: now(), error })
        if (fails === 'unseen' || scope.body !== undefined) scope.unseen.push(error)
      } else if (!scope.explains(error))
        this.violations.push(`a statement in ${scope.id} was refused with ${String(error)}`)
      throw error
    } finally {
      if (fails !== undefined) failed.failing--
    }
  }

  async #insert({ scope, tx }: Frame, through: 'db' | 'tx'): Promise<void> {
    const row = { name: `${this.prefix}${this.rows.length}`, scope, isIn: false }
    this.rows.push(row)
    const handle = through === 'db' ? this.db : tx
    await this.#send(scope, () => handle.insertInto('item').values({ name: row.name }).execute())
    row.isIn = true
  }

  async #fail({ scope }: Frame, { caught, awaited }: Of<'fail'>): Promise<void> {
    const insert = this.db.insertInto('item').values({ name: taken })
    const failing = this.#send(scope, () => insert.execute(), awaited ? 'seen' : 'unseen')
    if (awaited && !caught) await failing
    else
      await this.#await(
        failing.catch(() => {}),
        awaited,
      )
  }

  async #ruin({ scope }: Frame, { caught }: Of<'ruin'>): Promise<void> {
    const ruin = sql`insert or rollback into item values (${taken})`
    const ruining = this.#send(scope, () => ruin.execute(this.db), 'root')
    await (caught ? ruining.catch(() => {}) : ruining)
  }

  async #read({ scope }: Frame): Promise<void> {
    const inside = new Set(scope.chain)
    const isSeen = (row: RowRecord): boolean =>
      row.isIn &&
      row.scope?.root === scope.root &&
      row.scope.chain.every((each) => inside.has(each) || each.isKept)
    const isGone = (row: RowRecord): boolean =>
      row.scope?.chain.some((each) => each.outcome !== undefined && !each.isKept) ?? false
    const seen = this.rows.filter(isSeen)
    const gone = new Set(this.rows.filter(isGone).map(({ name }) => name))
    const query = this.db.selectFrom('item').select('name').where('name', 'like', `${this.prefix}%`)
    const read = (await this.#send(scope, () => query.execute())) as readonly { name: string }[]
    const names = new Set(read.map(({ name }) => name))
    for (const { name } of seen)
      if (!names.has(name)) this.violations.push(`${scope.id} does not see its own row ${name}`)
    for (const name of names)
      if (gone.has(name)) this.violations.push(`${scope.id} sees ${name}, which was undone`)
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
      await this.#insert(frame, through)
    }
    this.#track(later())
  }

  async #hook({ scope }: Frame, { kind, then }: Of<'hook'>): Promise<void> {
    const record: HookRecord = {
      kind,
      scope,
      registeredAt: now(),
      isRegistered: false,
      ran: [],
      threw: undefined,
    }
    const hook = async (): Promise<void> => {
      record.ran.push(now())
      if (inTransaction(this.db) !== (kind === 'beforeCommit'))
        this.violations.push(`${kind} ran ${kind === 'beforeCommit' ? 'outside' : 'inside'}`)
      try {
        if (then === 'throw') throw new UserError(`thrown by ${kind}`)
        if (then === 'insert' && kind === 'beforeCommit')
          await this.#insert({ scope: scope.root, tx: this.db }, 'db')
        if (then === 'insert' && kind === 'afterCommit') await this.#insertOutside()
      } catch (error) {
        record.threw = error
        throw error
      }
    }
    this.hooks.push(record)
    const register = { beforeCommit, afterCommit, afterRollback }[kind]
    const { isOver } = scope
    try {
      await register(this.db, hook)
      record.isRegistered = true
      if (isOver) this.violations.push(`a hook was registered in ${scope.id}, which is over`)
    } catch (error) {
      if (!scope.explains(error))
        this.violations.push(`a hook of ${scope.id} was refused with ${String(error)}`)
      throw error
    }
  }

  async #insertOutside(): Promise<void> {
    const row: RowRecord = {
      name: `${this.prefix}${this.rows.length}`,
      scope: undefined,
      isIn: true,
    }
    this.rows.push(row)
    await this.db.insertInto('item').values({ name: row.name }).execute()
  }

  async #inner(frame: Frame, program: Of<'scope'>): Promise<void> {
    const { propagation, caught } = program
    const { hasSavepoints } = this.engine
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
        this.db,
        (tx) => {
          child = new ScopeRecord(scope, scope.control, keeps, 1)
          this.scopes.push(child)
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
      if (isOver) this.violations.push(`a scope began in ${scope.id}, which is over`)
    } else if (!this.engine.hasSavepoints) {
      if (!('error' in outcome) || codeOf(outcome.error) !== 'SAVEPOINTS_NOT_SUPPORTED')
        this.violations.push('a savepoint was not refused')
    } else this.#checkRefused(scope, outcome)
    if ('error' in outcome) throw outcome.error
  }

  async #join({ scope }: Frame, { propagation, keeps, steps }: ScopeProgram): Promise<void> {
    const { isOver } = scope
    let body: Outcome | undefined
    scope.openPart()
    const outcome = await outcomeOf(
      transaction(
        this.db,
        async (tx) => {
          const part = { endedAt: Infinity }
          scope.parts.push(part)
          body = await outcomeOf(this.#track(this.#steps({ scope, tx }, steps)))
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
      if (isOver) this.violations.push(`something joined ${scope.id}, which is over`)
      const [told, was] = [outcome, body].map((each) => ('error' in each ? each.error : undefined))
      if (told !== was) this.violations.push(`what joined ${scope.id} ended with ${String(told)}`)
    }
    if ('error' in outcome) throw outcome.error
  }

  async #requiresNew({ scope }: Frame, program: ScopeProgram): Promise<void> {
    const isFree = this.engine.hasSecondConnection
    const { isOver } = scope.root
    const inner = await this.#root(program, new RootControl(false, false))
    const hasRun = inner.scope !== undefined
    const mayRun = isFree || scope.root.body !== undefined || scope.control.aborted !== undefined
    if (hasRun && !mayRun) this.violations.push('a second transaction ran where there can be one')
    const { outcome } = inner
    if (
      !hasRun &&
      (isFree ||
        isOver ||
        !('error' in outcome) ||
        codeOf(outcome.error) !== 'TRANSACTION_POOL_DEADLOCK')
    )
      this.violations.push(
        `requiresNew did not run: ${'error' in outcome && String(outcome.error)}`,
      )
    if ('error' in outcome) throw outcome.error
  }

  #checkRefused(scope: ScopeRecord, outcome: Outcome): void {
    if (!('error' in outcome) || !scope.explains(outcome.error))
      this.violations.push(
        `a scope in ${scope.id} did not begin: ${'error' in outcome && String(outcome.error)}`,
      )
  }

  async #await(promise: Promise<unknown>, isAwaited: boolean, beside?: ScopeRecord): Promise<void> {
    const tracked = this.#track(promise)
    if (isAwaited) await tracked
    else if (beside !== undefined) beside.root.isOrdered = false
  }

  /** Whoever begins something may leave it to itself. */
  #track<R>(promise: Promise<R>): Promise<R> {
    this.#begun.push(promise.catch(() => {}))
    return promise
  }
}
