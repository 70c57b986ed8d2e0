import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from './postgres.ts'

test('commits, rolls back and reports the SQLSTATE of a broken constraint', async () => {
  const client = await connect()
  await client.query('create table account (id int primary key, balance numeric not null)')

  await client.query('begin')
  await client.query('insert into account values (1, 10)')
  await client.query('commit')
  await client.query('begin')
  await client.query('insert into account values (2, 20)')
  await client.query('rollback')
  const { rows } = await client.query('select id, balance from account')
  expect(rows).toEqual([{ id: 1, balance: '10' }])

  const again = client.query('insert into account values (1, 10)')
  await expect(again).rejects.toMatchObject({ code: '23505', constraint: 'account_pkey' })
})

test('gives every caller an empty UTF-8 database of the same server', async () => {
  const [first, second] = await Promise.all([connect(), connect()])
  await first.query('create table account (id int)')
  const { rows } = await second.query(
    "select to_regclass('account') as account, pg_encoding_to_char(encoding) as encoding from pg_database where datname = current_database()",
  )
  expect(rows).toEqual([{ account: null, encoding: 'UTF8' }])

  expect(await startedAt(first)).toEqual(await startedAt(second))
})

async function connect(): Promise<Client> {
  const { createDatabase } = await postgres()
  const client = new Client({ connectionString: await createDatabase() })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

async function startedAt(client: Client): Promise<Date> {
  const { rows } = await client.query('select pg_postmaster_start_time() as time')
  return rows[0].time
}
