import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import type { Place } from './place.ts'

/** A database of its own on a server that is running. */
export async function preparePostgres(server: string, schema: readonly string[]): Promise<Place> {
  const name = `corruption_${randomUUID()}`
  const administrator = await connect(server)
  await administrator.query(`create database "${name}"`)
  await administrator.end()

  const url = new URL(server)
  url.pathname = name
  const observer = await connect(url.href)
  await observer.query(
    'create table t (id integer generated always as identity, v text not null unique)',
  )
  for (const statement of schema) await observer.query(statement)
  return {
    location: url.href,
    async rows() {
      const { rows } = await observer.query<{ v: string }>('select v from t order by id')
      return rows.map(({ v }) => v)
    },
    execute: (sql) => observer.query(sql),
  }
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  await client.connect()
  return client
}
