import { tracingChannel } from 'node:diagnostics_channel'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBDatabase, DuckDBOptions } from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { column, open, run, value } from './fixture.ts'

/** With one connection, so that what is prepared is prepared there. */
async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ pool: { max: 1 }, ...options })
  await run(
    database,
    'create table t (a integer, b varchar)',
    "insert into t values (1, 'one'), (2, 'two')",
  )
  return database
}

/** Whether each statement that runs meanwhile was prepared already. */
function cacheUse(): string[] {
  const used: string[] = []
  const note = (event: unknown): void => {
    const { sql, cache } = event as { sql: string; cache?: string }
    used.push(`${cache} ${sql}`)
  }
  const { asyncEnd } = tracingChannel('keelson:query')
  asyncEnd.subscribe(note)
  onTestFinished(() => {
    asyncEnd.unsubscribe(note)
  })
  return used
}

describe('what is known of a statement', () => {
  test('is used when it runs again on the same connection', async () => {
    const database = await withTable()
    const used = cacheUse()
    for (let again = 0; again < 3; again++) {
      await database.execute('select b from t where a = $1', [again])
      await database.execute('select count(*) from t')
      for await (const _ of database.stream('from t')) void _
    }
    expect(used).toEqual([
      'miss select b from t where a = $1',
      'miss select count(*) from t',
      'miss from t',
      // That its plan may be kept is found out when it runs again.
      'miss select b from t where a = $1',
      'hit select count(*) from t',
      'hit from t',
      'hit select b from t where a = $1',
      'hit select count(*) from t',
      'hit from t',
    ])
  })

  test('is that of the statements used last, as many as statementCacheSize says', async () => {
    const database = await withTable({ statementCacheSize: 3 })
    const used = cacheUse()
    for (const n of [1, 2, 3, 1, 4, 1, 2, 3, 1, 1])
      await database.execute(`select ${n} from t where a = $1`, [1])
    expect(used.map((each) => each.replace(/ from t .*/, ''))).toEqual([
      'miss select 1',
      'miss select 2',
      'miss select 3',
      // Found out here, and for the others with it.
      'miss select 1',
      'miss select 4',
      'hit select 1',
      'miss select 2',
      'miss select 3',
      'hit select 1',
      'hit select 1',
    ])
  })

  test('survives statements that fail, before and while they run', async () => {
    const database = await withTable()
    const sql = 'select 100 // a from t where a >= $1::integer and b <> error($2)'
    for (let again = 0; again < 5; again++) {
      expect((await rejection(database.execute(sql, [1, 'mine']))).message).toMatch(/mine/)
      expect((await rejection(database.execute(sql, [1]))).code).toBe('PARAMETER_COUNT')
      expect((await rejection(database.execute(sql, [1, Symbol('x')]))).code).toBe('PARAMETER_TYPE')
      expect(await column(database, sql, [5, 'mine'])).toEqual([])
      const insert = 'insert into t values ($1, $2)'
      expect((await rejection(database.execute(insert, [1]))).code).toBe('PARAMETER_COUNT')
      await database.execute(insert, [-1, 'x'])
      expect((await database.execute('delete from t where a = $1', [-1])).changes).toBe(1)
    }
  })

  test('is used for the values of each run, whatever their types', async () => {
    const database = await open({ path: ':memory:', pool: { max: 1 } })
    await run(database, 'create table v (a varchar, n double)')
    const sql = 'select a, n from v where a = $1 or n = $2 or $1 is null'
    await run(database, "insert into v values ('x', 1.5), ('1', 2), (null, 3)")
    const found = async (...parameters: unknown[]): Promise<unknown[]> =>
      (await database.execute<{ n: number }>(sql, parameters)).rows.map(({ n }) => n)
    expect(await found('x', 2)).toEqual([1.5, 2])
    expect(await found(null, null)).toEqual([1.5, 2, 3])
    expect(await found('1', 3)).toEqual([2, 3])
    expect(await found('nothing', 1.5)).toEqual([1.5])
  })
})

