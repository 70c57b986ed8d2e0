import type { DrizzleDatabase, DrizzleSession } from './internals.ts'

/** A database on a connection of its own. */
export interface OwnConnection {
  readonly db: DrizzleDatabase
  release(): unknown
}

/**
 * Takes a connection out of the pool that a session stands on.
 *
 * @returns the database itself where its driver has but one connection; undefined for a driver that gives out none
 */
export async function ownConnection(db: DrizzleDatabase): Promise<OwnConnection | undefined> {
  const { session } = db
  const client = session.client as Partial<Pools> | undefined
  if (client?.reserve !== undefined) {
    const connection = await client.reserve()
    return { db: onConnection(db, connection), release: () => connection.release() }
  }
  // Of mysql2, whose pool also has `query`; then pg, whose client has `connect`, but no count of connections.
  if (client?.getConnection !== undefined) {
    const connection = await client.getConnection()
    return { db: onConnection(db, connection), release: () => connection.release() }
  }
  if (client?.connect !== undefined && client.totalCount !== undefined) {
    const connection = await client.connect()
    return { db: onConnection(db, connection), release: () => connection.release() }
  }
  return isServerless(session) ? undefined : { db, release: () => {} }
}

interface Released {
  release(): unknown
}

/** What the pools of postgres.js, mysql2 and pg are known by. */
interface Pools {
  reserve(): Promise<Released>
  getConnection(): Promise<Released>
  connect(): Promise<Released>
  readonly totalCount: number
}

/** Each statement is a request of its own. */
function isServerless(session: DrizzleSession): boolean {
  return /http|proxy|DataApi|D1/i.test(session.constructor.name)
}

function onConnection(db: DrizzleDatabase, connection: object): DrizzleDatabase {
  const { session } = db
  const Session = session.constructor as SessionClass
  const own = new Session(connection, session.dialect, session.schema, session.options)
  // Its methods take the session from `this`.
  return Object.create(db, { session: { value: own } }) as DrizzleDatabase
}

type SessionClass = new (
  client: object,
  dialect: object,
  schema: unknown,
  options: unknown,
) => DrizzleSession
