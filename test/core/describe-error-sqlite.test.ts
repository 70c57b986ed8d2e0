import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describeError, type ErrorDescription } from '@keelson/core'
import { createClient } from '@libsql/client'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'

const schema = `
  pragma foreign_keys = on;
  create table account (
    id integer primary key, email text unique, name text not null default 'n',
    age int constraint grown check (age > 17), rank int check (rank < 10)
  ) strict;
  create table entry (id integer primary key, account_id int references account(id));
  create table late (id integer primary key, account_id int references account(id) deferrable initially deferred);
  create table pair (a int, b text, primary key (a, b)) without rowid;
  create table word (w text); create unique index word_lower on word(lower(w));
  create table "dot.ted" (a int unique);
  create table guarded (a); create trigger guard before insert on guarded begin select raise(abort, 'no thanks'); end;
  create table fatal (a); create trigger kill before insert on fatal begin select raise(rollback, 'all gone'); end;
  create view one as select 1 as n;
  create table child (a int references account(name));
  create table doubled (a int, b as (a * 2));
  insert into account (id, email, age, rank) values (1, 'a@b.c', 18, 1);
  insert into pair values (1, 'x');
  insert into word values ('A');
  insert into "dot.ted" values (1);
  create table marker (a);`

/** What both drivers have in common for this test. */
interface Handle {
  exec(sql: string): void
  readonly inTransaction: boolean
}

const drivers: Record<string, () => Handle> = {
  'better-sqlite3': () => {
    const database = new Database(':memory:')
    onTestFinished(() => void database.close())
    return database
  },
  'node:sqlite': () => {
    const database = new DatabaseSync(':memory:')
    onTestFinished(() => database.close())
    return {
      exec: (sql) => database.exec(sql),
      get inTransaction() {
        return database.isTransaction
      },
    }
  },
}

type Expected = Omit<Partial<ErrorDescription>, 'transactionFate'>

