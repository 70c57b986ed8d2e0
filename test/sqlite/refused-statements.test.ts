import { ParameterError, SqliteStatementError, type SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { column, open, run, value } from './fixture.ts'

async function withPerson(): Promise<SqliteDatabase> {
  const database = open()
  await run(
    database,
    'create table person (id integer primary key, name text, "big ""age""" integer)',
    "insert into person values (1, 'Ada', 36)",
  )
  return database
}

/** The error of a statement, after checking that the table is as it was and takes the next row. */
async function refusal(
  database: SqliteDatabase,
  sql: string,
  parameters?: readonly unknown[],
): Promise<Error & Record<string, unknown>> {
  const error = await rejection(database.execute(sql, parameters))
  expect(await column(database, 'select name from person')).toEqual(['Ada'])
  await run(
    database,
    "insert into person values (99, 'next', 1)",
    'delete from person where id = 99',
  )
  return error
}

describe('statements', () => {
  test('several in one text are refused, and the first of them is not run', async () => {
    const database = await withPerson()
    const texts = [
      'delete from person; select 1',
      'select 1; delete from person',
      'delete from person;;delete from person;',
      "insert into person (name) values ('x'); -- and\n drop table person",
    ]
    for (const sql of texts) {
      const error = await refusal(database, sql)
      expect(error).toBeInstanceOf(SqliteStatementError)
      expect(error.code).toBe('MULTIPLE_STATEMENTS')
      expect(error.message).toMatch(
        /One call runs one statement; .* in a transaction if they belong together\./,
      )
    }
  })

  test('one alone may be followed by semicolons, comments and white space', async () => {
    const database = await withPerson()
    for (const tail of [';', ' ; ;\n', ' -- end', '; /* end */ ;', ';/* not closed'])
      expect(await value(database, `select 1${tail}`)).toBe(1)
    for (const head of ['; ', '/* begin */', '-- begin\n', '\ufeff', '\n\t;;'])
      expect(await value(database, `${head}select 2`)).toBe(2)
  })

  test('none is refused', async () => {
    const database = await withPerson()
    for (const sql of ['', '  \n', '-- nothing', '/* nothing */', ';', ' ; -- x\n;']) {
      const error = await refusal(database, sql)
      expect(error, JSON.stringify(sql)).toBeInstanceOf(SqliteStatementError)
      expect(error.code).toBe('EMPTY_STATEMENT')
      expect(error.message).toMatch(/holds no statement, only white space or comments/)
    }
  })

  test('a NUL in the text is refused, since SQLite would not read what stands behind it', async () => {
    const database = await withPerson()
    const error = await refusal(database, 'delete from person\0 where id = 5')
    expect(error).toBeInstanceOf(SqliteStatementError)
    expect(error.code).toBe('NUL_IN_SQL')
    expect(error.message).toMatch(/Bind the value as a parameter instead\./)
    expect(await value(database, 'select ?', ['a\0b'])).toBe('a\0b')
  })

  test("what SQLite refuses arrives as SQLite's own error, and nothing else happens", async () => {
    const database = await withPerson()
    const errors: [string, string, RegExp][] = [
      ['selct 1', 'SQLITE_ERROR', /syntax error/],
      ['select * from missing', 'SQLITE_ERROR', /no such table: missing/],
      ["insert into person values (1, 'x', 1)", 'SQLITE_CONSTRAINT_PRIMARYKEY', /UNIQUE/],
      ['drop table "person; --"', 'SQLITE_ERROR', /no such table/],
    ]
    for (const [sql, code, message] of errors) {
      const error = await refusal(database, sql)
      expect(error.name).toBe('SqliteError')
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    }
  })

  test('a table name that looks like SQL is a name', async () => {
    const database = await withPerson()
    const names = [
      'x"; drop table person; --',
      "it's",
      '[x]',
      '`',
      'select',
      ' ',
      'ä🦆',
      'a\nb',
      '"',
    ]
    for (const name of names) {
      const quoted = `"${name.replaceAll('"', '""')}"`
      await run(database, `create table ${quoted} (a)`, `insert into ${quoted} values (1)`)
      for await (const rows of database.stream(`select a from ${quoted}`))
        expect(rows).toEqual([{ a: 1 }])
      expect(
        await column(database, 'select name from sqlite_schema where name = ?', [name]),
      ).toEqual([name])
      await run(database, `drop table ${quoted}`)
    }
  })
})

describe('transaction control as plain SQL', () => {
  const control = [
    'begin',
    'BEGIN IMMEDIATE',
    'begin exclusive transaction',
    'commit',
    'COMMIT TRANSACTION',
    'end',
    'rollback',
    'rollback transaction',
    ';commit',
    ' ; ; begin',
    '/* hidden */ commit',
    '-- hidden\nrollback',
    '; -- hidden\n ;commit',
    '\ufeffbegin',
  ]

  test.for(control)('%j is refused outside a transaction', async (sql) => {
    const database = await withPerson()
    const error = await refusal(database, sql)
    expect(error).toBeInstanceOf(SqliteStatementError)
    expect(error.code).toBe('TRANSACTION_CONTROL')
    expect(error.message).toMatch(/Use the transaction API of the database, Kysely or Drizzle\./)
  })

  test.for(control)('%j is refused inside a transaction, which goes on', async (sql) => {
    const database = await withPerson()
    await database.transaction(async (tx) => {
      await tx.execute("insert into person (name) values ('kept')")
      expect((await rejection(tx.execute(sql))).code).toBe('TRANSACTION_CONTROL')
      expect((await rejection(database.execute(sql))).code).toBe('TRANSACTION_CONTROL')
      expect((await rejection(tx.stream(sql).next())).code).toBe('TRANSACTION_CONTROL')
      await tx.execute("insert into person (name) values ('kept too')")
    })
    expect(await column(database, 'select name from person')).toEqual(['Ada', 'kept', 'kept too'])
  })

  test('savepoints need a transaction', async () => {
    const database = await withPerson()
    for (const sql of [
      'savepoint a',
      'release a',
      'rollback to a',
      ';rollback transaction to savepoint a',
    ]) {
      const error = await refusal(database, sql)
      expect(error).toBeInstanceOf(SqliteStatementError)
      expect(error.code).toBe('TRANSACTION_CONTROL')
      expect(error.message).toMatch(/outside a transaction\. Begin one first\./)
    }
    await database.transaction(async (tx) => {
      await tx.execute('savepoint a')
      await tx.execute("insert into person (name) values ('gone')")
      await tx.execute('rollback to a')
      await tx.execute('release a')
    })
    expect(await column(database, 'select name from person')).toEqual(['Ada'])
  })

  test('words of transaction control in other places are nothing special', async () => {
    const database = await withPerson()
    await run(
      database,
      'create table "commit" ("begin" text)',
      `insert into "commit" values ('rollback')`,
    )
    expect(await value(database, `select "begin" from "commit"`)).toBe('rollback')
    expect(await value(database, `select 'begin; commit'`)).toBe('begin; commit')
    await run(
      database,
      'create trigger t after insert on person begin delete from "commit"; end',
      "insert into person (name) values ('x')",
    )
    expect(await value(database, 'select count(*) from "commit"')).toBe(0)
    expect((await database.execute('explain commit')).rows.length).toBeGreaterThan(0)
  })

  test('foreign keys cannot be switched inside a transaction, where SQLite would ignore it', async () => {
    const database = await withPerson()
    const texts = [
      'pragma foreign_keys = off',
      'PRAGMA Foreign_Keys(0)',
      'pragma main.foreign_keys=on',
      'pragma "foreign_keys" = 1',
      '; pragma foreign_keys /* hm */ = off',
    ]
    await database.transaction(async (tx) => {
      for (const sql of texts) {
        const error = await rejection(tx.execute(sql))
        expect(error, sql).toBeInstanceOf(SqliteStatementError)
        expect(error.code).toBe('FOREIGN_KEYS_PRAGMA')
        expect(error.message).toMatch(/has no effect inside a transaction .* Run it outside/)
      }
      expect(await value(tx, 'pragma foreign_keys')).toBe(1)
    })
    await run(database, 'pragma foreign_keys = off')
    expect(await value(database, 'pragma foreign_keys')).toBe(0)
  })
})

describe('streams', () => {
  test('a statement without rows cannot be streamed, and is not run', async () => {
    const database = await withPerson()
    for (const sql of [
      'delete from person',
      "insert into person (name) values ('x')",
      'create table x (a)',
    ]) {
      const error = await rejection(database.stream(sql).next())
      expect(error).toBeInstanceOf(SqliteStatementError)
      expect(error.code).toBe('NO_ROWS_TO_STREAM')
      expect(error.message).toMatch(/returns no rows, .* Execute it, or add RETURNING\./)
    }
    expect(await column(database, 'select name from person')).toEqual(['Ada'])
    expect(await column(database, 'select name from sqlite_schema')).toEqual(['person'])
  })

  test('every other refusal of a statement holds for a stream too', async () => {
    const database = await withPerson()
    const refused: [string, unknown[], string][] = [
      ['select 1; select 2', [], 'MULTIPLE_STATEMENTS'],
      ['-- nothing', [], 'EMPTY_STATEMENT'],
      ['select 1 \0', [], 'NUL_IN_SQL'],
      ['begin', [], 'TRANSACTION_CONTROL'],
      ['select * from missing', [], 'SQLITE_ERROR'],
      ['select * from person where id = ?', [], 'PARAMETER_COUNT'],
      ['select * from person where id = ?', [{}], 'PARAMETER_TYPE'],
      ['insert into person values (?, ?, ?) returning id', [1, 'x', Number.NaN], 'PARAMETER_TYPE'],
      ["insert into person values (1, 'x', 1) returning id", [], 'SQLITE_CONSTRAINT_PRIMARYKEY'],
    ]
    for (const [sql, parameters, code] of refused) {
      expect((await rejection(database.stream(sql, parameters).next())).code, sql).toBe(code)
      expect(await column(database, 'select name from person')).toEqual(['Ada'])
    }
    for (let again = 0; again < 20; again++) {
      await rejection(database.stream('select * from person where id = ?', []).next())
    }
    for await (const rows of database.stream('select name from person'))
      expect(rows).toHaveLength(1)
  })

  test('chunkRows is at least 1', async () => {
    const database = await withPerson()
    for (const chunkRows of [0, -1, 1.5, Number.NaN, Infinity, '5' as unknown as number]) {
      const error = await rejection(() => database.stream('select 1', [], { chunkRows }))
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'chunkRows' })
    }
  })
})

