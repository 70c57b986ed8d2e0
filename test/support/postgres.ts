import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Client, type Pool, type PoolClient } from 'pg'
import { inject } from 'vitest'

/** The PostgreSQL server that all test files of one run share. */
export interface PostgresServer {
  /** The superuser's connection to the database `postgres`. */
  readonly connectionString: string

  /** Creates an empty database that nobody else uses, and returns its connection string. */
  readonly createDatabase: () => Promise<string>
}

/**
 * A real PostgreSQL 18 for the tests of this run: one server for all test files, started by the
 * first call, stopped and deleted after the run. Nothing starts in a run that never calls it.
 *
 * Durability is off (`fsync`, `synchronous_commit`, `full_page_writes`), so it says nothing about
 * crash safety or about the time a commit takes.
 *
 * @example
 * const { createDatabase } = await postgres()
 * const pool = new Pool({ connectionString: await createDatabase() })
 */
export async function postgres(): Promise<PostgresServer> {
  const response = await fetch(inject('postgresBroker'), { method: 'POST' })
  const answer = await response.text()
  if (!response.ok) throw new Error(answer)
  return { connectionString: answer, createDatabase: () => createDatabase(answer) }
}

/** Ends the backend of one of these clients, and waits until it is gone, and the client has heard of it. */
export async function endHeard(
  on: Pool,
  clients: readonly PoolClient[],
  pid: number,
): Promise<void> {
  const client = (clients as unknown as readonly Wire[]).find(({ processID }) => processID === pid)
  const heard = once(client!.connection.stream, 'close')
  await on.query('select pg_terminate_backend($1, 5000)', [pid])
  await heard
}

/** What the types of `pg` do not tell of a client. */
interface Wire {
  readonly processID: number
  readonly connection: { readonly stream: Socket }
}

/** Ends a backend once it is in `pg_sleep()`, and waits until it is gone. */
export async function endOnceAsleep(on: Pool, pid: number): Promise<void> {
  const asleep = `select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`
  while ((await on.query(asleep, [pid])).rowCount === 0);
  await on.query('select pg_terminate_backend($1, 5000)', [pid])
}

async function createDatabase(server: string): Promise<string> {
  const name = `test_${randomUUID()}`
  const client = new Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(`create database "${name}"`)
  } finally {
    await client.end()
  }
  const url = new URL(server)
  url.pathname = name
  return url.href
}
