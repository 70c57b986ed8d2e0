import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describeError, type ErrorDescription } from '@keelson/core'
import { Client, Pool } from 'pg'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { emptyPGlite } from '../support/pglite.ts'

const schema = `
  create table account (
    id int primary key, email text unique, name text not null default 'n', age int constraint grown check (age > 17),
    code varchar(3), "a, b" text, "c)=(d" text, unique ("a, b", "c)=(d")
  );
  create table entry (id int primary key, account_id int references account (id));
  create table late (id int primary key, account_id int references account (id) deferrable initially deferred);
  create table tree (id int primary key, parent int references tree (id));
  create table pair (a int, b text, primary key (a, b));
  create table word (w text); create unique index word_lower on word (lower(w));
  create table odd ("say ""hi""" int unique); insert into odd values (1);
  create table booking (during int4range, exclude using gist (during with &&));
  create domain grade as int check (value > 0);
  create view counted as select count(*) as n from account;
  create table marker (a int);
  create role nobody_here;
  insert into account (id, email, age, "a, b", "c)=(d") values (1, 'a@b.c', 18, 'x', 'y)=(z');
  insert into entry values (1, 1);
  insert into pair values (1, 'x');
  insert into word values ('A');
  insert into booking values ('[1,5)');`

type Expected = Omit<Partial<ErrorDescription>, 'transactionFate'>

/** Statements that fail inside a transaction, and what is said of them. */
const failures: Record<string, Expected> = {
  'insert into account (id) values (1)': {
    category: 'unique',
    code: '23505',
    sqlState: '23505',
    constraint: 'account_pkey',
    table: 'account',
    columns: ['id'],
    message:
      'duplicate key value violates unique constraint "account_pkey": Key (id)=(...) already exists.',
  },
  "insert into account (id, email) values (2, 'a@b.c')": {
    category: 'unique',
    constraint: 'account_email_key',
    columns: ['email'],
  },
  'insert into account (id, "a, b", "c)=(d") values (2, \'x\', \'y)=(z\')': {
    category: 'unique',
    columns: ['a, b', 'c)=(d'],
    message:
      'duplicate key value violates unique constraint "account_a, b_c)=(d_key": ' +
      'Key ("a, b", "c)=(d")=(...) already exists.',
  },
  "insert into pair values (1, 'x')": { category: 'unique', columns: ['a', 'b'] },
  'insert into odd values (1)': { category: 'unique', columns: ['say "hi"'] },
  "insert into word values ('a')": {
    category: 'unique',
    constraint: 'word_lower',
    table: 'word',
    message:
      'duplicate key value violates unique constraint "word_lower": Key (lower(w))=(...) already exists.',
  },
  "insert into booking values ('[2,3)')": {
    category: 'unique',
    code: '23P01',
    columns: ['during'],
    message:
      'conflicting key value violates exclusion constraint "booking_during_excl": Key (during)=(...).',
  },
  'insert into entry values (2, 99)': {
    category: 'foreignKey',
    code: '23503',
    constraint: 'entry_account_id_fkey',
    table: 'entry',
    columns: ['account_id'],
    message:
      'insert or update on table "entry" violates foreign key constraint "entry_account_id_fkey": ' +
      'Key (account_id)=(...) is not present in table "account".',
  },
  // The key named is the parent's: no column of `entry` can be told.
  'delete from account': {
    category: 'foreignKey',
    table: 'entry',
    constraint: 'entry_account_id_fkey',
  },
  'insert into tree values (1, 99)': {
    category: 'foreignKey',
    table: 'tree',
    constraint: 'tree_parent_fkey',
  },
  'insert into account (id, name) values (2, null)': {
    category: 'notNull',
    code: '23502',
    table: 'account',
    columns: ['name'],
    message:
      'null value in column "name" of relation "account" violates not-null constraint: Failing row contains (...).',
  },
  "insert into account (id, age, name) values (2, 3, 'a)=(b')": {
    category: 'check',
    code: '23514',
    table: 'account',
    constraint: 'grown',
    message:
      'new row for relation "account" violates check constraint "grown": Failing row contains (...).',
  },
  'select (-1)::grade': { category: 'check', constraint: 'grade_check' },
  "do $$ begin raise exception 'closed on Sundays'; end $$": {
    category: 'check',
    code: 'P0001',
    message: 'closed on Sundays',
  },
  "do $$ begin raise exception 'refused' using detail = 'what (this)=(row) has'; end $$": {
    category: 'check',
    message: 'refused',
  },
  "select 'abc'::int": { category: 'value', code: '22P02' },
  'select 2147483647 + 1': { category: 'value', code: '22003' },
  "insert into account (id, code) values (2, 'long')": { category: 'value', code: '22001' },
  "select '{'::json": { category: 'value', message: 'invalid input syntax for type json' },
  'select (select 1 union all select 2)': { category: 'value', code: '21000' },
  'selec 1': { category: 'syntax', code: '42601', message: 'syntax error at or near "selec"' },
  'select id from account, entry': { category: 'syntax', code: '42702' },
  "insert into marker values ('2026-01-01'::date)": { category: 'syntax', code: '42804' },
  'select * from missing': { category: 'missingObject', code: '42P01' },
  'select missing from account': { category: 'missingObject', code: '42703' },
  'select missing(1)': { category: 'missingObject', code: '42883' },
  'select 1::missing': { category: 'missingObject', code: '42704' },
  'create table missing.t (a int)': { category: 'missingObject', code: '3F000' },
  'rollback to missing': { category: 'missingObject', code: '3B001' },
  'execute missing': { category: 'missingObject', code: '26000' },
  'set role nobody_here; select * from account': { category: 'permission', code: '42501' },
  'set transaction read only; insert into marker values (1)': {
    category: 'readOnly',
    code: '25006',
  },
  'create table account (a int)': { category: 'misuse', code: '42P07' },
  vacuum: { category: 'misuse', code: '25001' },
  'drop table account': { category: 'misuse', code: '2BP01' },
  'insert into counted values (1)': { category: 'misuse', code: '55000' },
  [`select ${Array.from({ length: 2000 }, () => '1').join()}`]: {
    category: 'resource',
    code: '54011',
  },
}