/** Statements that fail inside a transaction, and what is said of them. */
const failures: Record<string, Expected> = {
  'insert into account (id, age, rank) values (1, 20, 1)': {
    category: 'unique',
    code: 'SQLITE_CONSTRAINT_PRIMARYKEY',
    table: 'account',
    columns: ['id'],
    message: 'UNIQUE constraint failed: account.id',
  },
  "insert into account (email) values ('a@b.c')": {
    category: 'unique',
    code: 'SQLITE_CONSTRAINT_UNIQUE',
    table: 'account',
    columns: ['email'],
  },
  "insert or rollback into account (email) values ('a@b.c')": {
    category: 'unique',
    columns: ['email'],
  },
  "insert into pair values (1, 'x')": {
    category: 'unique',
    code: 'SQLITE_CONSTRAINT_PRIMARYKEY',
    table: 'pair',
    columns: ['a', 'b'],
  },
  "insert into word values ('a')": { category: 'unique', constraint: 'word_lower' },
  'insert into "dot.ted" values (1)': { category: 'unique' },
  'insert into marker(rowid, a) values (7, 1), (7, 2)': {
    category: 'unique',
    code: 'SQLITE_CONSTRAINT_ROWID',
    columns: ['rowid'],
  },
  'insert into entry values (1, 99)': {
    category: 'foreignKey',
    code: 'SQLITE_CONSTRAINT_FOREIGNKEY',
  },
  'insert into late values (1, 99); commit': { category: 'foreignKey' },
  'insert into account (name) values (null)': {
    category: 'notNull',
    code: 'SQLITE_CONSTRAINT_NOTNULL',
    table: 'account',
    columns: ['name'],
  },
  'insert into account (age) values (3)': {
    category: 'check',
    code: 'SQLITE_CONSTRAINT_CHECK',
    constraint: 'grown',
  },
  'insert into account (rank) values (30)': { category: 'check', constraint: 'rank < 10' },
  'insert into guarded values (1)': {
    category: 'check',
    code: 'SQLITE_CONSTRAINT_TRIGGER',
    message: 'no thanks',
  },
  'insert into fatal values (1)': {
    category: 'check',
    code: 'SQLITE_CONSTRAINT_TRIGGER',
    message: 'all gone',
  },
  "insert into account (age) values ('old')": {
    category: 'value',
    code: 'SQLITE_CONSTRAINT_DATATYPE',
    table: 'account',
    columns: ['age'],
  },
  "insert into account (id) values ('one')": { category: 'value', code: 'SQLITE_MISMATCH' },
  'select zeroblob(2000000000)': { category: 'value', code: 'SQLITE_TOOBIG' },
  'select abs(-9223372036854775808)': { category: 'value', code: 'SQLITE_ERROR' },
  "select json('{')": { category: 'value' },
  "select json_extract('{}', 'x')": { category: 'value' },
  "select 'a' like 'b' escape 'cc'": { category: 'value' },
  'selec 1': { category: 'syntax', code: 'SQLITE_ERROR' },
  select: { category: 'syntax' },
  "select 'open": { category: 'syntax' },
  'select id from account, entry': { category: 'syntax' },
  'select sum(sum(1))': { category: 'syntax' },
  'select (1, 2) = 1': { category: 'syntax' },
  'insert into pair (a, b) values (1)': { category: 'syntax' },
  'insert into pair values (1)': { category: 'syntax' },
  'select (select 1, 2)': { category: 'syntax' },
  'select abs(1, 2)': { category: 'syntax' },
  'insert into child values (1)': { category: 'syntax' },
  'select * from missing': { category: 'missingObject', message: 'no such table: missing' },
  'select missing from account': { category: 'missingObject' },
  'insert into account (missing) values (1)': { category: 'missingObject' },
  'select missing(1)': { category: 'missingObject' },
  'drop index missing': { category: 'missingObject' },
  'release missing': { category: 'missingObject' },
  'create table missing.t (a)': { category: 'missingObject' },
  'select 1 order by 1 collate missing': {
    category: 'missingObject',
    code: 'SQLITE_ERROR_MISSING_COLLSEQ',
  },
  "select load_extension('x')": { category: 'permission' },
  'pragma query_only = on; insert into marker values (2)': {
    category: 'readOnly',
    code: 'SQLITE_READONLY',
  },
  begin: { category: 'misuse', message: 'cannot start a transaction within a transaction' },
  vacuum: { category: 'misuse' },
  'pragma synchronous = off': { category: 'misuse' },
  'create table account (a)': { category: 'misuse' },
  'alter table pair rename to account': { category: 'misuse' },
  'insert into one values (1)': { category: 'misuse' },
  'insert into doubled (b) values (1)': { category: 'misuse' },
  'update doubled set b = 1': { category: 'misuse' },
  'drop table sqlite_schema': { category: 'misuse' },
  'drop index sqlite_autoindex_account_1': { category: 'misuse' },
  "attach '/missing/directory/x.db' as x": { category: 'connection', code: 'SQLITE_CANTOPEN' },
  'pragma max_page_count = 1; insert into marker values (zeroblob(1000000))': {
    category: 'resource',
    code: 'SQLITE_FULL',
  },
  'select ?32767': { category: 'resource' },
  [`select ${Array.from({ length: 2500 }, () => '1').join()}`]: { category: 'resource' },
  [`select ${Array.from({ length: 2500 }, () => '1').join('+')}`]: { category: 'resource' },
  'select 1 having 1': { category: 'unknown', code: 'SQLITE_ERROR' },
}

for (const [driver, open] of Object.entries(drivers)) {
  test.for(Object.entries(failures))(`${driver}: %s`, ([sql, expected]) => {
    const database = open()
    database.exec(schema)
    database.exec('begin; insert into marker values (1)')

    const description = describeError(thrownBy(() => database.exec(sql)))

    expect(description).toMatchObject({ engine: 'sqlite', retryable: false, ...expected })
    if (expected.columns === undefined) expect(description).not.toHaveProperty('columns')
    // The documented exception: OR ROLLBACK ends the transaction under the code of the constraint.
    if (sql.includes('or rollback')) expect(database.inTransaction).toBe(false)
    else expectFate(description, database.inTransaction)
  })
}

