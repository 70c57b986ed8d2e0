import { DuckDBInstance } from '@duckdb/node-api'
import { checkIdentifier, IdentifierError, OptionError, quoteIdentifier } from '@keelson/core'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyPGlite } from '../support/pglite.ts'

const postgresql = emptyPGlite()

const hostile = [
  'order',
  'a b',
  'say "hi"',
  '`tick`',
  '""',
  "it's",
  'a]b[c',
  'x"); drop table t; --',
  '\\',
  '\n',
  'ünï☃😀',
  '__proto__',
  ' ',
]

/** Any text that is an identifier: NUL and half a surrogate pair are refused, and tested below. */
const identifier = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 15 }),
    fc.string({ unit: fc.constantFrom('"', '`', "'", ']', '\\', ';', '-', 'a'), minLength: 1 }),
    fc.constantFrom(...hostile),
  )
  .filter((name) => !name.includes('\0'))

test('SQLite reads every quoted name back as it was', () => {
  const database = new Database(':memory:')
  fc.assert(
    fc.property(identifier, (name) => {
      const quoted = quoteIdentifier(name, 'sqlite')
      database.exec(`create table t (${quoted} text)`)
      const columns = database.prepare('select name from pragma_table_info(?)').pluck().all('t')
      database.exec('drop table t')
      expect(columns).toEqual([name])
    }),
  )
})

test('DuckDB reads every quoted name back as it was', async () => {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await fc.assert(
    fc.asyncProperty(identifier, async (name) => {
      const result = await connection.run(`select 1 as ${quoteIdentifier(name, 'duckdb')}`)
      expect(result.columnNames()).toEqual([name])
    }),
  )
})

test('PostgreSQL reads every quoted name back as it was', async () => {
  const short = identifier.filter((name) => Buffer.byteLength(name) <= 63)
  await fc.assert(
    fc.asyncProperty(short, async (name) => {
      const result = await postgresql.query(`select 1 as ${quoteIdentifier(name, 'postgresql')}`)
      expect(result.fields.map((field) => field.name)).toEqual([name])
    }),
  )
})

test('doubles the quote character of the engine, and only that', () => {
  expect(quoteIdentifier('a"b`c', 'sqlite')).toBe('"a""b`c"')
  expect(quoteIdentifier('a"b`c', 'duckdb')).toBe('"a""b`c"')
  expect(quoteIdentifier('a"b`c', 'postgresql')).toBe('"a""b`c"')
  expect(quoteIdentifier('a"b`c', 'mysql')).toBe('`a"b``c`')
})

test.for([
  [5, 'Cannot use 5 as an identifier: it is not a string. Pass the name as a string.'],
  [
    undefined,
    'Cannot use undefined as an identifier: it is not a string. Pass the name as a string.',
  ],
  ['', 'Cannot use "" as an identifier: it is empty. Give it at least one character.'],
  [
    'a\0b',
    'Cannot use "a\\u0000b" as an identifier: it contains a NUL character. Remove the character.',
  ],
  [
    'a\ud800b',
    'Cannot use "a\\ud800b" as an identifier: it contains half of a surrogate pair. Complete or remove the character.',
  ],
] as const)('refuses %j', ([name, message]) => {
  const refused = thrownBy(() => checkIdentifier(name))
  expect(refused).toBeInstanceOf(IdentifierError)
  expect(refused).toMatchObject({
    code: 'INVALID_IDENTIFIER',
    name: 'IdentifierError',
    message,
    identifier: name,
  })
  expect(() => quoteIdentifier(name as string, 'sqlite')).toThrow(message)
})

test('half of a surrogate pair would become another name in SQLite', () => {
  const database = new Database(':memory:')
  database.exec('create table t ("a\ud800b" text)')
  expect(database.prepare('select name from pragma_table_info(?)').pluck().get('t')).not.toBe(
    'a\ud800b',
  )
})

test('refuses a name that PostgreSQL would cut off, counting bytes', async () => {
  const fits = 'ü'.repeat(31) + 'x'
  const long = 'ü'.repeat(32)
  checkIdentifier(fits, { engine: 'postgresql' })
  expect(() => checkIdentifier(long, { engine: 'postgresql' })).toThrow(
    'it is 64 bytes long and postgresql keeps only 63. Shorten it.',
  )
  expect(() => quoteIdentifier(long, 'postgresql')).toThrow(IdentifierError)

  const { fields } = await postgresql.query(`select 1 as "${fits}", 2 as "${long}"`)
  expect(fields.map((field) => field.name)).toEqual([fits, 'ü'.repeat(31)])
})

test('refuses a name that is too long for MySQL, counting characters', () => {
  checkIdentifier('ü'.repeat(64), { engine: 'mysql' })
  expect(() => checkIdentifier('ü'.repeat(65), { engine: 'mysql' })).toThrow(
    'it is 65 characters long and mysql takes only 64. Shorten it.',
  )
})

test('knows no limit for SQLite, DuckDB and names of no engine in particular', () => {
  const long = 'x'.repeat(10_000)
  for (const options of [{}, { engine: 'sqlite' }, { engine: 'duckdb' }] as const) {
    expect(() => checkIdentifier(long, options)).not.toThrow()
  }
})

test('accepts only plain ASCII names when strict', () => {
  for (const name of ['a', '_', 'A9_z', '__proto__']) checkIdentifier(name, { strict: true })
  for (const name of ['9a', 'a b', 'ü', 'a-b', 'a"', 'a\n', '\na', 'a.b']) {
    checkIdentifier(name)
    expect(() => checkIdentifier(name, { strict: true }), name).toThrow(IdentifierError)
  }
})

test('refuses options and engines that it does not know', () => {
  expect(() => checkIdentifier('a', { stict: true } as object)).toThrow(
    'checkIdentifier() has no option `stict`. Did you mean `strict`?',
  )
  for (const engine of ['postgres', '__proto__', 'toString']) {
    const refused = thrownBy(() => quoteIdentifier('a', engine as 'sqlite'))
    expect(refused).toBeInstanceOf(OptionError)
    expect(() => checkIdentifier('a', { engine: engine as 'sqlite' })).toThrow(OptionError)
  }
  expect(() => quoteIdentifier('a', 'postgres' as 'postgresql')).toThrow(
    `quoteIdentifier() cannot use "postgres" as \`engine\`. It takes 'sqlite' | 'duckdb' | 'postgresql' | 'mysql'.`,
  )
})

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}
