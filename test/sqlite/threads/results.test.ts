import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Int64RangeError, OptionError, type SqliteDatabase } from '@keelson/sqlite'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { runs, seed } from '../../support/runs.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { column, open, run, value } from '../fixture.ts'
import { functions, modes, openThreads, upTo, withTable } from './fixture.ts'

const numbers = (count: number): string =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select i as a from n`

/** A value of SQLite, as a literal: what is read must not depend on how it was bound. */
const literal = fc.oneof(
  { weight: 3, arbitrary: fc.integer().map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'null',
      "''",
      "x''",
      '0.0',
      '-0.0',
      '1e300',
      '-1e-300',
      '9e999',
      '9007199254740991',
      '-9007199254740991',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n.toExponential()),
  },
  {
    weight: 2,
    arbitrary: fc
      .string({ unit: 'binary', maxLength: 8 })
      .map((text) => `cast(x'${Buffer.from(text).toString('hex')}' as text)`),
  },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 8 })
      .map((bytes) => `x'${Buffer.from(bytes).toString('hex')}'`),
  },
  { weight: 1, arbitrary: fc.constant("replace(zeroblob(5000), x'00', 'x')") },
)

/** A column: of one kind throughout, of one kind with an exception somewhere, or of everything. */
const columnOf = fc.oneof(
  fc.constant('i'),
  fc.constant('i * 1.5'),
  fc.constant("'text ' || i"),
  fc.constant("cast('blob ' || i as blob)"),
  literal,
  fc
    .tuple(fc.integer({ min: 1, max: 1_200 }), literal)
    .map(([at, exception]) => `case when i = ${at} then ${exception} else i end`),
  fc
    .tuple(fc.integer({ min: 1, max: 1_200 }), literal)
    .map(([at, exception]) => `case when i = ${at} then ${exception} else 'text ' || i end`),
  fc
    .tuple(fc.integer({ min: 2, max: 5 }), literal, literal)
    .map(([by, a, b]) => `case when i % ${by} = 0 then ${a} else ${b} end`),
)

const columnName = fc.constantFrom(
  'a',
  'b',
  'a',
  'length',
  '__proto__',
  'constructor',
  '1',
  '',
  'with space',
  'ünïcödé',
)

const selects = fc.record({
  columns: fc.array(fc.tuple(columnOf, columnName), { minLength: 1, maxLength: 6 }),
  rows: fc.oneof(
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom(31, 32, 33, 499, 500, 501, 1_000, 1_200),
  ),
})

describe.for(modes)('what a statement returns: %s', (mode) => {
  test('is the same as better-sqlite3 returns, whatever the values and however many', async () => {
    const database = openThreads({ mode, readers: 2 })
    const direct = new Database(':memory:')
    try {
      await fc.assert(
        fc.asyncProperty(selects, async ({ columns, rows }) => {
          const list = columns.map(([sql, name]) => `${sql} as "${name}"`).join(', ')
          const sql = `with recursive n(i) as (select 1 where ${rows} > 0 union all select i + 1 from n where i < ${rows}) select ${list} from n`
          const statement = direct.prepare(sql).raw()
          const arrays = statement.all() as unknown[][]
          const names = statement.columns().map(({ name }) => name)
          const objects = arrays.map((row) =>
            Object.fromEntries(names.map((name, index) => [name, row[index]])),
          )
          expect((await database.execute(sql)).rows).toEqual(objects)
          expect((await database.execute(sql, [], { rows: 'arrays' })).rows).toEqual(arrays)
          const streamed: unknown[] = []
          for await (const chunk of database.stream(sql, [], { rows: 'arrays' }))
            streamed.push(...chunk)
          expect(streamed).toEqual(arrays)
          await database.transaction(async (tx) =>
            expect((await tx.execute(sql)).rows).toEqual(objects),
          )
          const { rows: first } = await database.execute(sql, [], { first: true })
          expect(first).toEqual(objects.slice(0, 1))
        }),
        { seed, numRuns: runs(60, 2_000) },
      )
    } finally {
      direct.close()
    }
  })

  test('has BLOBs as Buffers of their own', async () => {
    const database = await withTable({ mode, readers: 1 })
    await database.execute('insert into t values (?), (?), (?)', [
      Buffer.from('one'),
      new Uint8Array([2, 3]),
      new Uint8Array(0),
    ])
    for (const sql of ['select a from t order by rowid', 'update t set a = a returning a']) {
      const [one, two, none] = (await column(database, sql)) as Buffer[]
      for (const blob of [one, two, none]) expect(Buffer.isBuffer(blob)).toBe(true)
      expect(one!.toString()).toBe('one')
      expect([...two!]).toEqual([2, 3])
      expect(none!).toHaveLength(0)
      one![0] = 88
      expect(one!.toString()).toBe('Xne')
      expect([...two!]).toEqual([2, 3])
    }
    // Many of them: whole columns may be carried at once.
    const blobs = await column(database, `select cast('blob ' || a as blob) from (${numbers(600)})`)
    expect(blobs.every((blob) => Buffer.isBuffer(blob))).toBe(true)
    expect(blobs.map(String)).toEqual(upTo(600).map((n) => `blob ${n}`))
  })

  test('leaves what was bound as it was, and takes the value that it had at the call', async () => {
    const database = await withTable({ mode })
    const buffer = Buffer.from('a part of a pool that others share')
    const whole = new ArrayBuffer(4)
    const view = new Uint8Array(whole)
    view.set([1, 2, 3, 4])
    await database.execute('insert into t values (?), (?), (?), (?)', [
      buffer.subarray(2, 6),
      whole,
      view.subarray(1, 3),
      view,
    ])
    expect(view.byteLength).toBe(4)
    expect(buffer.toString()).toBe('a part of a pool that others share')
    expect(
      (await column(database, 'select a from t order by rowid')).map((blob) => [
        ...(blob as Buffer),
      ]),
    ).toEqual([[...Buffer.from('part')], [1, 2, 3, 4], [2, 3], [1, 2, 3, 4]])
  })

  test('has bytes as they were at the call, whatever becomes of them while they wait', async () => {
    const database = await withTable({ mode })
    const bytes = (): Uint8Array => new Uint8Array([1, 2, 3, 4])
    const change = (given: Uint8Array): void => void given.fill(0)
    const transfer = (given: Uint8Array): void =>
      void structuredClone(given, { transfer: [given.buffer as ArrayBuffer] })
    for (const spoil of [change, transfer]) {
      const [given, other] = [bytes(), Buffer.from(bytes().buffer)]
      const insert = database.execute('insert into t values (?), (?)', [given, other])
      spoil(given)
      spoil(other)
      await insert
    }
    expect(await column(database, 'select hex(a) from t')).toEqual(
      Array.from({ length: 4 }, () => '01020304'),
    )
  })

  test('refuses bytes that were transferred, and harms no other statement', async () => {
    const database = await withTable({ mode })
    const gone = (bytes: Uint8Array): Uint8Array => {
      structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
      return bytes
    }
    const memory = new ArrayBuffer(4)
    structuredClone(memory, { transfer: [memory] })
    for (const bytes of [gone(new Uint8Array(4)), gone(Buffer.from(new ArrayBuffer(4))), memory]) {
      const other = database.execute('insert into t values (1)')
      const error = await rejection(database.execute('insert into t (a) values (?)', [bytes]))
      expect(error.code).toBe('PARAMETER_TYPE')
      expect(error.message).toMatch(/column "a".*, whose memory was transferred.*a copy\./)
      expect((await other).changes).toBe(1)
    }
  })

  test('takes parameters of every kind', async () => {
    const database = await withTable({ mode })
    const parameters = [
      'text',
      1,
      1.5,
      7n,
      true,
      false,
      new Date(0),
      null,
      undefined,
      '\u0000',
      '😀',
      -0,
      2n ** 63n - 1n,
    ]
    await database.execute(
      `insert into t values ${parameters.map(() => '(?)').join(', ')}`,
      parameters,
    )
    expect(await column(database, 'select typeof(a) from t order by rowid')).toEqual([
      'text',
      'real',
      'real',
      'integer',
      'integer',
      'integer',
      'text',
      'null',
      'null',
      'text',
      'text',
      'real',
      'integer',
    ])
    for (const wrong of [{}, [1], () => 1, Symbol('a'), 2n ** 63n])
      expect(
        (await rejection(() => database.execute('insert into t values (?)', [wrong]))).name,
      ).toBe('ParameterError')
    expect((await rejection(database.execute('insert into t values (?)', []))).code).toBe(
      'PARAMETER_COUNT',
    )
    expect((await rejection(database.execute('select ?', [1, 2]))).code).toBe('PARAMETER_COUNT')
    expect(await value(database, 'select count(*) from t')).toBe(parameters.length)
  })

  const big = 9_007_199_254_740_993n
  const policies: [
    NonNullable<Parameters<typeof openThreads>[0]>['int64'] & string,
    unknown,
    unknown,
  ][] = [
    ['bigint', big, 5n],
    ['string', String(big), '5'],
    ['lossyNumber', Number(big), 5],
  ]
  test.for(policies)('reads integers by the policy %s', async ([int64, expected, five]) => {
    const database = openThreads({ mode, int64, readers: 1 })
    await run(database, 'create table t (a integer)')
    await database.execute('insert into t values (?), (5)', [big])
    expect(await column(database, 'select a from t')).toEqual([expected, five])
    expect(await column(database, 'update t set a = a returning a')).toEqual([expected, five])
    expect((await database.execute('select a from t')).rows).toEqual([{ a: expected }, { a: five }])
    for await (const chunk of database.stream('select a from t'))
      expect(chunk).toEqual([{ a: expected }, { a: five }])
    const many = await column(database, `select a + ${big} from (${numbers(600)})`)
    expect(many.map(String)).toEqual(
      upTo(600).map((n) =>
        String(int64 === 'lossyNumber' ? Number(big + BigInt(n)) : big + BigInt(n)),
      ),
    )
    const { insertId } = await database.execute('insert into t (rowid, a) values (?, 1)', [big])
    expect(insertId).toBe(big)
  })

  test('refuses by default an integer that is not exact, and names its column', async () => {
    const database = openThreads({ mode, readers: 1 })
    await run(database, 'create table t (a integer, b integer)')
    await database.execute('insert into t values (1, ?)', [big])
    for (const reading of [
      () => database.execute('select a, b from t'),
      () => database.execute('update t set a = 2 returning b'),
      () =>
        database.execute(
          `select i as a, case i when 600 then ${big} else i end as b from (select a as i from (${numbers(700)}))`,
        ),
      async () => {
        for await (const _ of database.stream('select a, b from t'));
      },
    ]) {
      const error = await rejection(reading)
      expect(error).toBeInstanceOf(Int64RangeError)
      expect(error.message).toContain('Column "b"')
      expect(error.message).toContain('int64')
    }
    // A write that was refused for what it returned is not kept.
    expect(await column(database, 'select a from t')).toEqual([1])
  })
})

describe.for(modes)('an error: %s', (mode) => {
  const failing: [string, string, string][] = [
    ['select a from missing', 'SQLITE_ERROR', 'no such table: missing'],
    ['selekt 1', 'SQLITE_ERROR', 'near "selekt": syntax error'],
    ['insert into u values (1)', 'SQLITE_CONSTRAINT_PRIMARYKEY', 'UNIQUE constraint failed: u.a'],
    [
      'insert into u values (1) returning a',
      'SQLITE_CONSTRAINT_PRIMARYKEY',
      'UNIQUE constraint failed: u.a',
    ],
    ['insert into c values (77)', 'SQLITE_CONSTRAINT_FOREIGNKEY', 'FOREIGN KEY constraint failed'],
    [
      'insert into c values (1, 2, 3)',
      'SQLITE_ERROR',
      'table c has 1 columns but 3 values were supplied',
    ],
    ['select abs(-9223372036854775807 - 1)', 'SQLITE_ERROR', 'integer overflow'],
    ['insert into u values (abs(-9223372036854775807 - 1))', 'SQLITE_ERROR', 'integer overflow'],
  ]
  test.for(failing)(
    "of `%s` is better-sqlite3's own, and tells where it was asked",
    async ([sql, code, message]) => {
      const database = openThreads({ mode, readers: 1 })
      await run(
        database,
        'create table u (a integer primary key)',
        'create table c (a references u)',
        'insert into u values (1)',
      )
      const uses: (() => Promise<unknown>)[] = [
        () => database.execute(sql),
        () => database.connect().execute(sql),
        () => database.transaction((tx) => tx.execute(sql)),
      ]
      for (const use of uses) {
        const error = await rejection(use)
        expect(error).toBeInstanceOf(Database.SqliteError)
        expect(error.name).toBe('SqliteError')
        expect(error.code).toBe(code)
        expect(error.message).toBe(message)
        expect(error.stack).toContain('results.test.ts')
      }
      expect(await column(database, 'select a from u')).toEqual([1])
    },
  )
})

describe('maxRows', () => {
  const withMax = (options: object = {}): Promise<SqliteDatabase> =>
    withTable({ maxRows: 100, readers: 1, ...options })

  test('refuses a result of more rows, and the next one works', async () => {
    const database = await withMax()
    expect((await database.execute(numbers(100))).rows).toHaveLength(100)
    const error = await rejection(database.execute(numbers(101)))
    expect(error.code).toBe('TOO_MANY_ROWS')
    expect(error.message).toContain('maxRows')
    expect(error.message).toContain('100')
    expect(error.message).toContain('with recursive n(i)')
    expect(error.stack).toContain('results.test.ts')
    expect((await rejection(database.execute(numbers(1_000_000)))).code).toBe('TOO_MANY_ROWS')
    expect((await rejection(database.execute(numbers(101), [], { rows: 'arrays' }))).code).toBe(
      'TOO_MANY_ROWS',
    )
    expect(await column(database, numbers(100))).toEqual(upTo(100))
  })

  test('does not read on to the end of what it refuses', async () => {
    const database = await withMax()
    // It would take hours.
    const error = await rejection(
      database.execute(
        'with recursive n(i) as (select 1 union all select i + 1 from n) select i from n',
      ),
    )
    expect(error.code).toBe('TOO_MANY_ROWS')
  })

  test('holds in a transaction, and leaves it open', async () => {
    const database = await withMax()
    await database.transaction(async (tx) => {
      await tx.execute('insert into t values (1)')
      expect((await rejection(tx.execute(numbers(101)))).code).toBe('TOO_MANY_ROWS')
      await tx.execute('insert into t values (2)')
    })
    expect(await column(database, 'select a from t order by a')).toEqual([1, 2])
  })

  test('undoes a write that returns more rows', async () => {
    const database = await withMax()
    const sql = `insert into t select a from (${numbers(101)}) returning a`
    expect((await rejection(database.execute(sql))).code).toBe('TOO_MANY_ROWS')
    expect(await value(database, 'select count(*) from t')).toBe(0)
    await run(database, `insert into t select a from (${numbers(1_000)})`)
    expect(await value(database, 'select count(*) from t')).toBe(1_000)
  })

  test('does not limit streams, nor the first row', async () => {
    const database = await withMax()
    let rows = 0
    for await (const chunk of database.stream(numbers(1_000))) rows += chunk.length
    expect(rows).toBe(1_000)
    expect((await database.execute(numbers(1_000), [], { first: true })).rows).toEqual([{ a: 1 }])
  })

  test.for([0, -1, 1.5, Number.NaN, '5'])('%s is refused', async (maxRows) => {
    const error = await rejection(() => openThreads({ maxRows } as object))
    expect(error).toBeInstanceOf(OptionError)
    expect(error.option).toBe('maxRows')
  })
})

describe('connectionModule', () => {
  test('gives its functions to every connection', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    await run(database, "insert into t values ('a'), ('ccc'), ('bb')")
    expect(await value(database, 'select longest(a) from t')).toBe('ccc')
    expect(await column(database, 'update t set a = a || thread() returning thread() > 0')).toEqual(
      [1, 1, 1],
    )
    await database.transaction(async (tx) =>
      expect(await value(tx, 'select length(longest(a)) > 3 from t')).toBe(1),
    )
    await database.transaction(
      async (tx) => expect(await value(tx, 'select length(longest(a)) > 3 from t')).toBe(1),
      {
        accessMode: 'read only',
      },
    )
    for await (const chunk of database.stream('select length(longest(a)) > 3 as a from t'))
      expect(chunk).toEqual([{ a: 1 }])
  })

  test('whose function throws rejects with an error that tells what it threw', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    for (const sql of ['select throws()', 'insert into t select throws()']) {
      const error = await rejection(database.execute(sql))
      expect(error.message).toContain('thrown by a function')
      expect(error.stack).toContain('results.test.ts')
    }
    expect(await column(database, 'select a from t')).toEqual([])
  })

  test('whose function throws what is no error, or has no end, ends no thread by it', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    for (const [call, message] of [
      ['throws_its_own_cause()', 'its own cause'],
      ['throws_no_error()', 'an object'],
    ])
      for (const sql of [`select ${call}`, `insert into t select ${call}`]) {
        const error = await rejection(database.execute(sql))
        expect(error.message).toBe(message)
      }
  })

  test.for([
    ['throws', new URL('./programs/throwing.ts', import.meta.url), 'this module always fails'],
    [
      'exports no function',
      new URL('./programs/no-function.ts', import.meta.url),
      'no-function.ts',
    ],
    ['does not exist', new URL('./programs/not-there.ts', import.meta.url), 'not-there.ts'],
  ] as const)(
    'that %s is an error that names it, and not a process that hangs',
    async ([, connectionModule, text]) => {
      const error = await rejection(async () => {
        const database = openThreads({ connectionModule })
        await database.execute('select 1')
      })
      expect(`${error.message} ${String((error.cause as Error | undefined)?.message)}`).toContain(
        text,
      )
    },
  )

  test('that fails in a thread only is the error of what the thread was to run', async () => {
    const connectionModule = new URL('./programs/throwing-in-threads.ts', import.meta.url)
    const database = openThreads({ connectionModule })
    for (const sql of ['select 1', 'create table t (a)']) {
      const error = await rejection(database.execute(sql))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe('this module fails in threads')
      expect(error.stack).toContain('results.test.ts')
    }
    expect(await database.close()).toEqual({ forced: [] })
  })

  test.for([5, {}, () => {}])('%s is refused', async (connectionModule) => {
    const error = await rejection(() => openThreads({ connectionModule } as object))
    expect(error).toBeInstanceOf(OptionError)
    expect(error.option).toBe('connectionModule')
  })
})

describe("mode 'threads'", () => {
  test('works in a program that Node is given as text', async () => {
    const program = `
      import { openSqlite } from '@keelson/sqlite'
      const database = openSqlite({ path: ${JSON.stringify(temporaryFile())}, mode: 'threads' })
      console.log((await database.execute('select 5 as a')).rows[0].a)
      await database.close()`
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      program,
    ])
    expect(stdout.trim()).toBe('5')
  })

  test.for([
    [{ path: ':memory:' }, 'a database in memory'],
    [{ database: 'given' }, 'a database that was handed in'],
  ] as const)('is refused for what cannot be opened twice: %j', async ([options]) => {
    const given = new Database(':memory:')
    try {
      const error = await rejection(() =>
        open({
          mode: 'threads',
          ...options,
          ...('database' in options && { database: given }),
        } as object),
      )
      expect(error.message).toContain('threads')
    } finally {
      given.close()
    }
  })
})
