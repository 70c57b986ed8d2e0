import {
  type DuckDBDatabase,
  DuckDBStatementError,
  OptionError,
  ParameterError,
} from '@keelson/duckdb'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { column, open, run } from './fixture.ts'

async function withPerson(): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:' })
  await run(
    database,
    'create table person (id integer primary key, name varchar)',
    "insert into person values (1, 'Ada')",
  )
  return database
}

/** The error of a statement, after checking that the table is as it was and takes the next row. */
async function refusal(
  database: DuckDBDatabase,
  sql: string,
  parameters?: readonly unknown[],
): Promise<Error & Record<string, unknown>> {
  const error = await rejection(database.execute(sql, parameters))
  expect(await column(database, 'select name from person')).toEqual(['Ada'])
  await run(database, "insert into person values (99, 'next')", 'delete from person where id = 99')
  return error
}

describe('statements', () => {
  test('several in one text are refused, and the first of them is not run', async () => {
    const database = await withPerson()
    const texts = [
      'delete from person; select 1',
      'select 1; delete from person',
      'delete from person;;delete from person;',
      "insert into person values (5, 'x'); -- and\n drop table person",
      "delete from person where name = ';'; select $$;$$",
      'pivot person on name using count(*); drop table person',
      'drop table person; pivot person on name using count(*)',
      "select 'a''b;' as \"x;\" /* ; */; delete from person",
      'select $a$;$a$; delete from person',
      "select e'\\';' ; delete from person; select ''",
      'select 1 /* */; delete from person /* ; */',
    ]
    for (const sql of texts) {
      const error = await refusal(database, sql)
      expect(error, sql).toBeInstanceOf(DuckDBStatementError)
      expect(error.code).toBe('MULTIPLE_STATEMENTS')
      expect(error.message).toMatch(
        /^One call runs one statement; .* in a transaction if they belong together\.$/,
      )
    }
  })

  test('none is refused', async () => {
    const database = await withPerson()
    for (const sql of ['', '  \n', '-- nothing', '/* nothing */', ';', ' ; ;\n;']) {
      const error = await refusal(database, sql)
      expect(error, JSON.stringify(sql)).toBeInstanceOf(DuckDBStatementError)
      expect(error.code).toBe('EMPTY_STATEMENT')
      expect(error.message).toMatch(/holds no statement, only white space or comments/)
    }
  })

  test('that begin or end a transaction are refused, in whatever words', async () => {
    const database = await withPerson()
    const words = [
      'begin',
      'BEGIN TRANSACTION',
      'start transaction',
      'begin transaction read only',
      'commit',
      'end',
      'rollback',
      'abort',
      '/* x */ commit;',
    ]
    const reserved = await database.reserve()
    for (const sql of words) {
      for (const target of [database, reserved]) {
        const error = await rejection(target.execute(sql))
        expect(error, sql).toBeInstanceOf(DuckDBStatementError)
        expect(error.code).toBe('TRANSACTION_CONTROL')
      }
    }
    await run(reserved, "insert into person values (2, 'Bob')")
    await reserved.release()
    expect(await column(database, 'select id from person order by id')).toEqual([1, 2])
  })
})

