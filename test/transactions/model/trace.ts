import { type Kysely } from 'kysely'
import { type ModelEngine, type Tables } from './engines.ts'
import {
  type HookRecord,
  isUniqueViolation,
  now,
  type RowRecord,
  type ScopeRecord,
} from './records.ts'

/** Where a step stands. */
export interface Frame {
  readonly scope: ScopeRecord
  readonly tx: Kysely<Tables>
}

/** What a program has done so far, and what of it no model would allow. */
export class Trace {
  readonly engine: ModelEngine
  readonly db: Kysely<Tables>
  /** Of the names that it inserts. */
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

  /** Sends a statement, and checks what it was told against what is known of the scope. */
  async send(
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

  async insert({ scope, tx }: Frame, through: 'db' | 'tx'): Promise<void> {
    const row = { name: `${this.prefix}${this.rows.length}`, scope, isIn: false }
    this.rows.push(row)
    const handle = through === 'db' ? this.db : tx
    await this.send(scope, () => handle.insertInto('item').values({ name: row.name }).execute())
    row.isIn = true
  }

  /** As a hook does after the commit. */
  async insertOutside(): Promise<void> {
    const row: RowRecord = {
      name: `${this.prefix}${this.rows.length}`,
      scope: undefined,
      isIn: true,
    }
    this.rows.push(row)
    await this.db.insertInto('item').values({ name: row.name }).execute()
  }

  /** Reads what it must see, and must not. */
  async read(scope: ScopeRecord): Promise<void> {
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
    const read = (await this.send(scope, () => query.execute())) as readonly { name: string }[]
    const names = new Set(read.map(({ name }) => name))
    for (const { name } of seen)
      if (!names.has(name)) this.violations.push(`${scope.id} does not see its own row ${name}`)
    for (const name of names)
      if (gone.has(name)) this.violations.push(`${scope.id} sees ${name}, which was undone`)
  }

  /** Whoever begins something may leave it to itself. */
  track<R>(promise: Promise<R>): Promise<R> {
    this.#begun.push(promise.catch(() => {}))
    return promise
  }

  /** Resolves once all that was begun has settled; what goes on after the end of a transaction may begin more. */
  async quiet(): Promise<void> {
    while (this.#begun.length > 0) await Promise.allSettled(this.#begun.splice(0))
  }
}