describe('PGlite', () => {
  const database = emptyPGlite()
  beforeAll(() => database.exec(schema))

  test.for(Object.entries(failures))('%s', async ([sql, expected]) => {
    await database.exec('begin; insert into marker values (1)')
    onTestFinished(() => void database.exec('rollback'))

    const description = await failure(database.exec(sql))

    expect(description).toMatchObject({ engine: 'postgresql', retryable: false, ...expected })
    expect(description.sqlState).toBe(description.code)
    if (expected.columns === undefined) expect(description).not.toHaveProperty('columns')
    expect(description.transactionFate).toBe('aborted')
    expect(await failure(database.query('select 1'))).toMatchObject({
      category: 'misuse',
      code: '25P02',
      transactionFate: 'aborted',
    })
  })

  test('keeps the values when asked to', async () => {
    const error = await thrown(database.exec("insert into account (id, email) values (2, 'a@b.c')"))
    expect(describeError(error, { includeValues: true }).message).toBe(
      'duplicate key value violates unique constraint "account_email_key": Key (email)=(a@b.c) already exists.',
    )
  })

  test('a constraint that is checked at COMMIT', async () => {
    const commit = database.exec('begin; insert into late values (1, 99); commit')
    expect(await failure(commit)).toMatchObject({ category: 'foreignKey', columns: ['account_id'] })
  })

  test('a database that is closed', async () => {
    const closed = emptyPGlite()
    await closed.close()
    const description = await failure(closed.query('select 1'))
    expect(description).toMatchObject({ engine: 'postgresql', category: 'connection' })
  })

  test('values never get into the message, whatever characters they have', async () => {
    const values = [
      'secret)=(',
      '=(secret',
      'secret")',
      '(secret',
      ') secret (',
      '"secret" "entry"',
    ]
    for (const value of values) {
      await database.query('insert into pair values (7, $1)', [value])
      const unique = await failure(database.query('insert into pair values (7, $1)', [value]))
      expect(unique.columns, value).toEqual(['a', 'b'])
      const check = await failure(
        database.query('insert into account (id, age, name) values (7, 3, $1)', [value]),
      )
      expect(unique.message + check.message).not.toContain('secret')
    }
  })
})

