import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBDatabase } from '@keelson/duckdb'
import { describe, expect, test } from 'vitest'
import { watchingLoop } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { column, open, run, value } from './fixture.ts'

const memory = (): Promise<DuckDBDatabase> => open({ path: ':memory:' })

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('rows', () => {
  test('are objects, or arrays, with the columns in order', async () => {
    const database = await memory()
    const sql = "select 1 as b, 'x' as a, null as c"
    expect(await database.execute(sql)).toEqual({
      rows: [{ b: 1, a: 'x', c: null }],
      columns: ['b', 'a', 'c'],
      changes: undefined,
    })
    expect(await database.execute(sql, [], { rows: 'arrays' })).toEqual({
      rows: [[1, 'x', null]],
      columns: ['b', 'a', 'c'],
      changes: undefined,
    })
  })

  test('lose no column to another one of the same name', async () => {
    const database = await memory()
    const { rows, columns } = await database.execute(
      'select 1 as a, 2 as a, 3 as "a:1", 4 as a, 5 as A',
    )
    expect(columns).toEqual(['a', 'a:2', 'a:1', 'a:3', 'A'])
    expect(rows).toEqual([{ a: 1, 'a:2': 2, 'a:1': 3, 'a:3': 4, A: 5 }])
  })

  test('may have columns of any name', async () => {
    const database = await memory()
    for (const name of ['__proto__', 'constructor', 'toString', '0', '', 'ä 🦆', '"']) {
      const quoted = `"${name.replaceAll('"', '""')}"`
      // An empty name is none to DuckDB.
      if (name === '') continue
      const { rows } = await database.execute(`select 7 as ${quoted}, 8 as other`)
      expect(Object.entries(rows[0]!)).toEqual([
        [name, 7],
        ['other', 8],
      ])
      for await (const [row] of database.stream(`select 7 as ${quoted}, 8 as other`))
        expect(Object.keys(row!)).toEqual([name, 'other'])
    }
  })

  test('there are none of: a read names its columns, anything else has none', async () => {
    const database = await memory()
    await run(database, 'create table t (a integer, b integer)')
    expect(await database.execute('from t')).toEqual({
      rows: [],
      columns: ['a', 'b'],
      changes: undefined,
    })
    expect(await database.execute('insert into t values (1, 2)')).toEqual({
      rows: [],
      columns: [],
      changes: 1,
    })
    expect(await database.execute('drop table t')).toEqual({
      rows: [],
      columns: [],
      changes: undefined,
    })
  })

  test('of a million leave the event loop its turns', async () => {
    const database = await memory()
    const sql = "select range as a, 'row ' || range as b from range(1000000)"
    for (const rows of ['objects', 'arrays'] as const) {
      const { result, longestGapMs, workedMs, turns } = await watchingLoop(() =>
        database.execute(sql, [], { rows: rows as 'objects' }),
      )
      expect(result.rows).toHaveLength(1_000_000)
      expect(turns).toBeGreaterThan(20)
      expect(longestGapMs).toBeLessThan(workedMs / 3)
    }
  })

  test('of 300 columns leave the event loop its turns', async () => {
    const database = await memory()
    const columns = upTo(300).map((each) => `range + ${each} as c${each}`)
    const { result, longestGapMs, workedMs } = await watchingLoop(() =>
      database.execute(`select ${columns.join(', ')} from range(20000)`),
    )
    expect(result.rows).toHaveLength(20_000)
    expect(Object.keys(result.rows[19_999]!)).toHaveLength(300)
    expect(result.rows[19_999]).toMatchObject({ c1: 20_000, c300: 20_299 })
    expect(longestGapMs).toBeLessThan(workedMs / 3)
  })

  test('are those of one chunk, of many, and of none in between', async () => {
    const database = await memory()
    for (const count of [1, 2_047, 2_048, 2_049, 4_096, 4_097, 100_000]) {
      const sql = `select range::integer + 1 as a, -range::integer as b from range(${count})`
      const { rows } = await database.execute(sql)
      expect(rows).toHaveLength(count)
      expect(rows.every(({ a, b }, index) => a === index + 1 && Object.is(b, 0 - index))).toBe(true)
    }
  })
})

