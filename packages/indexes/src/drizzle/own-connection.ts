import {
  attachSuppressed,
  type EngineName,
  type EngineTraits,
  engineTraits,
  inSavepoint,
  type Later,
  type Steps,
  wait,
} from '@keelson/core'
import { kindOf } from '@keelson/core/drizzle'
import type { HostSession, PinnedHost, Row } from '../host/host.ts'
import type { DrizzleSession } from './internals.ts'
import { sessionOn } from './session-on.ts'

/** Sessions of Drizzle's for PostgreSQL that are over one connection, unless they were given a pool. */
const onOneConnection: ReadonlySet<string> = new Set([
  'NodePgSession',
  'NeonSession',
  'PgliteSession',
  'VercelPgSession',
])

/** Whether whatever a session of PostgreSQL sends runs on the same connection. */
export function hasOneConnection(session: DrizzleSession): boolean {
  return onOneConnection.has(kindOf(session)) && poolOf(session)?.totalCount === undefined
}

/**
 * Takes a connection out of the pool that a session of PostgreSQL stands on.
 *
 * @returns undefined for a driver that gives out none
 */
export async function ownConnection(
  session: DrizzleSession,
  identity: object,
): Promise<OwnConnection | undefined> {
  const pool = poolOf(session)
  const connection =
    pool?.reserve !== undefined
      ? await pool.reserve()
      : pool?.totalCount !== undefined
        ? await pool.connect?.()
        : undefined
  return connection && new OwnConnection(session, connection, identity)
}

/** What the pools of postgres.js and pg are known by. */
interface Pools {
  reserve(): Promise<Connection>
  connect(): Promise<Connection>
  readonly totalCount: number
}

interface Connection {
  /** @param destroy of pg: whether nobody is to have it any more */
  release(destroy?: boolean): unknown
}

function poolOf(session: DrizzleSession): Partial<Pools> | undefined {
  return session.client as Partial<Pools> | undefined
}

/**
 * A connection out of a pool. Its transactions are begun and ended by statements: `transaction()` of a Drizzle database takes a
 * connection of its own, and that of a session is not there on a reserved connection of postgres.js.
 */
export class OwnConnection implements PinnedHost {
  readonly engine: EngineName = 'postgresql'
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly identity: object
  readonly #connection: Connection
  readonly #session: HostSession
  #depth = 0
  #isBroken = false

  constructor(session: DrizzleSession, connection: Connection, identity: object) {
    const Session = session.constructor as SessionClass
    const own = new Session(connection, session.dialect, session.schema, session.options)
    this.identity = identity
    this.#connection = connection
    this.#session = sessionOn(own, this.engine)
  }

  get isInTransaction(): boolean {
    return this.#depth > 0
  }

  query(sql: string, parameters: readonly unknown[] = []): Later<readonly Row[]> {
    return this.#session.query(sql, parameters)
  }

  run(sql: string, parameters: readonly unknown[] = []): Later<unknown> {
    return this.#session.run(sql, parameters)
  }

  *atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const isOutermost = this.#depth === 0
    const work = (): Steps<R> => fn(this.#session)
    this.#depth++
    try {
      return yield* isOutermost
        ? this.#inTransaction(work)
        : inSavepoint(work, {
            create: () => this.run('savepoint keelson_schema'),
            rollbackTo: () => this.run('rollback to savepoint keelson_schema'),
            release: () => this.run('release savepoint keelson_schema'),
          })
    } finally {
      this.#depth--
    }
  }

  *#inTransaction<R>(work: () => Steps<R>): Steps<R> {
    let result: R
    try {
      yield* wait(this.run('begin'))
      result = yield* work()
      yield* wait(this.run('commit'))
    } catch (error) {
      try {
        yield* wait(this.run('rollback'))
      } catch (later) {
        // Nobody else is to find a transaction on it.
        this.#isBroken = true
        attachSuppressed(error, later)
      }
      throw error
    }
    return result
  }

  async release(): Promise<void> {
    await this.#connection.release(this.#isBroken)
  }
}

type SessionClass = new (
  client: object,
  dialect: object,
  schema: unknown,
  options: unknown,
) => DrizzleSession
