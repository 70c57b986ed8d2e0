import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import {
  ConnectionBusyError,
  DatabaseClosedError,
  describeError,
  type ErrorDescription,
  IdentifierError,
  KeelsonError,
  OptionError,
  TransactionAbortedError,
  TransactionClosedError,
} from '@keelson/core'
import Database from 'better-sqlite3'
import { DrizzleQueryError, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pglite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyPGlite } from '../support/pglite.ts'

const unknown: ErrorDescription = {
  engine: undefined,
  category: 'unknown',
  code: undefined,
  retryable: false,
  transactionFate: 'unknown',
  message: '',
}

const categories: readonly ErrorDescription['category'][] = [
  'unique',
  'foreignKey',
  'notNull',
  'check',
  'value',
  'syntax',
  'missingObject',
  'permission',
  'readOnly',
  'busy',
  'serialization',
  'deadlock',
  'timeout',
  'cancelled',
  'connection',
  'resource',
  'corruption',
  'misuse',
  'unknown',
]

function sqliteError(): Error {
  const database = new Database(':memory:')
  try {
    database.exec('create table t (a unique); insert into t values (1), (1)')
  } catch (error) {
    return error as Error
  } finally {
    database.close()
  }
  throw new Error('Nothing was thrown.')
}

test('looks through the wrapper that Drizzle puts around an error', async () => {
  const database = drizzle(emptyPGlite())
  await database.execute(sql`create table t (id int primary key)`)
  await database.execute(sql`insert into t values (1)`)
  const error = await database
    .execute(sql`insert into t values (${1})`)
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(DrizzleQueryError)
  expect(describeError(error)).toMatchObject({
    engine: 'postgresql',
    category: 'unique',
    columns: ['id'],
    message:
      'duplicate key value violates unique constraint "t_pkey": Key (id)=(...) already exists.',
  })
})

test('looks five causes deep, and no deeper', () => {
  const wrapped = (times: number): Error =>
    times === 0 ? sqliteError() : new Error('wrapped', { cause: wrapped(times - 1) })
  expect(describeError(wrapped(5)).category).toBe('unique')
  expect(describeError(wrapped(6))).toEqual({ ...unknown, message: 'wrapped' })
})

test('comes to an end when causes go round in a circle', () => {
  const first = new Error('first')
  const second = new Error('second', { cause: first })
  first.cause = second
  expect(describeError(second)).toEqual({ ...unknown, message: 'second' })
})

test('the outermost error that says anything is the one described', () => {
  const timeout = new DOMException('too slow', 'TimeoutError')
  const error = Object.assign(sqliteError(), { cause: timeout })
  expect(describeError(error).engine).toBe('sqlite')
})

test('describes an error that came from a worker, where only name, message and code arrive', async () => {
  const worker = new Worker(
    `const Database = require('better-sqlite3')
     const { parentPort } = require('node:worker_threads')
     try { new Database(':memory:').exec('create table t (a not null); insert into t values (null)') }
     catch (error) { parentPort.postMessage({ name: error.name, message: error.message, code: error.code }) }`,
    { eval: true },
  )
  const [arrived] = await once(worker, 'message')
  expect(describeError(arrived)).toMatchObject({ category: 'notNull', table: 't', columns: ['a'] })
})

test('describes the file system, and AbortSignals', () => {
  const missing = thrownBy(() => readFileSync('/missing/file'))
  expect(describeError(missing)).toMatchObject({
    engine: undefined,
    category: 'missingObject',
    code: 'ENOENT',
  })
  const aborted = AbortSignal.abort().reason
  expect(describeError(aborted)).toMatchObject({ category: 'cancelled', code: 'AbortError' })
})

test('describes the time limit of an AbortSignal', async () => {
  const signal = AbortSignal.timeout(1)
  await once(signal, 'abort')
  expect(describeError(signal.reason)).toMatchObject({ category: 'timeout', code: 'TimeoutError' })
})

test.for([
  [new OptionError('UNKNOWN_OPTION', 'a', 'text'), 'misuse', 'kept'],
  [new IdentifierError('', 'text'), 'misuse', 'kept'],
  [new ConnectionBusyError('text'), 'busy', 'kept'],
  [new TransactionClosedError('text'), 'misuse', 'kept'],
  [new DatabaseClosedError('text'), 'connection', 'unknown'],
  [new KeelsonError('QUERY_TIMEOUT', 'text'), 'timeout', 'unknown'],
  [new KeelsonError('POOL_ACQUIRE_TIMEOUT', 'text'), 'timeout', 'kept'],
  [new KeelsonError('REBUILD', 'text'), 'misuse', 'rolledBack'],
  [new KeelsonError('NOBODY_KNOWS', 'text'), 'unknown', 'unknown'],
] as const)('describes %s', ([error, category, transactionFate]) => {
  expect(describeError(error)).toEqual({
    ...unknown,
    category,
    code: error.code,
    transactionFate,
    message: 'text',
  })
})

test.for(['errors.ts', 'migrate/errors.ts'])('knows every code of the indexes in %s', (file) => {
  const source = readFileSync(
    new URL(`../../packages/indexes/src/${file}`, import.meta.url),
    'utf8',
  )
  const codes = new Set(Array.from(source.matchAll(/'([A-Z][A-Z_]+)'/g), ([, code]) => code!))
  // It is described by what made it fail.
  codes.delete('MIGRATION_FAILED')
  expect(codes.size).toBeGreaterThan(0)
  const unlisted = [...codes].filter(
    (code) => describeError(new KeelsonError(code, 'text')).category === 'unknown',
  )
  expect(unlisted).toEqual([])
})

