import {
  type AmbientTransactions,
  bulkIngest,
  type BulkIngestCapable,
  bulkRows,
  bulkStatements,
  type BulkStatementsCapable,
  type EngineTraits,
  type Later,
  statementObserver,
  type Steps,
  takeSteps,
  wait,
  worksBeside,
} from '@keelson/core'
import { kindOf, rowsOf } from '@keelson/core/drizzle'
import type { Copier, HostSession } from '../host/host.ts'
import { Observed } from '../host/observed.ts'
import { CopyIn, WireProbe } from '../method/copy-in.ts'
import { type DrizzleDatabase, type DrizzleSession, type Prepared } from './internals.ts'

type Rows = readonly Record<string, unknown>[]

/** See `HostSession`, for drivers that answer with promises. */
export class DrizzleHostSession implements HostSession {
  readonly isOwnDriver: boolean
  readonly worksBeside: boolean
  readonly bulkStatements: HostSession['bulkStatements']
  readonly bulkIngest: HostSession['bulkIngest']
  readonly #db: DrizzleDatabase
  readonly #session: DrizzleSession
  readonly #traits: EngineTraits
  readonly #ambient: AmbientTransactions | undefined
  readonly #observed: Observed
  #copier: { readonly found: Copier | undefined } | undefined

  constructor(db: DrizzleDatabase, traits: EngineTraits, ambient: AmbientTransactions | undefined) {
    const session = db.session as DrizzleSession &
      Partial<BulkStatementsCapable & BulkIngestCapable>
    this.#db = db
    this.#session = session
    this.#traits = traits
    this.#ambient = ambient
    this.#observed = new Observed(session.dialect[statementObserver], session)
    this.worksBeside = session[worksBeside] === true
    this.bulkStatements = this.#observed.bulkStatements(session[bulkStatements]?.bind(session))
    this.bulkIngest = this.#observed.bulkIngest(session[bulkIngest]?.bind(session))
    this.isOwnDriver = kindOf(session).startsWith('Keelson')
  }

  async query(sql: string, parameters: readonly unknown[] = [], rowCount?: number): Promise<Rows> {
    const prepared = this.#prepare(sql, parameters, 'all', rowCount)
    return rowsOf(await (prepared.all === undefined ? prepared.execute() : prepared.all()))
  }

  async run(
    sql: string,
    parameters: readonly unknown[] = [],
    rowCount?: number,
  ): Promise<number | undefined> {
    const prepared = this.#prepare(sql, parameters, 'run', rowCount)
    return changesOf(await (prepared.run === undefined ? prepared.execute() : prepared.run()))
  }

  copier(): Copier | undefined {
    this.#copier ??= { found: this.#observed.copier(copyInOn(this.#session)) }
    return this.#copier.found
  }

  *savepoint<R>(fn: (inner: HostSession) => Steps<R>): Steps<R> {
    // Elsewhere a failed statement undoes itself alone, or there is no savepoint.
    if (this.#traits.engine !== 'postgresql') return yield* fn(this)
    // postgres.js fails a transaction in the end for a statement that has failed on its own handle.
    const run = (tx: unknown): Promise<R> =>
      takeSteps(fn(new DrizzleHostSession(tx as DrizzleDatabase, this.#traits, this.#ambient)))
    return yield* wait(
      this.#ambient === undefined
        ? (this.#db.transaction(run) as Later<R>)
        : this.#ambient.transaction(this.#db, run, 'savepoint'),
    )
  }

  #prepare(
    sql: string,
    params: readonly unknown[],
    method: 'all' | 'run',
    rowCount: number | undefined,
  ): Prepared {
    const query = { sql, params, [bulkRows]: rowCount }
    return this.#traits.engine === 'sqlite'
      ? this.#session.prepareQuery(query, undefined, method, false)
      : this.#session.prepareQuery(query, undefined, undefined, false)
  }
}

/** COPY through the client that a transaction of node-postgres is on. */
function copyInOn(session: DrizzleSession): Copier | undefined {
  if (kindOf(session) !== 'NodePgSession') return undefined
  const client = session.client as { query(submittable: object): unknown }
  const probe = new WireProbe()
  client.query(probe)
  if (!probe.canCopy) return undefined
  return async (sql, data) => {
    const copy = new CopyIn(sql, data)
    client.query(copy)
    return (await copy).rowCount
  }
}

/** How many rows a statement has changed, as the drivers call it. */
function changesOf(result: unknown): number | undefined {
  const found = (Array.isArray(result) && result[0] !== undefined ? result[0] : result) as
    | Readonly<Record<string, unknown>>
    | undefined
  const own = result as Readonly<Record<string, unknown>> | undefined
  const count =
    found?.['affectedRows'] ??
    own?.['rowCount'] ??
    own?.['changes'] ??
    own?.['rowsAffected'] ??
    own?.['count']
  return typeof count === 'number' || typeof count === 'bigint' ? Number(count) : undefined
}