describe('a server', () => {
  test('a deadlock, a lost race and a lock that is not to be had', async () => {
    const [first, second] = await connectTwo()
    await first.query(
      'create table t (id int primary key, n int); insert into t values (1, 1), (2, 2)',
    )

    await first.query('begin; update t set n = 0 where id = 1')
    await second.query('begin; update t set n = 0 where id = 2')
    const crossed = [
      first.query('update t set n = 0 where id = 2'),
      second.query('update t set n = 0 where id = 1'),
    ]
    expect(
      describeError(await Promise.all(crossed).catch((error: unknown) => error)),
    ).toMatchObject({
      category: 'deadlock',
      code: '40P01',
      retryable: true,
      transactionFate: 'aborted',
    })
    await Promise.allSettled(crossed)
    await first.query('rollback')
    await second.query('rollback')

    await first.query('begin isolation level repeatable read; select * from t')
    await second.query('update t set n = 5')
    expect(await failure(first.query('update t set n = 6'))).toMatchObject({
      category: 'serialization',
      code: '40001',
      retryable: true,
      transactionFate: 'aborted',
    })
    await first.query('rollback')

    await first.query('begin; update t set n = 7')
    const nowait = await failure(second.query('select * from t for update nowait'))
    expect(nowait).toMatchObject({ category: 'busy', code: '55P03', retryable: false })
    await second.query('set lock_timeout = 20')
    const timedOut = await failure(second.query('update t set n = 8'))
    expect(timedOut).toMatchObject({ category: 'busy', code: '55P03' })
    await first.query('rollback')
  })

  test('a time limit, a cancel request and the end of the connection', async () => {
    const [first, second] = await connectTwo()
    first.on('error', () => {})
    const { rows } = await first.query('select pg_backend_pid() as pid')
    const stop = async (how: string) => {
      const query = failure(first.query('select pg_sleep(50)'))
      const active = `select 1 from pg_stat_activity where pid = $1 and state = 'active' and wait_event = 'PgSleep'`
      while ((await second.query(active, [rows[0].pid])).rowCount === 0);
      await second.query(`select ${how}($1)`, [rows[0].pid])
      return query
    }

    await second.query('set statement_timeout = 20')
    const timeout = await failure(second.query('select pg_sleep(50)'))
    expect(timeout).toMatchObject({
      category: 'timeout',
      code: '57014',
      transactionFate: 'aborted',
    })
    await second.query('set statement_timeout = 0')
    const cancelled = await stop('pg_cancel_backend')
    expect(cancelled).toMatchObject({ category: 'cancelled', code: '57014' })
    expect(await stop('pg_terminate_backend')).toMatchObject({
      category: 'connection',
      code: '57P01',
      retryable: false,
      transactionFate: 'unknown',
    })
    const after = await failure(first.query('select 1'))
    expect(after).toMatchObject({ engine: 'postgresql', category: 'connection', code: undefined })
  })

  test('a transaction that was left open for too long', async () => {
    const [first] = await connectTwo()
    first.on('error', () => {})
    const ended = once(first, 'error')
    await first.query('set idle_in_transaction_session_timeout = 20; begin')
    expect(describeError((await ended)[0])).toMatchObject({
      category: 'timeout',
      code: '25P03',
      transactionFate: 'rolledBack',
    })
  })

  test('a database and a user that do not exist', async () => {
    const { connectionString } = await postgres()
    const url = new URL(connectionString)
    url.pathname = 'missing'
    const database = new Client({ connectionString: url.href })
    expect(await failure(database.connect())).toMatchObject({
      category: 'missingObject',
      code: '3D000',
    })

    url.username = 'missing'
    const user = new Client({ connectionString: url.href })
    expect(await failure(user.connect())).toMatchObject({
      category: 'permission',
      transactionFate: 'unknown',
    })
  })

  test('parameters that do not fit the statement, and limits', async () => {
    const [client] = await connectTwo()
    const count = await failure(client.query('select $1::int', [1, 2]))
    expect(count).toMatchObject({ category: 'misuse', code: '08P01', transactionFate: 'aborted' })
    const limit = "set temp_file_limit = '1kB'; set work_mem = '64kB'"
    const sort =
      'select count(*) from (select n from generate_series(1, 100000) n order by random()) s'
    expect(await failure(client.query(`${limit}; ${sort}`))).toMatchObject({
      category: 'resource',
      code: '53400',
    })
  })
})