describe('the number of parameters', () => {
  const wrongCounts: [string, unknown[]][] = [
    ['select * from person where id = ?', []],
    ['select * from person where id = ?', [1, 2]],
    ['select * from person', [1]],
    ['insert into person values (?, ?, ?)', [5, 'x']],
    ['insert into person values (?, ?, ?)', [5, 'x', 1, 2]],
    ['insert into person (name) values (?) returning id', []],
    ['update person set name = ?', []],
    ['delete from person', ['x']],
    ["insert into person (id) values (?) on conflict do update set name = 'x'", []],
  ]

  async function expectRefused(
    database: SqliteDatabase,
    sql: string,
    parameters: unknown[],
  ): Promise<void> {
    const error = await rejection(database.execute(sql, parameters))
    expect(error).toBeInstanceOf(ParameterError)
    expect(error).toMatchObject({ code: 'PARAMETER_COUNT', index: undefined, column: undefined })
    expect(error.message).toMatch(
      /^Too (few|many) parameter values were provided for `.*`\. Give one value for each placeholder\.$/,
    )
    expect(error.cause).toBeInstanceOf(RangeError)
  }

  test.for(wrongCounts)(
    'must be that of the placeholders: %s with %j',
    async ([sql, parameters]) => {
      const database = await withPerson()
      await expectRefused(database, sql, parameters)
      expect(await column(database, 'select name from person')).toEqual(['Ada'])
    },
  )

  test.for(wrongCounts)(
    'is checked behind a transaction as well: %s with %j',
    async ([sql, parameters]) => {
      const database = await withPerson()
      const waiting = await database.transaction(async () => {
        const refused = expectRefused(database, sql, parameters)
        refused.catch(() => {})
        return { refused }
      })
      await waiting.refused
      expect(await column(database, 'select name from person')).toEqual(['Ada'])
    },
  )

  test('is 32,766 at most', async () => {
    const database = await withPerson()
    const placeholders = (count: number): string => Array.from({ length: count }, () => '?').join()
    const most = Array.from({ length: 32_766 }, (_, index) => index)
    expect(
      await value(
        database,
        `select count(*) from person where id in (${placeholders(32_766)})`,
        most,
      ),
    ).toBe(1)
    const error = await refusal(
      database,
      `delete from person where id in (${placeholders(32_767)})`,
      [...most, 1],
    )
    expect(error).toBeInstanceOf(ParameterError)
    expect(error.code).toBe('TOO_MANY_PARAMETERS')
    expect(error.message).toMatch(/at most 32,766 parameters .* Split it into several statements\./)
    expect(error.message.length).toBeLessThan(400)
  })
})

