import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { describeError, type ErrorDescription } from '@keelson/core'
import { describe, expect, onTestFinished, test } from 'vitest'

const schema = `
  create table account (
    id int primary key, email varchar unique, name text not null default 'n', age int check (age > 17)
  );
  create table entry (id int primary key, account_id int references account(id));
  create table pair (a int, b text, primary key (a, b));
  create table word (w text); create unique index word_lower on word(lower(w));
  create table "dot.ted" (a int not null);
  create table odd ("c:d" varchar unique);
  create view one as select 1 as n;
  create table marker (a int);
  insert into account (id, email, age) values (1, 'a@b.c', 18);
  insert into entry values (1, 1);
  insert into pair values (1, 'x');
  insert into word values ('A');
  insert into odd values ('x: y');`

type Expected = Omit<Partial<ErrorDescription>, 'transactionFate'>

/** Statements that fail inside a transaction, and what is said of them. */
const failures: Record<string, Expected> = {
  'insert into account (id) values (1)': {
    category: 'unique',
    code: 'Constraint',
    columns: ['id'],
    message: 'Duplicate key "..." violates primary key constraint.',
  },
  "insert into account (id, email) values (2, 'a@b.c')": {
    category: 'unique',
    columns: ['email'],
    message: 'Duplicate key "..." violates unique constraint.',
  },
  'insert into account (id) values (7), (7)': {
    category: 'unique',
    message: 'PRIMARY KEY or UNIQUE constraint violation: duplicate key "..."',
  },
  "insert into pair values (1, 'x')": { category: 'unique' },
  "insert into word values ('a')": { category: 'unique' },
  "insert into odd values ('x: y')": { category: 'unique', columns: ['c:d'] },
  'insert into entry values (2, 99)': {
    category: 'foreignKey',
    message:
      'Violates foreign key constraint because key "..." does not exist in the referenced table',
  },
  'delete from account': { category: 'foreignKey' },
  'insert into account (id, name) values (2, null)': {
    category: 'notNull',
    table: 'account',
    columns: ['name'],
  },
  'insert into "dot.ted" values (null)': { category: 'notNull' },
  'insert into account (id, age) values (2, 3)': { category: 'check', table: 'account' },
  "insert into account (id) values ('one')": {
    category: 'value',
    code: 'Conversion',
    message: "Could not convert string 'one' to INT32",
  },
  'select 9223372036854775807 + 1': { category: 'value', code: 'Out of Range' },
  "select strptime('a', '%Y')": { category: 'value', code: 'Invalid Input' },
  'select (select 1 union all select 2)': { category: 'value' },
  'selec 1': { category: 'syntax', code: 'Parser', message: 'syntax error at or near "selec"' },
  'select id from account, entry': { category: 'syntax', code: 'Binder' },
  'insert into account values (1)': { category: 'syntax' },
  'select sum(sum(1))': { category: 'syntax' },
  'select * from missing': { category: 'missingObject', code: 'Catalog' },
  'select missing from account': { category: 'missingObject', code: 'Binder' },
  'select missing.a from account': { category: 'missingObject' },
  'insert into account (missing) values (1)': { category: 'missingObject' },
  'select missing(1)': { category: 'missingObject' },
  'select 1::missing': { category: 'missingObject' },
  'select * from missing.t': { category: 'missingObject' },
  'set missing = 1': { category: 'missingObject' },
  "select * from 'missing.csv'": { category: 'missingObject', code: 'IO' },
  "attach '/missing/directory/x.db' as x": { category: 'missingObject' },
  'load missing': { category: 'missingObject' },
  'create table account (a int)': { category: 'misuse', code: 'Catalog' },
  'create index word_lower on word(w)': { category: 'misuse' },
  'alter table account rename to other': { category: 'misuse', code: 'Dependency' },
  'create index i on word(w) where w is null': { category: 'misuse', code: 'Not implemented' },
  begin: { category: 'misuse', code: 'TransactionContext' },
  'select $1': { category: 'misuse', code: 'Invalid Input' },
  'insert into one values (1)': { category: 'misuse' },
  "set enable_external_access = false; select * from 'x.csv'": {
    category: 'permission',
    code: 'Permission',
  },
  'set lock_configuration = true; set threads = 1': { category: 'misuse' },
  "set memory_limit = '1MB'": { category: 'resource', code: 'Out of Memory' },
}