describe('a change of the definitions is seen at once', () => {
  const read = 'select * from t where a >= $1 order by a'
  const readAll = 'select * from t order by a'
  const changes: [string, string[], Record<string, unknown>][] = [
    ['a column added', ['alter table t add column c integer default 7'], { a: 1, b: 'one', c: 7 }],
    ['a column dropped', ['alter table t drop column b'], { a: 1 }],
    ['a column renamed', ['alter table t rename column b to name'], { a: 1, name: 'one' }],
    [
      'columns swapped',
      ['alter table t rename column a to x', 'alter table t add column a integer default 9'],
      { x: 1, b: 'one', a: 9 },
    ],
    ['a type changed', ['alter table t alter column a type varchar'], { a: '1', b: 'one' }],
    [
      'the table made anew',
      ["create or replace table t as select 1 as a, 'other' as b"],
      { a: 1, b: 'other' },
    ],
    [
      'the table replaced by a view',
      ['alter table t rename to u', "create view t as select a, 'viewed' as b from u"],
      { a: 1, b: 'viewed' },
    ],
  ]

  for (const where of [
    'in autocommit',
    'in a transaction',
    'by use()',
    'by another database',
  ] as const) {
    test.for(changes)(`%s ${where}`, async ([, statements, expected]) => {
      const database = await withTable({ pool: { max: 2 } })
      const other = where === 'by another database' ? await open({ path: database.path }) : database
      for (const sql of [read, readAll])
        for (let again = 0; again < 2; again++)
          expect((await database.execute(sql, sql === read ? [1] : [])).rows).toHaveLength(2)
      if (where === 'by use()') {
        await database.use(async (connection) => {
          for (const sql of statements) await connection.run(sql)
        })
      } else if (where === 'in a transaction') {
        await database.transaction(async (tx) => {
          await run(tx, ...statements)
          // Prepared while the change is not committed yet.
          for (const sql of [read, readAll]) {
            const { rows } = await database.execute(sql, sql === read ? [1] : [])
            expect(rows[0]).toEqual({ a: 1, b: 'one' })
          }
        })
      } else await run(other, ...statements)
      for (const sql of [read, readAll]) {
        const parameters = sql === read ? [expected['a'] ?? 1] : []
        const { rows, columns } = await database.execute(sql, parameters)
        expect(rows[0]).toEqual(expected)
        expect(columns).toEqual(Object.keys(expected))
        for await (const [row] of database.stream(sql, parameters)) expect(row).toEqual(expected)
      }
    })
  }

  test('and so is its undoing', async () => {
    const database = await withTable()
    await column(database, readAll)
    const mine = new Error('mine')
    const undone = rejection(
      database.transaction(async (tx) => {
        await run(tx, 'alter table t rename column b to name')
        expect((await tx.execute(readAll)).columns).toEqual(['a', 'name'])
        expect((await tx.execute(read, [0])).columns).toEqual(['a', 'name'])
        throw mine
      }),
    )
    expect(await undone).toBe(mine)
    expect((await database.execute(readAll)).columns).toEqual(['a', 'b'])
    expect((await database.execute(read, [0])).columns).toEqual(['a', 'b'])
  })

  test('also one that is made beside this package, on an instance that was handed in', async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const beside = await instance.connect()
    onTestFinished(() => {
      beside.closeSync()
      instance.closeSync()
    })
    const database = await withTable({ instance })
    for (const sql of [read, readAll]) await database.execute(sql, sql === read ? [1] : [])
    await beside.run('alter table t rename column b to name')
    for (const sql of [read, readAll]) {
      const { columns, rows } = await database.execute(sql, sql === read ? [1] : [])
      expect(columns).toEqual(['a', 'name'])
      expect(rows[0]).toEqual({ a: 1, name: 'one' })
    }
  })

  test('a table that is dropped is missing, and found again once it is there', async () => {
    const database = await withTable()
    await column(database, readAll)
    await column(database, read, [1])
    await run(database, 'drop table t')
    expect((await rejection(database.execute(readAll))).message).toMatch(/^Catalog Error/)
    expect((await rejection(database.execute(read, [1]))).message).toMatch(/^Catalog Error/)
    await run(database, 'create table t as select 5 as a')
    expect(await column(database, readAll)).toEqual([5])
    expect(await column(database, read, [1])).toEqual([5])
  })

  test('a parameter is taken for the type that its column has now', async () => {
    const database = await withTable()
    const insert = 'insert into t (a) values ($1)'
    await database.execute(insert, [3])
    expect((await rejection(database.execute(insert, ['drei']))).message).toMatch(/./)
    await run(database, 'alter table t alter column a type varchar')
    await database.execute(insert, ['drei'])
    expect(await value(database, "select count(*) from t where a = 'drei'")).toBe(1)
  })

  test('a temporary table comes to stand before another one, and goes again', async () => {
    const database = await withTable()
    const session = await database.reserve()
    expect(await column(session, readAll)).toEqual([1, 2])
    expect(await column(session, read, [1])).toEqual([1, 2])
    await run(session, 'create temp table t as select -1 as a')
    expect(await column(session, readAll)).toEqual([-1])
    expect(await column(session, read, [-1])).toEqual([-1])
    await run(session, 'drop table temp.t')
    expect(await column(session, readAll)).toEqual([1, 2])
    expect(await column(session, read, [1])).toEqual([1, 2])
    await session.release()
  })
})