describe('the type of a parameter', () => {
  const withoutType: [string, unknown, RegExp][] = [
    [
      'NaN',
      Number.NaN,
      /is NaN, which SQLite has no type for\. SQLite would store NULL; bind null/,
    ],
    ['an object', { a: 1 }, /is an object, .* store objects with JSON\.stringify\(\)/],
    ['an array', [1, 2], /is an array of 2/],
    ['a Map', new Map(), /is a Map/],
    ['a function', () => 1, /is a function/],
    ['a symbol', Symbol('s'), /is Symbol\(s\)/],
    ['an invalid Date', new Date('never'), /is an invalid Date, .* Bind a valid Date, or null/],
    ['a bigint above 64 bits', 2n ** 63n, /is 9223372036854775808n, .* store it as text/],
    ['a bigint below 64 bits', -(2n ** 63n) - 1n, /store it as text/],
    ['a Float64Array', new Float64Array(2), /is a Float64Array, .* Bind its bytes as a Uint8Array/],
    ['a DataView', new DataView(new ArrayBuffer(8)), /is a DataView, .* Bind its bytes/],
    ['a boxed string', Object('text'), /is a String/],
  ]

  test.for(withoutType)('%s has none in SQLite', async ([, wrong, message]) => {
    const database = await withPerson()
    for (const sql of ['insert into person (id, name) values (?, ?)', 'select ?, ?']) {
      const error = await refusal(database, sql, [7, wrong])
      expect(error).toBeInstanceOf(ParameterError)
      expect(error).toMatchObject({ code: 'PARAMETER_TYPE', index: 1 })
      expect(error.message).toMatch(/^Parameter 2 /)
      expect(error.message).toMatch(message)
    }
  })

  const places: [string, number, string | undefined][] = [
    ['insert into person (id, name) values (?, ?)', 1, 'name'],
    ['insert into person (id, name) values (?, ?), (?, ?), (?, ?)', 5, 'name'],
    ['insert into person (id, "big ""age""") values (?, ?)', 1, 'big "age"'],
    ['insert into person (id, name) values (?, lower(?))', 1, 'name'],
    ['replace into person(id,name)values(?,?)', 0, 'id'],
    ["insert into person (id, name) values (?, 'x') on conflict do update set name = ?", 1, 'name'],
    ['insert into person values (?, ?, ?)', 1, undefined],
    ['insert into person (name) select ? from person', 0, undefined],
    ['select * from person where name = ?', 0, 'name'],
    ['select * from person p where p.name <> ? and p."big ""age""" >= ?', 1, 'big "age"'],
    ['select * from person where person.name = ? or main.person.id > .5', 0, 'name'],
    ['select * from person where [name] like ?', 0, 'name'],
    ['select * from person where `name` is not ?', 0, 'name'],
    ['select * from person where name in (?, ?, ?)', 2, 'name'],
    ['select * from person where name not in (?)', 0, 'name'],
    ["select * from person where 'a?' = name and /* ? */ id = ? -- ?", 0, 'id'],
    ['update person set id = ?, name = ? where id = ?', 1, 'name'],
    ['update person set id = ?, name = ? where id = ?', 2, 'id'],
    ['delete from person where id == ?', 0, 'id'],
    ['select * from person where name = lower(?)', 0, undefined],
    ['select * from person where coalesce(name, ?) = 1', 0, undefined],
    ['select id, ? from person', 0, undefined],
    ['select * from person limit ?', 0, undefined],
    ['select ?', 0, undefined],
  ]
  test.for(places)('the message names the column: %s [%i]', async ([sql, index, named]) => {
    const database = await withPerson()
    const count = sql.replaceAll(/'[^']*'|\/\*.*?\*\/|--.*/g, '').split('?').length - 1
    const parameters = Array.from({ length: count }, (_, at): unknown => (at === index ? {} : 1))
    const error = await refusal(database, sql, parameters)
    expect(error).toMatchObject({ code: 'PARAMETER_TYPE', index, column: named })
    const where = named === undefined ? '' : ` (column "${named}")`
    expect(error.message.startsWith(`Parameter ${index + 1}${where} is an object,`)).toBe(true)
  })

  test('in a stream and in a transaction it is the same', async () => {
    const database = await withPerson()
    const sql = 'select * from person where name = ?'
    await database.transaction(async (tx) => {
      expect(await rejection(tx.execute(sql, [{}]))).toMatchObject({ column: 'name' })
      expect(await rejection(tx.stream(sql, [{}]).next())).toMatchObject({ column: 'name' })
      expect(await rejection(database.execute(sql, [{}]))).toMatchObject({ column: 'name' })
      await tx.execute("insert into person (name) values ('kept')")
    })
    expect(await column(database, 'select name from person')).toEqual(['Ada', 'kept'])
  })
})

