import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
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