describe('what changes one connection', () => {
  const changes = [
    'set schema = main',
    "set search_path = 'main'",
    "SET SESSION TimeZone = 'UTC'",
    "set TimeZone = 'UTC'",
    "set time zone 'UTC'",
    'set errors_as_json = true',
    'set variable x = 1',
    '-- a comment\n set variable x = 1',
    '/* a */ set /* b */ variable x = 1',
    'reset variable x',
    'reset search_path',
    'reset session TimeZone',
    'use main',
    'pragma enable_progress_bar',
    'pragma disable_profiling',
    "pragma search_path = 'main'",
    'create temp table x (a integer)',
    'create temporary table x (a integer)',
    'create or replace temp table x (a integer)',
    'CREATE /* y */ TEMP /* z */ TABLE x (a integer)',
    'create temp view x as select 1',
    'create temp macro x() as 1',
    'create temp sequence x',
    'create local temp table x (a integer)',
    "create temp type x as enum ('a')",
    'prepare x as select 1',
  ]

  test.for(changes)(
    '`%s` is refused on the pool, and runs on a connection of its own',
    async (sql) => {
      const database = await withPerson()
      const error = await refusal(database, sql)
      expect(error).toBeInstanceOf(DuckDBStatementError)
      expect(error.code).toBe('SESSION_STATE')
      expect(error.message).toMatch(
        /^`.*` would change one connection of the pool, and the next statement may run on another\. Run it on a session of `database\.reserve\(\)`/,
      )
      expect((await rejection(database.stream(sql).next())).code).toBe('SESSION_STATE')
      const { closedBroken } = database.poolStats
      await database.transaction((tx) => tx.execute(sql))
      const reserved = await database.reserve()
      await reserved.execute(sql)
      await reserved.release()
      // Both connections were replaced.
      await expect.poll(() => database.poolStats.closedBroken).toBe(closedBroken + 2)
    },
  )

  test('is told of SET GLOBAL where that would do', async () => {
    const database = await withPerson()
    const error = await rejection(database.execute("set TimeZone = 'UTC'"))
    expect(error.message).toMatch(/; SET GLOBAL changes a setting for all\.$/)
    const other = await rejection(database.execute('set variable x = 1'))
    expect(other.message).not.toMatch(/SET GLOBAL/)
  })
})

describe('parameters', () => {
  test('too many or too few are refused, with the count that the statement takes', async () => {
    const database = await withPerson()
    const attempts: [string, unknown[], string][] = [
      ['delete from person', [1], 'takes 0 parameters, and got 1'],
      ['delete from person where id > $1', [], 'takes 1 parameter, and got 0'],
      ['delete from person where id > $1', [1, 2], 'takes 1 parameter, and got 2'],
      ['delete from person where id > ? and id < ?', [1], 'takes 2 parameters, and got 1'],
    ]
    for (const [sql, parameters, text] of attempts) {
      for (let again = 0; again < 2; again++) {
        const error = await refusal(database, sql, parameters)
        expect(error).toBeInstanceOf(ParameterError)
        expect(error.code).toBe('PARAMETER_COUNT')
        expect(error.message).toContain(
          `\`${sql}\` ${text}. Give one value for each $1, $2, ... or ?`,
        )
      }
    }
  })

  test('that are no array are refused', async () => {
    const database = await withPerson()
    for (const parameters of [1, 'x', {}, null, new Set([1])] as unknown as unknown[][]) {
      const error = await refusal(database, 'delete from person', parameters)
      expect(error).toBeInstanceOf(ParameterError)
      expect(error.message).toMatch(/Pass an array with one value for each/)
      expect(() => database.stream('from person', parameters)).toThrow(ParameterError)
    }
  })

  test('of no type that DuckDB has are refused', async () => {
    const database = await withPerson()
    for (const wrong of [Symbol('x'), () => 1]) {
      const error = await refusal(database, 'delete from person where name = $1', [wrong])
      expect(error).toBeInstanceOf(ParameterError)
      expect(error.code).toBe('PARAMETER_TYPE')
    }
  })
})

describe('options', () => {
  test('that nobody reads, or of the wrong kind, are refused', async () => {
    const database = await withPerson()
    const wrong = [
      { row: 'arrays' },
      { rows: 'array' },
      { values: 1 },
      { values: { int64: 'no' } },
      { signal: {} },
    ] as object[]
    for (const options of wrong) {
      for (let again = 0; again < 2; again++) {
        const frozen = Object.freeze({ ...options })
        for (const each of [options, frozen]) {
          const error = await rejection(database.execute('delete from person', [], each))
          expect(error).toBeInstanceOf(OptionError)
          expect(() => database.stream('from person', [], each)).toThrow(OptionError)
        }
      }
    }
    for (const chunkRows of [0, -1, 1.5, NaN, Infinity, '10' as unknown as number])
      expect(() => database.stream('from person', [], { chunkRows })).toThrow(OptionError)
    expect(await column(database, 'select id from person')).toEqual([1])
  })
})