describe.for([false, true])('errors_as_json is %s', (json) => {
  test.for(Object.entries(failures))('%s', async ([sql, expected]) => {
    const connection = await open(json)
    await connection.run(`${schema}; begin; insert into marker values (1)`)

    const description = await failure(connection.run(sql))

    expect(description).toMatchObject({ engine: 'duckdb', retryable: false, ...expected })
    for (const name of ['table', 'columns', 'constraint'] as const) {
      if (!(name in expected)) expect(description).not.toHaveProperty(name)
    }
    // An aborted transaction is always told; one that goes on in DuckDB 1.5 may not in 2.0.
    const aborted = (await fateOf(connection)) === 'aborted'
    expect(description.transactionFate).toBe(aborted ? 'aborted' : 'unknown')
  })

  test('a lost race is a serialization failure that is worth a retry', async () => {
    const first = await open(json)
    const second = await open(json, first)
    await first.run(schema)
    const expected = { category: 'serialization', code: 'TransactionContext', retryable: true }

    await first.run('begin; update account set name = $$a$$')
    await second.run('begin; select * from account')
    const update = await failure(second.run('update account set name = $$b$$'))
    expect(update).toMatchObject({ ...expected, transactionFate: await fateOf(second) })
    await second.run('rollback')
    await first.run('rollback')

    await first.run("begin; insert into pair values (5, 'secret')")
    await second.run("begin; insert into pair values (5, 'secret')")
    await first.run('commit')
    const commit = await failure(second.run('commit'))
    expect(commit).toMatchObject({ ...expected, transactionFate: 'rolledBack' })
    expect(commit.message).not.toContain('secret')
    expect(await failure(second.run('rollback'))).toMatchObject({
      category: 'misuse',
      message: 'cannot rollback - no transaction is active',
      transactionFate: 'kept',
    })

    await first.run('begin; create table fresh (a int)')
    await second.run('begin')
    const create = await failure(second.run('create table fresh (b int)'))
    expect(create).toMatchObject({ ...expected, transactionFate: await fateOf(second) })
  })

  test('writing in a transaction that was begun for reading', async () => {
    const connection = await open(json)
    await connection.run('create table t (a int); begin transaction read only')
    const description = await failure(connection.run('insert into t values (1)'))
    expect(description).toMatchObject({ category: 'readOnly', code: 'TransactionContext' })
  })

  test('a statement after one that failed in the transaction', async () => {
    const connection = await open(json)
    await connection.run('begin')
    await failure(connection.run("select 'x'::int"))
    expect(await failure(connection.run('select 1'))).toMatchObject({
      category: 'misuse',
      message: 'Current transaction is aborted (please ROLLBACK)',
      transactionFate: 'aborted',
    })
  })

  test('an interrupt', async () => {
    const connection = await open(json)
    const query = connection.run('select count(*) from range(1000000000) a, range(1000) b')
    const again = setInterval(() => connection.interrupt(), 10)
    const description = await failure(query)
    clearInterval(again)
    expect(description).toMatchObject({ category: 'cancelled', code: 'INTERRUPT' })
  })

  test('a prepared statement with values missing or too many', async () => {
    const connection = await open(json)
    const prepared = await connection.prepare('select $1::int')
    expect(await failure(prepared.run())).toMatchObject({ category: 'misuse' })
    expect(await failure(connection.run('select $1', [1, 2]))).toMatchObject({ category: 'misuse' })
    expect(await failure(connection.prepare('select 1; select 2'))).toMatchObject({
      category: 'misuse',
    })
  })

  test('keeps the values when asked to', async () => {
    const connection = await open(json)
    await connection.run(schema)
    const error = await thrown(
      connection.run("insert into account (id, email) values (2, 'a@b.c')"),
    )
    const { message } = describeError(error, { includeValues: true })
    expect(message).toBe('Duplicate key "email: a@b.c" violates unique constraint.')
  })

  test('names no column where a value could be taken for one', async () => {
    const connection = await open(json)
    await connection.run("create table t (a text unique); insert into t values ('1, admin: 2')")
    const description = await failure(connection.run("insert into t values ('1, admin: 2')"))
    expect(description).toMatchObject({ category: 'unique' })
    expect(description).not.toHaveProperty('columns')
  })
})