describe('a change of the settings is seen at once', () => {
  test('by SET, SET VARIABLE and USE', async () => {
    const database = await withTable()
    const session = await database.reserve()
    const sql = [
      "select current_setting('TimeZone')",
      "select getvariable('mine')",
      'select current_schema()',
      "select current_setting('TimeZone') from t where a = $1",
      "select getvariable('mine') from t where a = $1",
      "select current_setting('TimeZone'), $1::integer",
      "select getvariable('mine'), $1::integer",
    ]
    await run(session, 'create schema other', 'create table other.t as select 1 as a')
    for (const [zone, mine, schema] of [
      ['UTC', 'first', 'main'],
      ['Asia/Tokyo', 'second', 'other'],
      ['Europe/Paris', 'third', 'main'],
    ] as const) {
      await run(
        session,
        `set TimeZone = '${zone}'`,
        `set variable mine = '${mine}'`,
        `use ${schema}`,
      )
      for (let again = 0; again < 2; again++) {
        const seen = []
        for (const each of sql)
          seen.push(await value(session, each, each.includes('$1') ? [1] : []))
        expect(seen).toEqual([zone, mine, schema, zone, mine, zone, mine])
      }
    }
    await session.release()
  })

  test('by SET GLOBAL, on every connection', async () => {
    const database = await withTable({ pool: { max: 3 } })
    const zones = (): Promise<unknown[]> =>
      Promise.all(
        [1, 2, 3].map(async () => {
          const rows = database.stream<{ zone: string }>(
            "select current_setting('TimeZone') as zone",
          )
          const { value: chunk } = await rows.next()
          await sleep(5)
          await rows.return!()
          return chunk?.[0]?.zone
        }),
      )
    for (const zone of ['UTC', 'Asia/Tokyo', 'Europe/Paris']) {
      await run(database, `set global TimeZone = '${zone}'`)
      expect(await zones()).toEqual([zone, zone, zone])
    }
  })
})