function expectFate({ transactionFate }: ErrorDescription, inTransaction: boolean): void {
  if (transactionFate === 'unknown') return
  expect(inTransaction ? ['kept', 'statement'] : ['rolledBack']).toContain(transactionFate)
}

test('says that the transaction may be gone where SQLite decides that by itself', () => {
  const database = new Database(':memory:')
  database.exec(schema)
  for (const sql of [
    'insert into fatal values (1)',
    'pragma max_page_count = 1; insert into marker values (zeroblob(1000000))',
  ]) {
    database.exec('begin')
    const error = thrownBy(() => database.exec(sql))
    expect(database.inTransaction).toBe(false)
    expect(describeError(error).transactionFate).toBe('unknown')
  }
})

test('both drivers give one description', () => {
  for (const sql of Object.keys(failures)) {
    const [first, second] = Object.values(drivers).map((open) => {
      const database = open()
      database.exec(schema)
      return describeError(thrownBy(() => database.exec(`begin; ${sql}`)))
    })
    expect(first, sql).toEqual(second)
  }
})

// Two connections of one driver: POSIX locks do not hold between two copies of SQLite in one process.
test.for([
  ['better-sqlite3', (file: string) => new Database(file, { timeout: 0 })],
  ['node:sqlite', (file: string) => new DatabaseSync(file, { timeout: 0 })],
] as const)('%s: a lock that another connection holds', ([, open]) => {
  const file = temporaryFile()
  const holder = open(file)
  holder.exec('pragma journal_mode = wal; create table t (a); insert into t values (1)')
  const waiter = open(file)
  onTestFinished(() => {
    waiter.close()
    holder.close()
  })

  holder.exec('begin immediate')
  expect(describeError(thrownBy(() => waiter.exec('begin immediate')))).toEqual({
    engine: 'sqlite',
    category: 'busy',
    code: 'SQLITE_BUSY',
    retryable: true,
    transactionFate: 'kept',
    message: 'database is locked',
  })
  holder.exec('commit')

  waiter.exec('begin; select * from t')
  holder.exec('insert into t values (2)')
  expect(describeError(thrownBy(() => waiter.exec('insert into t values (3)')))).toMatchObject({
    category: 'busy',
    code: 'SQLITE_BUSY_SNAPSHOT',
    retryable: true,
    transactionFate: 'kept',
  })
  expect(() => waiter.exec('begin')).toThrow('within a transaction')
})

test('a table that the own connection still reads is busy, but not worth a retry', () => {
  const database = new DatabaseSync(':memory:')
  database.exec('create table t (a); insert into t values (1), (2)')
  const rows = database.prepare('select * from t').iterate()
  rows.next()
  expect(describeError(thrownBy(() => database.exec('drop table t')))).toMatchObject({
    category: 'busy',
    code: 'SQLITE_LOCKED',
    retryable: false,
  })
})

test('a rollback under an open statement ends that statement and the transaction', () => {
  const database = new DatabaseSync(':memory:')
  database.exec('create table t (a); insert into t values (1), (2); begin; create table u (a)')
  const rows = database.prepare('select * from t').iterate()
  rows.next()
  database.exec('rollback')
  expect(describeError(thrownBy(() => rows.next()))).toMatchObject({
    category: 'cancelled',
    code: 'SQLITE_ABORT_ROLLBACK',
    transactionFate: 'rolledBack',
  })
})

test('a connection that was opened for reading refuses to write', () => {
  const file = temporaryFile()
  new Database(file).exec('create table t (a)').close()
  for (const database of [
    new Database(file, { readonly: true }),
    new DatabaseSync(file, { readOnly: true }),
  ]) {
    const error = thrownBy(() => database.exec('insert into t values (1)'))
    expect(describeError(error)).toMatchObject({ category: 'readOnly', code: 'SQLITE_READONLY' })
    database.close()
  }
})

// node:sqlite learned both after Node 22.
const authorizes = 'setAuthorizer' in DatabaseSync.prototype

