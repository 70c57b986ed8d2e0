import { Int64RangeError, type Int64Policy, type SqliteDatabase } from '@keelson/sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { runs, seed } from '../support/runs.ts'
import { column, open, run, value } from './fixture.ts'

const bytes = Uint8Array.of(0, 1, 254, 255)

describe('parameters', () => {
  const cases: [string, unknown, string, unknown][] = [
    ['a string', 'Ünïcödé 🦆', 'text', 'Ünïcödé 🦆'],
    ['an empty string', '', 'text', ''],
    ['a string with a NUL', 'a\0b', 'text', 'a\0b'],
    ['a whole number', 42, 'real', 42],
    ['a fraction', 0.1, 'real', 0.1],
    ['the largest double', Number.MAX_VALUE, 'real', Number.MAX_VALUE],
    ['the smallest double', Number.MIN_VALUE, 'real', Number.MIN_VALUE],
    ['Infinity', Infinity, 'real', Infinity],
    ['-Infinity', -Infinity, 'real', -Infinity],
    ['a bigint', 42n, 'integer', 42],
    ['a negative bigint', -1n, 'integer', -1],
    ['true', true, 'integer', 1],
    ['false', false, 'integer', 0],
    ['null', null, 'null', null],
    ['undefined', undefined, 'null', null],
    ['a Date', new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6)), 'text', '2026-01-02T03:04:05.006Z'],
    ['a Date before 0', new Date(Date.UTC(-1, 0)), 'text', '-000001-01-01T00:00:00.000Z'],
    ['a Uint8Array', bytes, 'blob', Buffer.from(bytes)],
    ['a view of a part', Uint8Array.of(9, 9, 1, 2, 9).subarray(2, 4), 'blob', Buffer.of(1, 2)],
    ['an ArrayBuffer', bytes.buffer.slice(0), 'blob', Buffer.from(bytes)],
    ['a Buffer', Buffer.from('abc'), 'blob', Buffer.from('abc')],
    ['no bytes', new Uint8Array(), 'blob', Buffer.alloc(0)],
  ]

  test.for(cases)('%s is bound as documented, and read back', async ([, bound, type, read]) => {
    const database = open({ path: ':memory:' })
    await run(database, 'create table t (a)')
    await database.execute('insert into t values (?)', [bound])
    const { rows } = await database.execute('select a, typeof(a) as type from t')
    expect(rows).toEqual([{ a: read, type }])
    const literal = await database.execute('select ? as a, typeof(?) as type', [bound, bound])
    expect(literal.rows).toEqual([{ a: read, type }])
    for await (const [row] of database.stream('select a from t')) expect(row).toEqual({ a: read })
  })

  test('-0 keeps its sign where SQLite stores a REAL', async () => {
    const database = open({ path: ':memory:' })
    await run(database, 'create table t (a)')
    await database.execute('insert into t values (?)', [-0])
    expect(await value(database, 'select ?', [-0])).toBe(-0)
    expect([0, -0]).toContain(await value(database, 'select a from t'))
  })

  test('a column with a type turns a number into it, as SQLite does', async () => {
    const database = open({ path: ':memory:' })
    await run(database, 'create table t (i integer, r real, t text, b blob, n numeric)')
    await database.execute('insert into t values (?, ?, ?, ?, ?)', [1, 1, 1, 1, 1])
    await database.execute('insert into t values (?, ?, ?, ?, ?)', [1n, 1n, 1n, 1n, 1n])
    const types = 'select typeof(i), typeof(r), typeof(t), typeof(b), typeof(n), t from t'
    const { rows } = await database.execute(types, [], { rows: 'arrays' })
    expect(rows).toEqual([
      ['integer', 'real', 'text', 'real', 'integer', '1.0'],
      ['integer', 'real', 'text', 'integer', 'integer', '1'],
    ])
  })

  test('what is bound is copied: changing it later changes nothing', async () => {
    const database = open({ path: ':memory:' })
    await run(database, 'create table t (a)')
    const mine = Buffer.from('before')
    const { waiting } = await database.transaction(async (tx) => {
      await tx.execute('insert into t values (?)', [mine])
      mine.write('after!')
      return { waiting: undefined }
    })
    expect(waiting).toBeUndefined()
    expect(await value(database, 'select a from t')).toEqual(Buffer.from('before'))
    const read = (await value(database, 'select a from t')) as Buffer
    read.fill(0)
    expect(await value(database, 'select a from t')).toEqual(Buffer.from('before'))
  })

  test('the parameters of a caller are not changed', async () => {
    const database = open({ path: ':memory:' })
    const parameters = Object.freeze([true, undefined, new Date(0), bytes])
    const { rows } = await database.execute('select ? as a, ? as b, ? as c, ? as d', parameters)
    expect(rows).toEqual([{ a: 1, b: null, c: '1970-01-01T00:00:00.000Z', d: Buffer.from(bytes) }])
  })

  const storable = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array(),
    fc.constant(null),
  )

  test('every value is read back as it was written, by every way of reading', async () => {
    const database = open({ path: ':memory:', int64: 'bigint' })
    await run(database, 'create table t (id integer primary key, a)')
    await fc.assert(
      fc.asyncProperty(fc.array(storable, { minLength: 1, maxLength: 20 }), async (values) => {
        await run(database, 'delete from t')
        for (const each of values) await database.execute('insert into t (a) values (?)', [each])
        const expected = values.map((each) =>
          each instanceof Uint8Array ? Buffer.from(each) : each,
        )
        const sql = 'select a from t order by id'
        expect(await column(database, sql)).toEqual(expected)
        expect((await database.execute(sql)).rows).toEqual(expected.map((a) => ({ a })))
        const streamed: unknown[] = []
        for await (const rows of database.stream<{ a: unknown }>(sql, [], { chunkRows: 3 }))
          streamed.push(...rows.map(({ a }) => a))
        expect(streamed).toEqual(expected)
      }),
      { seed, numRuns: runs(50, 2000) },
    )
  })
})