test('says of a transaction that the engine ended why it did', () => {
  const cause = new Database.SqliteError('database or disk is full', 'SQLITE_FULL')
  expect(describeError(new TransactionAbortedError('gone', { cause }))).toEqual({
    engine: 'sqlite',
    category: 'resource',
    code: 'SQLITE_FULL',
    retryable: false,
    transactionFate: 'rolledBack',
    message: 'database or disk is full',
  })
  expect(describeError(new TransactionAbortedError('gone'))).toEqual({
    ...unknown,
    code: 'TRANSACTION_ABORTED',
    transactionFate: 'rolledBack',
    message: 'gone',
  })
})

test('describes a Keelson error with a code that nobody listed by its cause', () => {
  const error = new KeelsonError('BULK_INSERT', 'row 7', { cause: sqliteError() })
  expect(describeError(error)).toMatchObject({ engine: 'sqlite', category: 'unique' })
})

test('a code or a text that reads like an engine’s or like Keelson’s is not enough', () => {
  expect(describeError({ code: '23505', message: 'x' })).toMatchObject({ category: 'unknown' })
  expect(describeError({ code: 'QUERY_TIMEOUT', message: 'x' })).toMatchObject({
    category: 'unknown',
  })
  const other = Object.assign(new Error('IO Error: of another library'), { code: 'EIO' })
  expect(describeError(other)).toMatchObject({ engine: undefined, category: 'unknown' })
  const pipe = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', errno: -32 })
  expect(describeError(pipe)).toMatchObject({ engine: undefined, category: 'connection' })
})

test.for([
  ['a string', 'a string'],
  [undefined, 'undefined'],
  [null, 'null'],
  [7n, '7'],
  [Symbol('s'), 'Symbol(s)'],
  [{}, ''],
  [{ message: 7 }, ''],
] as const)('describes %o, which is no error', ([thrown, message]) => {
  expect(describeError(thrown)).toEqual({ ...unknown, message })
})

test('never throws and always answers with a category, whatever it is given', () => {
  const fields = fc.record(
    {
      name: fc.anything(),
      message: fc.oneof(fc.anything(), fc.string(), fc.constantFrom(...texts)),
      code: fc.oneof(fc.anything(), fc.constantFrom(...codes)),
      cause: fc.anything(),
      errcode: fc.oneof(fc.integer(), fc.anything()),
      rawCode: fc.oneof(fc.integer(), fc.anything()),
      extendedCode: fc.oneof(fc.anything(), fc.constantFrom(...codes)),
      errno: fc.oneof(fc.integer(), fc.anything()),
      sqlState: fc.oneof(fc.anything(), fc.string()),
      sqlMessage: fc.oneof(fc.anything(), fc.constantFrom(...texts)),
      severity: fc.oneof(fc.anything(), fc.constant('ERROR')),
      detail: fc.oneof(
        fc.anything(),
        fc.string({ unit: fc.constantFrom('(', ')', '=', '"', ',', ' ', 'a', 'b') }),
      ),
      table: fc.oneof(fc.anything(), fc.string()),
      constraint: fc.anything(),
      column: fc.anything(),
    },
    { requiredKeys: [] },
  )
  const made = fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true }), fields)
  fc.assert(
    fc.property(made, fc.boolean(), (thrown, includeValues) => {
      const { category, message } = describeError(thrown, { includeValues })
      expect(categories).toContain(category)
      expect(typeof message).toBe('string')
    }),
    { numRuns: 2000 },
  )
})

test('never throws for objects that do', () => {
  const throwing = new Proxy(
    {},
    {
      get: () => {
        throw new Error('get')
      },
      getPrototypeOf: () => {
        throw new Error('getPrototypeOf')
      },
    },
  )
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const untold = Object.assign(() => {}, {
    toString: () => {
      throw new Error('toString')
    },
  })
  for (const thrown of [throwing, proxy, untold, { cause: throwing }, { cause: proxy }]) {
    expect(describeError(thrown)).toEqual(unknown)
  }
})

test('leaves the error as it was', () => {
  const error = Object.freeze(sqliteError())
  expect(describeError(error)).toEqual(describeError(error))
})

const codes = [
  '23505',
  '23503',
  '23514',
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_DATATYPE',
  'SQLITE_ERROR',
  'UNKNOWN_SQLITE_ERROR_3091',
  'ERR_SQLITE_ERROR',
  'ER_DUP_ENTRY',
  'ECONNREFUSED',
  '__proto__',
  'constructor',
]

const texts = [
  'UNIQUE constraint failed: ',
  'UNIQUE constraint failed: a.b, c.d',
  "UNIQUE constraint failed: index ''",
  'CHECK constraint failed: ',
  'Constraint Error: Duplicate key ": " violates',
  '{"exception_type":"Constraint",',
  '{"exception_type":null}',
  '{"exception_type":"Constraint","exception_message":"NOT NULL constraint failed: "}',
  "Duplicate entry '' for key ''",
  'fails (`a`.`b`, CONSTRAINT `c` FOREIGN KEY (`d`',
]

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error(`Nothing was thrown by ${call.toString()}`)
}