describe('pg without an answer', () => {
  test('nobody listens', async () => {
    const server = await listen(() => {})
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const client = new Client({ host: '127.0.0.1', port })
    expect(await failure(client.connect())).toMatchObject({
      engine: undefined,
      category: 'connection',
      code: 'ECONNREFUSED',
      retryable: false,
    })
  })

  test('the server hangs up, or never answers', async () => {
    const rude = await listen((socket) => socket.destroy())
    const silent = await listen(() => {})
    const at = (server: Server) => ({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      connectionTimeoutMillis: 50,
    })
    const hangup = await failure(new Client(at(rude)).connect())
    expect(hangup).toMatchObject({ category: 'connection', transactionFate: 'unknown' })
    expect(await failure(new Client(at(silent)).connect())).toMatchObject({ category: 'timeout' })

    const pool = new Pool(at(silent))
    expect(await failure(pool.query('select 1'))).toMatchObject({ category: 'timeout' })
    await pool.end()
    const ended = await failure(pool.query('select 1'))
    expect(ended).toMatchObject({ engine: 'postgresql', category: 'connection' })
  })

  test('the client’s own time limit, and a client that was ended', async () => {
    const { connectionString } = await postgres()
    const client = new Client({ connectionString, query_timeout: 20 })
    await client.connect()
    const timeout = await failure(client.query('select pg_sleep(0.2)'))
    expect(timeout).toMatchObject({
      engine: 'postgresql',
      category: 'timeout',
      transactionFate: 'unknown',
    })
    await client.end()
    expect(await failure(client.query('select 1'))).toMatchObject({ category: 'connection' })
  })
})

// Not installed here: its PostgresError differs in how it spells the fields, https://github.com/porsager/postgres
test('postgres.js spells the fields out', () => {
  const error = Object.assign(
    new Error('duplicate key value violates unique constraint "t_pkey"'),
    {
      name: 'PostgresError',
      severity_local: 'FEHLER',
      severity: 'ERROR',
      code: '23505',
      detail: 'Schlüssel »(id, "B")=(1, 2)« existiert bereits.',
      schema_name: 'public',
      table_name: 't',
      constraint_name: 't_pkey',
    },
  )
  expect(describeError(error)).toEqual({
    engine: 'postgresql',
    category: 'unique',
    code: '23505',
    sqlState: '23505',
    constraint: 't_pkey',
    table: 't',
    columns: ['id', 'B'],
    retryable: false,
    transactionFate: 'aborted',
    message:
      'duplicate key value violates unique constraint "t_pkey": Schlüssel »(id, "B")=(...)« existiert bereits.',
  })
  const closed = Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' })
  expect(describeError(closed)).toMatchObject({ engine: 'postgresql', category: 'connection' })
})

// What no statement here can be made to produce; the server itself raises the state that is asked for.
test.for([
  ['40003', 'connection', 'unknown', false],
  ['53100', 'resource', 'aborted', false],
  ['53300', 'resource', 'unknown', false],
  ['57P03', 'connection', 'unknown', false],
  ['58030', 'resource', 'aborted', false],
  ['08006', 'connection', 'unknown', false],
  ['XX000', 'unknown', 'aborted', false],
  ['XX001', 'corruption', 'aborted', false],
  ['0A000', 'misuse', 'aborted', false],
  ['44000', 'check', 'aborted', false],
  ['ZZ999', 'unknown', 'aborted', false],
] as const)('%s is %s', async ([state, category, transactionFate, retryable]) => {
  const [client] = await connectTwo()
  const raise = client.query(`do $$ begin raise exception 'x' using errcode = '${state}'; end $$`)
  expect(await failure(raise)).toMatchObject({ code: state, category, transactionFate, retryable })
})

async function connectTwo(): Promise<[Client, Client]> {
  const { createDatabase } = await postgres()
  const connectionString = await createDatabase()
  const clients: [Client, Client] = [
    new Client({ connectionString }),
    new Client({ connectionString }),
  ]
  for (const client of clients) {
    await client.connect()
    onTestFinished(() => client.end().catch(() => {}))
  }
  return clients
}

async function listen(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return server
}

async function failure(promise: Promise<unknown>): Promise<ErrorDescription> {
  return describeError(await thrown(promise))
}

async function thrown(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error('Nothing was thrown.')),
    (error: unknown) => error,
  )
}