describe('rows', () => {
  test('are objects by default, and arrays when asked for', async () => {
    const database = open({ path: ':memory:' })
    const sql = `select 1 as a, 2 as "b c", 3 as "1"`
    expect((await database.execute(sql)).rows).toEqual([{ a: 1, 'b c': 2, '1': 3 }])
    expect((await database.execute(sql, [], { rows: 'arrays' })).rows).toEqual([[1, 2, 3]])
  })

  test('of two columns with one name the last wins in an object, and none is lost in an array', async () => {
    const database = open({ path: ':memory:' })
    const sql = 'select 1 as a, 2 as b, 3 as a'
    expect((await database.execute(sql)).rows).toEqual([{ a: 3, b: 2 }])
    expect((await database.execute(sql, [], { rows: 'arrays' })).rows).toEqual([[1, 2, 3]])
  })

  test('first reads one row, and none where there is none', async () => {
    const database = open({ path: ':memory:' })
    await run(database, 'create table t (a)', 'insert into t values (1), (2)')
    expect((await database.execute('select a from t', [], { first: true })).rows).toEqual([
      { a: 1 },
    ])
    expect(
      (await database.execute('select a from t where a > 5', [], { first: true })).rows,
    ).toEqual([])
    const written = await database.execute('update t set a = a + 1 returning a', [], {
      first: true,
    })
    expect(written).toEqual({ rows: [{ a: 2 }], changes: 2, insertId: undefined })
  })

  const awkward = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '',
    ' ',
    '"',
    "it's",
    '\\',
    '\u2028',
    '1',
    '-1',
    'ä🦆',
  ]

  test.for(awkward)('a column may be called %j', async (name) => {
    const database = open({ path: ':memory:' })
    const quoted = `"${name.replaceAll('"', '""')}"`
    await run(
      database,
      `create table t (a, ${quoted} integer)`,
      'insert into t values (1, 2), (3, 4)',
    )
    const expected = (other: unknown, own: unknown): unknown[] => [
      ['a', other],
      [name, own],
    ]
    for (const sql of [`select a, ${quoted} from t`, 'select * from t']) {
      const { rows } = await database.execute(sql)
      expect(
        rows
          .map((row) => Object.entries(row))
          .map((entries) => new Map(entries as [string, unknown][])),
      ).toEqual([
        new Map(expected(1, 2) as [string, unknown][]),
        new Map(expected(3, 4) as [string, unknown][]),
      ])
      expect(rows.map((row) => Object.getPrototypeOf(row))).toEqual([
        Object.prototype,
        Object.prototype,
      ])
      for await (const streamed of database.stream(sql)) expect(streamed).toEqual(rows)
      expect((await database.execute(sql, [], { first: true })).rows).toEqual(rows.slice(0, 1))
    }
    const returned = await database.execute(
      `insert into t values (5, 9007199254740991) returning *`,
    )
    expect(Object.entries(returned.rows[0]!)).toContainEqual([name, 9007199254740991])
    await run(database, 'update t set a = 9007199254740993 where a = 5')
    expect((await rejection(database.execute('select * from t'))).message).toContain(
      'Column "a" holds',
    )
    await run(database, `update t set a = 1, ${quoted} = 9007199254740993`)
    expect((await rejection(database.execute('select * from t'))).message).toContain(
      `Column "${name}" holds`,
    )
  })

  test('no row adds a property to others', async () => {
    const database = open({ path: ':memory:' })
    await database.execute(`select 1 as "__proto__", 2 as "constructor"`)
    expect(({} as Record<string, unknown>)['1']).toBeUndefined()
    expect({}.constructor).toBe(Object)
  })

  test('a statement follows the schema: added, renamed and dropped columns', async () => {
    for (const path of [':memory:', undefined]) {
      const database = open(path === undefined ? {} : { path })
      await run(database, 'create table t (a integer, b integer)', 'insert into t values (1, 2)')
      const both = async (expected: object): Promise<void> => {
        expect((await database.execute('select * from t')).rows).toEqual([expected])
        expect((await database.execute('select * from t', [], { rows: 'arrays' })).rows).toEqual([
          Object.values(expected),
        ])
        for await (const rows of database.stream('select * from t'))
          expect(rows).toEqual([expected])
      }
      await both({ a: 1, b: 2 })
      await run(database, 'alter table t add column c default 3')
      await both({ a: 1, b: 2, c: 3 })
      await run(database, 'alter table t rename column b to d')
      await both({ a: 1, d: 2, c: 3 })
      await run(database, 'alter table t drop column a')
      await both({ d: 2, c: 3 })
      await run(database, 'alter table t rename column d to e', 'update t set e = 9007199254740993')
      expect((await rejection(database.execute('select * from t'))).message).toContain(
        'Column "e" holds',
      )
    }
  })

  test('a statement follows the schema that another connection changes', async () => {
    const database = open()
    const other = open({ path: database.path })
    const rows = Array.from({ length: 20 }, (_, id) => `(${id}, 2)`).join()
    await run(database, 'create table t (a integer, b integer)', `insert into t values ${rows}`)
    expect((await database.execute('select * from t')).rows).toHaveLength(20)
    await run(
      other,
      'alter table t rename column a to c',
      'update t set c = 9007199254740993 where c = 7',
    )
    expect((await rejection(database.execute('select * from t'))).message).toContain(
      'Column "c" holds',
    )
    await run(other, 'update t set c = 7 where c > 100', 'alter table t add column d default 4')
    expect((await database.execute('select * from t')).rows[7]).toEqual({ c: 7, b: 2, d: 4 })
  })
})