test.skipIf(!authorizes)('an authorizer refuses', () => {
  const database = new DatabaseSync(':memory:')
  database.setAuthorizer(() => 1)
  expect(describeError(thrownBy(() => database.exec('select 1')))).toMatchObject({
    category: 'permission',
    code: 'SQLITE_AUTH',
  })
})

test('a file that is no database, and one that is damaged', () => {
  const file = temporaryFile()
  writeFileSync(file, 'not a database '.repeat(100))
  for (const database of [new Database(file), new DatabaseSync(file)]) {
    const error = thrownBy(() => database.exec('select * from sqlite_schema'))
    expect(describeError(error)).toMatchObject({ category: 'corruption', code: 'SQLITE_NOTADB' })
    database.close()
  }

  const damaged = temporaryFile()
  const database = new Database(damaged)
  database.exec('create table t (a)')
  database.exec(
    'with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into t select i from n',
  )
  database.close()
  const bytes = readFileSync(damaged)
  writeFileSync(damaged, bytes.fill(0x55, 4096))
  for (const broken of [new Database(damaged), new DatabaseSync(damaged)]) {
    const error = thrownBy(() => broken.exec('select count(*) from t where a = 7'))
    expect(describeError(error)).toMatchObject({ category: 'corruption', code: 'SQLITE_CORRUPT' })
    broken.close()
  }
})

test('what the drivers refuse by themselves', () => {
  const bs3 = new Database(':memory:')
  bs3.exec('create table t (a)')
  const node = new DatabaseSync(':memory:')
  const closed = new Database(':memory:')
  closed.close()
  const closedNode = new DatabaseSync(':memory:')
  closedNode.close()
  const refusals: readonly (readonly [ErrorDescription['category'], () => unknown])[] = [
    ['misuse', () => bs3.prepare('select ?').get(true)],
    ['misuse', () => bs3.prepare('select ?').get(new Date())],
    ['misuse', () => bs3.prepare('select ?, ?').get(1)],
    ['misuse', () => bs3.prepare('select ?').get(1, 2)],
    ['misuse', () => bs3.prepare('select :a').get({})],
    ['misuse', () => bs3.prepare('select 1; select 2')],
    ['misuse', () => bs3.prepare('')],
    ['misuse', () => bs3.prepare('delete from t').all()],
    ['misuse', () => bs3.transaction(async () => {})()],
    ['misuse', () => new Database(':memory:', { readonly: true })],
    ['busy', () => whileReading(bs3, () => bs3.exec('create table u (a)'))],
    ['value', () => bs3.prepare('select ?').get(2n ** 70n)],
    ['connection', () => closed.prepare('select 1')],
    ['connection', () => new Database('/missing/directory/x.db')],
    ...(authorizes ? [['misuse', () => node.prepare('')] as const] : []),
    ['misuse', () => node.prepare('select :a').get({ b: 1 })],
    ['misuse', () => node.prepare('select ?').get(1, 2)],
    ['value', () => node.prepare('select ?').get(2n ** 70n)],
    ['value', () => node.prepare('select 9007199254740993').get()],
    ['connection', () => closedNode.prepare('select 1')],
    ['connection', () => new DatabaseSync('/missing/directory/x.db')],
  ]
  for (const [category, call] of refusals) {
    const error = thrownBy(call)
    const expected = {
      engine: 'sqlite',
      category,
      retryable: false,
      message: (error as Error).message,
    }
    expect(describeError(error), call.toString()).toMatchObject(expected)
  }
})

test('a TypeError or RangeError that is not the driver’s is not taken for one', () => {
  const database = new Database(':memory:')
  database.function('broken', () => (undefined as unknown as string).length)
  const error = thrownBy(() => database.prepare('select broken()').get())
  expect(error).toBeInstanceOf(TypeError)
  expect(describeError(error)).toMatchObject({ engine: undefined, category: 'unknown' })
})