describe('an abort', () => {
  test('while rows are converted throws the reason', async () => {
    const database = await memory()
    const sql = "select range as a, 'row ' || range as b from range(3000000)"
    const controller = new AbortController()
    const reason = new Error('enough')
    const reading = rejection(database.execute(sql, [], { signal: controller.signal }))
    // The connection is free as soon as DuckDB is done.
    await expect.poll(() => database.poolStats.inUse, { interval: 1 }).toBe(1)
    await expect.poll(() => database.poolStats.inUse, { interval: 1, timeout: 20_000 }).toBe(0)
    controller.abort(reason)
    expect(await reading).toBe(reason)
  })

  test('while the rows of a write are converted does not hide that it was done', async () => {
    const database = await memory()
    await run(database, 'create table t (a integer, b varchar)')
    const sql = "insert into t select range, 'row ' || range from range(1000000) returning *"
    const controller = new AbortController()
    const writing = database.execute(sql, [], { signal: controller.signal })
    await expect.poll(() => database.poolStats.inUse, { interval: 1 }).toBe(1)
    await expect.poll(() => database.poolStats.inUse, { interval: 1, timeout: 20_000 }).toBe(0)
    controller.abort(new Error('too late'))
    const { rows, changes } = await writing
    expect(rows).toHaveLength(1_000_000)
    expect(changes).toBe(1_000_000)
    expect(await value(database, 'select count(*) from t')).toBe(1_000_000)
  })
})