test('an error shows no more of a statement than one line', async () => {
  const database = await withPerson()
  const error = await rejection(database.execute(`select\n  ${'1, '.repeat(500)} 1;\nselect 2`))
  expect(error.message).not.toMatch(/\n/)
  expect(error.message.length).toBeLessThan(300)
})

describe('placeholders', () => {
  test.each(['?1', ':name', '@name', '$name'])(
    'written %s are refused with the way to write them',
    async (placeholder) => {
      const database = await withPerson()
      const error = await refusal(database, `update person set name = ${placeholder}`, ['Grace'])
      expect(error).toBeInstanceOf(ParameterError)
      expect(error.message).toContain(`write \`?\` instead of \`${placeholder}\``)
    },
  )
})

describe('options of a statement', () => {
  test.each([
    [{ row: 'arrays' }, 'UNKNOWN_OPTION'],
    [{ rows: 'array' }, 'INVALID_OPTION'],
  ])('%o are refused by execute() and stream()', async (options, code) => {
    const database = await withPerson()
    expect(await rejection(database.execute('select 1', [], options as object))).toMatchObject({
      code,
    })
    expect(await rejection(() => database.stream('select 1', [], options as object))).toMatchObject(
      { code },
    )
  })
})

describe('settings that were verified', () => {
  test.each([
    'pragma journal_mode = delete',
    'PRAGMA busy_timeout(2000)',
    '/* x */ pragma main.synchronous = off',
  ])('are not changed by %s', async (sql) => {
    const database = await withPerson()
    expect((await refusal(database, sql)).code).toBe('SETTING_PRAGMA')
    expect(await value(database, 'pragma journal_mode')).toBe('wal')
    expect(await value(database, 'pragma busy_timeout')).toBe(0)
  })
})

describe('parameters', () => {
  test.each([[{ name: 'Grace' }], [null], ['Grace']])(
    '%o are refused, being no array',
    async (parameters) => {
      const database = await withPerson()
      const error = await refusal(database, 'update person set name = ?', parameters as never)
      expect(error.code).toBe('PARAMETER_TYPE')
      expect(error.message).toContain('Pass an array')
    },
  )
})