test('libsql: the finer code decides, and the code before the text is taken off', async () => {
  const client = createClient({ url: ':memory:' })
  await client.executeMultiple(schema)
  const description = async (sql: string) =>
    describeError(await client.execute(sql).catch((error: unknown) => error))

  expect(await description("insert into account (email) values ('a@b.c')")).toEqual({
    engine: 'sqlite',
    category: 'unique',
    code: 'SQLITE_CONSTRAINT_UNIQUE',
    table: 'account',
    columns: ['email'],
    retryable: false,
    transactionFate: 'statement',
    message: 'UNIQUE constraint failed: account.email',
  })
  expect(await description('insert into entry values (1, 99)')).toMatchObject({
    category: 'foreignKey',
  })
  // libsql has no name for this number.
  expect(await description("insert into account (age) values ('old')")).toMatchObject({
    category: 'value',
    code: 'SQLITE_CONSTRAINT_DATATYPE',
    columns: ['age'],
  })
  const batch = client.batch(["insert into pair values (1, 'x')"], 'write')
  expect(describeError(await batch.catch((error: unknown) => error))).toMatchObject({
    code: 'SQLITE_CONSTRAINT_PRIMARYKEY',
    columns: ['a', 'b'],
  })
  client.close()
})

test('knows every result code of sqlite3.h', () => {
  const require = createRequire(import.meta.url)
  const header = join(require.resolve('better-sqlite3/package.json'), '../deps/sqlite3/sqlite3.h')
  const codes = new Map<string, number>()
  const define =
    /^#define (SQLITE_[A-Z_]+)\s+(?:(\d+)\s+\/\*|\((SQLITE_[A-Z]+) \|\s*\((\d+)<<8\)\))/gm
  const results = readFileSync(header, 'utf8')
  const part = results.slice(
    results.indexOf('#define SQLITE_OK '),
    results.indexOf('#define SQLITE_OPEN_READONLY'),
  )
  for (const [, name = '', number, primary = '', extension] of part.matchAll(define)) {
    codes.set(
      name,
      number === undefined ? (codes.get(primary) ?? 0) | (Number(extension) << 8) : Number(number),
    )
  }
  codes.delete('SQLITE_ROW')
  codes.delete('SQLITE_DONE')
  codes.delete('SQLITE_OK_LOAD_PERMANENTLY')
  codes.delete('SQLITE_OK_SYMLINK')
  expect(codes.size).toBeGreaterThan(100)
  for (const [name, errcode] of codes) {
    expect(describeError({ code: 'ERR_SQLITE_ERROR', errcode, message: 'x' }).code).toBe(name)
    expect(describeError(new Database.SqliteError('x', name)).code).toBe(name)
    expect(
      describeError(new Database.SqliteError('x', `UNKNOWN_SQLITE_ERROR_${errcode}`)).code,
    ).toBe(name)
  }
})

// What no driver can be made to produce here: an interrupt, a failing disk, exhausted memory, the shared cache.
test.for([
  ['SQLITE_INTERRUPT', 'cancelled', false, 'unknown'],
  ['SQLITE_IOERR_WRITE', 'resource', false, 'unknown'],
  ['SQLITE_IOERR_CORRUPTFS', 'corruption', false, 'unknown'],
  ['SQLITE_NOMEM', 'resource', false, 'unknown'],
  ['SQLITE_BUSY_RECOVERY', 'busy', true, 'kept'],
  ['SQLITE_BUSY_TIMEOUT', 'busy', true, 'kept'],
  ['SQLITE_LOCKED_SHAREDCACHE', 'busy', true, 'kept'],
  ['SQLITE_READONLY_DBMOVED', 'readOnly', false, 'kept'],
  ['SQLITE_MISUSE', 'misuse', false, 'kept'],
  ['SQLITE_BUSY_NEWER_THAN_THIS', 'busy', false, 'kept'],
] as const)('%s is %s', ([code, category, retryable, transactionFate]) => {
  const description = describeError(new Database.SqliteError('text', code))
  expect(description).toMatchObject({ category, retryable, transactionFate })
})

function whileReading(database: Database.Database, call: () => unknown): unknown {
  const rows = database.prepare('select 1 union select 2').iterate()
  rows.next()
  try {
    return call()
  } finally {
    rows.return?.()
  }
}

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-errors-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'test.db')
}

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error(`Nothing was thrown by ${call.toString()}`)
}