describe('statements of every kind', () => {
  const reads: [string, readonly unknown[]][] = [
    ['select 1', [1]],
    ['values (1), (2)', [1, 2]],
    ['from t', [1, 2]],
    ['table t', [1, 2]],
    ['with x as (select 5 as a) select * from x', [5]],
    ['describe t', ['a']],
    ['show tables', ['t']],
    ['show databases', ['memory']],
    ['describe select 1 as x', ['x']],
    ["pragma table_info('t')", [0]],
    ['pragma show_tables', ['t']],
    ['explain select 1', ['physical_plan']],
    ['explain analyze select 1', ['analyzed_plan']],
    ['call pragma_version()', [expect.stringMatching(/^v\d/)]],
    ['pivot t on a using count(*)', [1]],
    ["pivot (select * from t where 'x;y' <> ';') on a using count(*); -- ;", [1]],
    ['/* ; */ pivot (select *, $$;$$ as b from t) on a using count(*) group by b;', [';']],
    ['unpivot (select 1 as x, 2 as y) on x, y', ['x', 'y']],
    ['select 1;', [1]],
    ['; select 1 ; ;', [1]],
    ['-- begin\nselect 1 /* end */', [1]],
    ['select $1::integer + $1::integer', [6]],
    ['select ?::integer', [3]],
  ]

  test.for(reads)('`%s` runs, in autocommit and in a transaction', async ([sql, expected]) => {
    const database = await memory()
    await run(database, 'create table t as select unnest([1, 2])::integer as a')
    const parameters = /\$1|\?/.test(sql) ? [3] : []
    for (let again = 0; again < 3; again++)
      expect(await column(database, sql, parameters)).toEqual(expected)
    await database.transaction(async (tx) => {
      for (let again = 0; again < 2; again++)
        expect(await column(tx, sql, parameters)).toEqual(expected)
      await run(tx, 'insert into t values (3)')
    })
    expect(await value(database, 'select count(*) from t')).toBe(3)
    expect(database.poolStats).toMatchObject({ inUse: 0 })
  })

  const commands = [
    'checkpoint',
    'force checkpoint',
    'pragma force_checkpoint',
    'vacuum',
    'analyze',
    'set threads = 2',
    'set global threads = 1',
    'reset threads',
    'pragma threads = 2',
    "set global TimeZone = 'UTC'",
    'create view v as from t',
    'create or replace macro twice(x) as 2 * x',
    'create sequence s',
    "create type mood as enum ('good')",
    'create schema other',
    'create index i on t (a)',
    'create temporary secret mine (type http)',
    "comment on table t is 'mine'",
    'alter table t add column b integer',
    "attach ':memory:' as beside",
    'create table temp_of_mine as select temp.a as x from t as temp',
    'detach beside',
  ]

  test('commands run, again and again, and concern every connection', async () => {
    const database = await memory()
    await run(database, 'create table t (a integer)')
    for (const sql of commands) {
      const { rows } = await database.execute(sql)
      expect(rows.length, sql).toBeLessThan(2)
      const again = /^(create (?!or)|attach|detach|alter)/.test(sql)
      if (!again) await database.execute(sql)
    }
    expect(await value(database, 'select twice(21)')).toBe(42)
    expect(await value(database, "select current_setting('TimeZone')")).toBe('UTC')
    expect(database.poolStats).toMatchObject({ size: 1, closedBroken: 0 })
  })

  test('files are written and read', async () => {
    const database = await memory()
    const directory = temporaryDirectory()
    const csv = join(directory, 't.csv')
    const parquet = join(directory, 't.parquet')
    await run(database, 'create table t as select range::integer as a from range(3)')
    expect((await database.execute(`copy t to '${csv}'`)).changes).toBe(3)
    expect(
      (await database.execute(`copy (from t where a > $1) to '${parquet}'`, [0])).changes,
    ).toBe(2)
    expect(readFileSync(csv, 'utf8')).toBe('a\n0\n1\n2\n')
    expect((await database.execute(`copy t from '${csv}'`)).changes).toBe(3)
    expect(await column(database, `from '${parquet}'`)).toEqual([1, 2])
    expect(await value(database, 'select count(*) from t')).toBe(6)
  })

  test('a database is exported and imported, attached and copied', async () => {
    const database = await memory()
    const directory = temporaryDirectory()
    const exported = join(directory, 'exported')
    const file = join(directory, 'other.duckdb')
    await run(
      database,
      'create table t as select range::integer as a from range(3)',
      `export database '${exported}'`,
      'drop table t',
    )
    expect(existsSync(join(exported, 'schema.sql'))).toBe(true)
    await run(database, `import database '${exported}'`)
    expect(await column(database, 'from t')).toEqual([0, 1, 2])
    await run(database, `attach '${file}' as other`, 'copy from database memory to other')
    expect(await column(database, 'select a from other.t')).toEqual([0, 1, 2])
    await run(database, 'insert into other.t values (3)', 'detach other')
    expect((await rejection(database.execute('from other.t'))).message).toMatch(/^Catalog Error/)
    await run(database, `attach '${file}' as again (read_only)`)
    expect(await value(database, 'select max(a) from again.t')).toBe(3)
    expect((await rejection(database.execute('insert into again.t values (4)'))).message).toMatch(
      /read-only/,
    )
  })

  test('what DuckDB makes several statements of leaves nothing behind for others', async () => {
    const database = await open({ path: ':memory:', pool: { max: 1 } })
    await run(
      database,
      "create table t as select * from (values (1, 'x'), (2, 'y'), (3, 'x')) v(a, b)",
    )
    const types = "select count(*) from duckdb_types() where type_name like '%pivot%'"
    for (let again = 0; again < 3; again++) {
      expect((await database.execute('pivot t on b using sum(a)')).rows).toEqual([{ x: 4, y: 2 }])
      expect(await value(database, types)).toBe(0)
    }
    await run(database, "insert into t values (4, 'z')")
    expect((await database.execute('pivot t on b using sum(a)')).columns).toEqual(['x', 'y', 'z'])
  })

  test('explain analyze of a write writes', async () => {
    const database = await memory()
    await run(database, 'create table t (a integer)')
    const controller = new AbortController()
    await database.execute('explain analyze insert into t values (1)', [], {
      signal: controller.signal,
    })
    for await (const _ of database.stream('explain analyze insert into t values (2)')) break
    expect(await column(database, 'from t')).toEqual([1, 2])
  })
})

describe('a statement that nobody waits for', () => {
  test('and that fails is reported by Node, as any promise is', async () => {
    const database = await memory()
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    const reported: string[] = []
    const report = (reason: unknown): void => void reported.push((reason as Error).message)
    process.on('unhandledRejection', report)
    try {
      void database.execute('select * from missing_1')
      void database.stream('select * from missing_2').next()
      const session = await database.reserve()
      void session.execute('select * from missing_3')
      await session.release()
      void session.begin()
      await expect.poll(() => reported.length).toBe(4)
    } finally {
      process.off('unhandledRejection', report)
      for (const listener of listeners) process.on('unhandledRejection', listener)
    }
    expect(reported.toSorted()).toEqual([
      expect.stringContaining('missing_1'),
      expect.stringContaining('missing_2'),
      expect.stringContaining('missing_3'),
      expect.stringContaining('has ended'),
    ])
  })
})