describe('int64', () => {
  const exact = 9007199254740991n
  const beyond = 9007199254740993n
  const limits = [2n ** 63n - 1n, -(2n ** 63n)]

  /** Every way to read the column `a` of the one row of `t`. */
  const ways: [string, (database: SqliteDatabase) => Promise<unknown>][] = [
    [
      'objects',
      async (database) => (await database.execute<{ a: unknown }>('select a from t')).rows[0]!.a,
    ],
    ['arrays', (database) => value(database, 'select a from t')],
    [
      'first',
      async (database) =>
        (await database.execute<{ a: unknown }>('select a from t', [], { first: true })).rows[0]!.a,
    ],
    [
      'many rows',
      async (database) =>
        (
          await database.execute<{ a: unknown }>(
            `select a from t, (values (1), (2), (3), (4), (5), (6), (7), (8), (9))`,
          )
        ).rows[8]!.a,
    ],
    [
      'stream of objects',
      async (database) => {
        for await (const rows of database.stream<{ a: unknown }>('select a from t'))
          return rows[0]!.a
        return undefined
      },
    ],
    [
      'stream of arrays',
      async (database) => {
        for await (const rows of database.stream<unknown[]>('select a from t', [], {
          rows: 'arrays',
        }))
          return rows[0]![0]
        return undefined
      },
    ],
    [
      'RETURNING',
      async (database) =>
        (await database.execute<{ a: unknown }>('update t set a = a returning a')).rows[0]!.a,
    ],
    [
      'stream of RETURNING',
      async (database) => {
        for await (const rows of database.stream<{ a: unknown }>('update t set a = a returning a'))
          return rows[0]!.a
        return undefined
      },
    ],
    [
      'a read-only transaction',
      (database) =>
        database.transaction((tx) => value(tx, 'select a from t'), { accessMode: 'read only' }),
    ],
    ['a transaction', (database) => database.transaction((tx) => value(tx, 'select a from t'))],
    [
      'an alias of an expression',
      async (database) =>
        (await database.execute<{ a: unknown }>('select a + 0 as a from t')).rows[0]!.a,
    ],
  ]

  async function holding(int64: Int64Policy, stored: bigint): Promise<SqliteDatabase> {
    const database = open({ int64 })
    await run(database, 'create table t (a integer)')
    await database.execute('insert into t values (?)', [stored])
    return database
  }

  const reads: [Int64Policy, (stored: bigint) => unknown][] = [
    ['bigint', (stored) => stored],
    ['string', String],
    ['lossyNumber', Number],
  ]
  for (const [policy, expected] of reads) {
    test.for(ways)(`${policy}: every INTEGER, read by %s`, async ([, read]) => {
      for (const stored of [0n, -1n, exact, -exact, beyond, -beyond, ...limits]) {
        expect(await read(await holding(policy, stored))).toBe(expected(stored))
      }
    })
  }

  test.for(ways)(
    'number: what fits is a number, what does not is an error, read by %s',
    async ([, read]) => {
      for (const stored of [0n, -1n, exact, -exact]) {
        expect(await read(await holding('number', stored))).toBe(Number(stored))
      }
      for (const stored of [exact + 1n, -exact - 1n, beyond, -beyond, ...limits]) {
        const database = await holding('number', stored)
        const error = await rejection(read(database))
        expect(error).toBeInstanceOf(Int64RangeError)
        expect(error).toMatchObject({ code: 'INT64_RANGE', column: 'a', value: stored })
        expect(error.message).toBe(
          `Column "a" holds ${stored}, which a JavaScript number cannot represent exactly. ` +
            `Open the database with int64: 'bigint' or 'string', or with 'lossyNumber' to accept rounding.`,
        )
        expect(await value(database, 'select cast(a as text) from t')).toBe(String(stored))
      }
    },
  )

  test('number: a large REAL is no INTEGER, and is read as it is', async () => {
    const database = open({ path: ':memory:' })
    const large = [2 ** 53, -(2 ** 60), 1e300, Infinity]
    expect(
      await column(database, 'select column1 from (values (?), (?), (?), (?))', large),
    ).toEqual(large)
  })

  test('bigint: REALs stay numbers, and texts stay texts', async () => {
    for (const int64 of ['bigint', 'string'] as const) {
      const database = open({ path: ':memory:', int64 })
      expect(await value(database, 'select 1.5')).toBe(1.5)
      expect(await value(database, "select '12'")).toBe('12')
      expect(await value(database, 'select null')).toBe(null)
    }
  })

  const unreadable: [string, string][] = [
    ['insert', 'insert into t values (9007199254740993) returning a'],
    ['the second row of an insert', 'insert into t values (2), (9007199254740993) returning a'],
    ['update', 'update t set a = 9007199254740993 where a = 1 returning a'],
    ['delete', 'delete from t returning 9007199254740993 as a'],
    [
      'upsert',
      'insert into t values (1) on conflict (a) do update set a = 9007199254740993 returning a',
    ],
  ]

  test.for(unreadable)(
    'a value that cannot be returned undoes its statement: %s',
    async ([, sql]) => {
      const database = open()
      await run(database, 'create table t (a integer primary key)', 'insert into t values (1)')
      const executed = await rejection(database.execute(sql))
      const streamed = await rejection(async () => {
        for await (const _ of database.stream(sql));
      })
      for (const error of [executed, streamed]) expect(error).toBeInstanceOf(Int64RangeError)
      expect(await column(database, 'select a from t')).toEqual([1])

      await database.transaction(async (tx) => {
        await tx.execute('insert into t values (5)')
        expect(await rejection(tx.execute(sql))).toBeInstanceOf(Int64RangeError)
        expect(await rejection(tx.stream(sql).next())).toBeInstanceOf(Int64RangeError)
        await tx.execute('insert into t values (6)')
      })
      expect(await column(database, 'select a from t')).toEqual([1, 5, 6])
    },
  )
})