test('a value that the client cannot bind', async () => {
  const connection = await open(false)
  const description = await failure(connection.run('select $1', [new Date() as unknown as string]))
  expect(description).toMatchObject({ engine: 'duckdb', category: 'misuse', code: undefined })
})

test('a connection and an instance that are closed', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  connection.closeSync()
  expect(await failure(connection.run('select 1'))).toMatchObject({
    engine: 'duckdb',
    category: 'connection',
  })
  instance.closeSync()
  expect(await failure(instance.connect())).toMatchObject({
    engine: 'duckdb',
    category: 'connection',
  })
})

test('files that are missing, no database, opened for reading, or locked by another process', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-errors-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'a.duckdb')
  const garbage = join(directory, 'garbage.duckdb')
  writeFileSync(garbage, 'garbage '.repeat(2000))

  const missing = DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
  expect(await failure(missing)).toMatchObject({ category: 'missingObject', code: 'IO' })
  expect(await failure(DuckDBInstance.create(garbage))).toMatchObject({ category: 'corruption' })
  expect(await failure(DuckDBInstance.create(file, { missing: '1' }))).toMatchObject({
    category: 'misuse',
  })

  const program = `require('@duckdb/node-api').DuckDBInstance.create(${JSON.stringify(file)}).then(() => {
    console.log('open'); setTimeout(() => {}, 60_000) })`
  const holder = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  expect(await failure(DuckDBInstance.create(file))).toMatchObject({
    engine: 'duckdb',
    category: 'busy',
    code: 'IO',
    retryable: true,
  })
  holder.kill('SIGKILL')
  await once(holder, 'exit')

  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const write = await failure(connection.run('create table t (a int)'))
  expect(write).toMatchObject({ category: 'readOnly', code: 'Invalid Input' })
  connection.closeSync()
  instance.closeSync()
})

// What no statement here can be made to produce: 2.0, a file server, a failed checkpoint.
test.for([
  ['HTTP Error: 503', 'HTTP', 'connection'],
  ['FATAL Error: database has been invalidated', 'FATAL', 'connection'],
  ['INTERNAL Error: Attempted to access index 1', 'INTERNAL', 'unknown'],
  ['Missing Extension Error: spatial', 'Missing Extension', 'missingObject'],
  ['Failed to append: Constraint Error: NOT NULL constraint failed: t.a', 'Constraint', 'notNull'],
  ['{"exception_type":"Of 2030","exception_message":"new"}', 'Of 2030', 'unknown'],
] as const)('%s', ([message, code, category]) => {
  expect(describeError(new Error(message))).toMatchObject({ engine: 'duckdb', code, category })
})

test.for([
  'Something Error: of another library',
  'The Constraint Error: is not at the beginning',
  '{"exception_type":"Constraint"}',
  '{"exception_type":"Constraint","exception_message":',
])('%s is not taken for an error of DuckDB', (message) => {
  expect(describeError(new Error(message))).toMatchObject({
    engine: undefined,
    category: 'unknown',
  })
})

async function open(json: boolean, neighbour?: DuckDBConnection): Promise<DuckDBConnection> {
  const options = { errors_as_json: String(json), autoload_known_extensions: 'false' }
  const instance =
    neighbour === undefined
      ? await DuckDBInstance.create(':memory:', options)
      : instances.get(neighbour)
  if (instance === undefined) throw new Error('The neighbour was not opened here.')
  const connection = await instance.connect()
  instances.set(connection, instance)
  onTestFinished(() => connection.closeSync())
  return connection
}

const instances = new WeakMap<DuckDBConnection, DuckDBInstance>()

/** DuckDB has no way to ask: a statement that cannot fail by itself tells an aborted transaction. */
async function fateOf(connection: DuckDBConnection): Promise<string> {
  const probe = await connection.run('select 1').catch((error: Error) => error)
  return probe instanceof Error ? 'aborted' : 'kept'
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