describe('what is not in the database is looked at each time', () => {
  test('the time', async () => {
    const database = await withTable()
    await run(
      database,
      'create view times as select localtimestamp as now',
      'create macro moment() as localtimestamp',
      'create table log (a integer, made timestamp default localtimestamp)',
    )
    const sql = [
      'select localtimestamp',
      'select localtime',
      'select now()',
      'select current_timestamp::timestamp',
      'select now from times',
      'select moment()',
      'select localtimestamp, $1::integer',
      'select moment(), $1::integer',
      'select localtimestamp from t where a = $1',
      'select moment() from t where a = $1',
      'insert into log (a) values (1) returning made',
      'insert into log (a) values ($1) returning made',
      'select random()',
      'select uuid()',
    ]
    for (const each of sql) {
      const seen = new Set<unknown>()
      for (let again = 0; again < 3; again++) {
        seen.add(String(await value(database, each, each.includes('$1') ? [1] : [])))
        await sleep(2)
      }
      expect(seen.size, each).toBe(3)
    }
  })

  test('files, their names and what is in them', async () => {
    const database = await withTable()
    const directory = join(temporaryDirectory(), 'data')
    mkdirSync(directory)
    const csv = (name: string): string => join(directory, `${name}.csv`)
    writeFileSync(csv('first'), 'a\n1\n')
    await run(
      database,
      `copy (select 1 as p) to '${directory}/first.parquet'`,
      `create view lines as from '${directory}/*.csv'`,
      `create view files as select file from glob('${directory}/*.csv')`,
    )
    const sql: [string, (count: number) => unknown][] = [
      [`select sum(a)::integer from '${directory}/*.csv'`, (n) => (n * (n + 1)) / 2],
      [
        `select sum(a)::integer from read_csv('${directory}/*.csv') where a >= $1`,
        (n) => (n * (n + 1)) / 2,
      ],
      ['select sum(a)::integer from lines', (n) => (n * (n + 1)) / 2],
      ['select sum(a)::integer from lines where a >= $1', (n) => (n * (n + 1)) / 2],
      [`select count(*)::integer from glob('${directory}/*.csv')`, (n) => n],
      [
        `select count(*)::integer from glob('${directory}/*.csv') where length(file) > $1`,
        (n) => n,
      ],
      ['select count(*)::integer from files', (n) => n],
      ['select count(*)::integer from files where length(file) > $1', (n) => n],
      [`select sum(p)::integer from '${directory}/*.parquet'`, (n) => (n * (n + 1)) / 2],
      [
        `select sum(p)::integer from read_parquet('${directory}/*.parquet') where p >= $1`,
        (n) => (n * (n + 1)) / 2,
      ],
    ]
    for (let count = 1; count <= 3; count++) {
      writeFileSync(csv(`file_${count}`), `a\n${count}\n`)
      if (count === 1) rmSync(csv('first'))
      await run(database, `copy (select ${count} as p) to '${directory}/file_${count}.parquet'`)
      if (count === 1) rmSync(join(directory, 'first.parquet'))
      for (const [each, expected] of sql) {
        const parameters = each.includes('$1') ? [1] : []
        expect(await value(database, each, parameters), each).toBe(expected(count))
        expect(await value(database, each, parameters), each).toBe(expected(count))
      }
    }
    // With other columns.
    const path = csv('shape')
    for (const [content, expected] of [
      ['x\n1\n', { x: 1 }],
      ['y,z\n2,3\n', { y: 2, z: 3 }],
      ['y\ntext\n', { y: 'text' }],
    ] as const) {
      writeFileSync(path, content)
      for (let again = 0; again < 2; again++)
        expect((await database.execute(`from '${path}'`)).rows).toEqual([expected])
    }
  })

  test('what describes a file is asked for again, and harms nothing', async () => {
    const database = await withTable()
    const directory = temporaryDirectory()
    const path = join(directory, 'x.parquet')
    for (const select of ['select 1 as a', 'select 1 as b, 2 as c', 'select 1 as d']) {
      await run(database, `copy (${select}) to '${path}'`)
      const columns = 'select name from parquet_schema($1) where name <> $2 order by all'
      const names = select.match(/\b[a-d]\b/g)
      expect(await column(database, columns, [path, 'duckdb_schema'])).toEqual(names)
      expect(
        await column(
          database,
          `select name from parquet_schema('${path}') where name <> 'duckdb_schema' order by all`,
        ),
      ).toEqual(names)
    }
    expect(await value(database, 'select 42')).toBe(42)
  })
})
