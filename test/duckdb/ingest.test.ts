import { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import {
  type BulkIngestRequest,
  type DuckDBDatabase,
  type DuckDBOptions,
  openDuckDB,
  ParameterError,
} from '@keelson/duckdb'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { runs, seed } from '../support/runs.ts'
import { temporaryFile } from '../support/temporary-directory.ts'

const insert: BulkIngestRequest['statement'] = (source) =>
  `insert into item (id, label) select id, label from ${source}`

describe.for(['table-function', 'staging'] as const)('ingest by %s', (ingest) => {
  async function open(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
    const database = await openDuckDB({ path: ':memory:', ingest, ...options })
    onTestFinished(async () => void (await database.close()))
    await database.execute(
      "create table item (id integer primary key, label varchar, origin varchar default 'here')",
    )
    return database
  }

  const columns = ['id', 'label']

  async function items(database: DuckDBDatabase): Promise<unknown[]> {
    const { rows } = await database.execute('select id, label from item order by rowid', [], {
      rows: 'arrays',
    })
    return rows
  }

  test('takes in rows in their order, counts them, and says how', async () => {
    const database = await open()
    const rows = Array.from({ length: 5_000 }, (_, n) => [(n * 7_919) % 5_000, `item ${n}`])
    const result = await database.ingest({ table: 'item', columns, rows, statement: insert })
    expect(result).toEqual({ rows: [], changes: 5_000, method: ingest })
    expect(await items(database)).toEqual(rows)
    const { rows: origins } = await database.execute('select distinct origin from item')
    expect(origins).toEqual([{ origin: 'here' }])
  })

  test('takes values by column as it takes rows, and leaves the arrays as they are', async () => {
    const database = await open()
    const values = [
      [3, 1n, 2],
      ['a', null, 'c'],
    ]
    const result = await database.ingest({ table: 'item', columns, values, statement: insert })
    expect(result).toEqual({ rows: [], changes: 3, method: ingest })
    expect(await items(database)).toEqual([
      [3, 'a'],
      [1, null],
      [2, 'c'],
    ])
    expect(values[0]).toEqual([3, 1n, 2])
    const bad = {
      table: 'item',
      columns,
      values: [
        [4, 5],
        ['d', 6],
      ],
      statement: insert,
    }
    expect(await rejection(database.ingest({ ...bad, values: [[4], [{}]] }))).toMatchObject({
      code: 'PARAMETER_TYPE',
      index: 0,
      column: 'label',
    })
    for (const wrong of [{ rows: [[4, 'd']] }, { values: [[4, 5], ['d']] }, { values: [[4]] }])
      expect(await rejection(database.ingest({ ...bad, ...wrong }))).toMatchObject({
        code: 'INVALID_OPTION',
      })
    expect(await items(database)).toHaveLength(3)
  })

  test('takes in nothing, one row, and the last rows of a vector', async () => {
    const database = await open()
    for (const count of [0, 1, 2_047, 2_048, 2_049]) {
      await database.execute('delete from item')
      const rows = Array.from({ length: count }, (_, n) => [n, null])
      const { changes } = await database.ingest({ table: 'item', columns, rows, statement: insert })
      expect(changes).toBe(count)
      expect(await items(database)).toEqual(rows)
    }
  })

  test('keeps nothing when one row breaks a constraint, and passes on the error of the engine', async () => {
    const database = await open()
    const rows = [...Array.from({ length: 300_000 }, (_, n) => [n, 'x']), [7, 'again']]
    const failure = await rejection(
      database.ingest({ table: 'item', columns, rows, statement: insert }),
    )
    expect(failure).toMatchObject({ message: expect.stringMatching(/^Constraint Error: .*"7"/) })
    expect(await items(database)).toEqual([])
  })

  test('refuses a value that its column cannot hold, names row and column, and sends nothing', async () => {
    const database = await open()
    const rows: unknown[][] = [
      [1, 'a'],
      [2.5, 'b'],
    ]
    await database.transaction(async (session) => {
      const failure = await rejection(
        session.ingest({ table: 'item', columns, rows, statement: insert }),
      )
      expect(failure).toBeInstanceOf(ParameterError)
      expect(failure).toMatchObject({ code: 'PARAMETER_TYPE', index: 1, column: 'id' })
      await session.execute("insert into item (id, label) values (3, 'the transaction goes on')")
    })
    expect(await items(database)).toEqual([[3, 'the transaction goes on']])
  })

  test.for([
    { what: 'a row that is too short', rows: [[1, 'a'], [2]], message: 'Row 1 is 1 values' },
    { what: 'a row that is an object', rows: [{ id: 1 }], message: 'Row 0 is an object' },
    { what: 'a row that is missing', rows: [[1, 'a'], undefined], message: 'Row 1 is undefined' },
  ])('refuses $what', async ({ rows, message }) => {
    const database = await open()
    const request = { table: 'item', columns, rows: rows as unknown[][], statement: insert }
    const failure = await rejection(database.ingest(request))
    expect(failure).toMatchObject({
      code: 'PARAMETER_COUNT',
      message: expect.stringContaining(message),
    })
    expect(await items(database)).toEqual([])
  })

  test.for([
    { option: 'rowz', request: { rowz: [] } },
    { option: 'columns', request: { columns: [] } },
    { option: 'rows', request: { rows: 'x' } },
    { option: 'statement', request: { statement: 'insert' } },
  ])('refuses a wrong $option', async ({ option, request }) => {
    const database = await open()
    const wrong = { table: 'item', columns, rows: [], statement: insert, ...request } as never
    expect(await rejection(database.ingest(wrong))).toMatchObject({ name: 'OptionError', option })
  })

  test('refuses a table and a column that are not there, with the error of the engine', async () => {
    const database = await open()
    const request = { columns, rows: [[1, 'a']], statement: insert }
    const table = await rejection(database.ingest({ ...request, table: 'nowhere' }))
    expect(table).toMatchObject({ message: expect.stringMatching(/nowhere does not exist/) })
    const column = await rejection(
      database.ingest({ ...request, table: 'item', columns: ['id', 'missing'] }),
    )
    expect(column).toMatchObject({ message: expect.stringMatching(/"missing" not found/) })
  })

  test('runs whatever the statement makes of the rows: conflicts, RETURNING, MERGE, an ordinal', async () => {
    const database = await open()
    await database.execute("insert into item (id, label) values (1, 'old')")
    const rows = [
      [1, 'new'],
      [2, 'first'],
      [2, 'last'],
    ]
    const request = { table: 'item', columns, rows }

    // T10: of two rows with one key DuckDB would keep the first and say nothing.
    const upserted = await database.ingest({
      ...request,
      ordinal: 'position',
      statement: (source) => `insert into item (id, label)
        select id, label from ${source} qualify row_number() over (partition by id order by position desc) = 1
        on conflict (id) do update set label = excluded.label returning id, label`,
    })
    expect(upserted.rows.toSorted((a, b) => Number(a['id']) - Number(b['id']))).toEqual([
      { id: 1, label: 'new' },
      { id: 2, label: 'last' },
    ])
    expect(upserted.changes).toBe(2)

    const skipped = await database.ingest({
      ...request,
      rows: [
        [2, 'x'],
        [3, 'y'],
      ],
      statement: (source) => `${insert(source)} on conflict do nothing`,
    })
    expect(skipped.changes).toBe(1)

    const merged = await database.ingest({
      ...request,
      rows: [
        [3, 'merged'],
        [4, 'added'],
      ],
      statement: (source) => `merge into item using ${source} as source on item.id = source.id
        when matched then update set label = source.label
        when not matched then insert (id, label) values (source.id, source.label)
        returning merge_action`,
    })
    expect(new Set(merged.rows.map((row) => row['merge_action']))).toEqual(
      new Set(['INSERT', 'UPDATE']),
    )
    expect(merged.changes).toBe(2)
  })

  test('runs no statement that is about transactions, the connection or the schema', async () => {
    const database = await open()
    const ingestBy = (session: Pick<DuckDBDatabase, 'ingest'>, sql: string) =>
      session.ingest({ table: 'item', columns: ['id'], rows: [[2]], statement: () => sql })
    const undone = new Error('undone')
    const failure = await rejection(
      database.transaction(async (session) => {
        await session.execute('insert into item (id) values (1)')
        expect(await rejection(ingestBy(session, 'commit'))).toMatchObject({
          code: 'TRANSACTION_CONTROL',
        })
        throw undone
      }),
    )
    expect(failure).toBe(undone)
    expect(await items(database)).toEqual([])
    expect(await rejection(ingestBy(database, 'begin'))).toMatchObject({
      code: 'TRANSACTION_CONTROL',
    })
    for (const sql of ['set threads = 1', 'drop table item', 'create table other as select 1 as a'])
      expect(await rejection(ingestBy(database, sql))).toMatchObject({
        code: 'INVALID_OPTION',
        option: 'statement',
      })
    await database.transaction(async (session) => {
      await session.execute('insert into item (id) values (3)')
    })
    expect(await items(database)).toEqual([[3, null]])
  })

  test('belongs to the transaction around it', async () => {
    const database = await open()
    const rows = [
      [1, 'a'],
      [2, 'b'],
    ]
    const undone = database.transaction(async (session) => {
      await session.ingest({ table: 'item', columns, rows, statement: insert })
      const { rows: seen } = await session.execute('select count(*) as n from item')
      expect(seen).toEqual([{ n: 2 }])
      throw new Error('mine')
    })
    expect(await rejection(undone)).toMatchObject({ message: 'mine' })
    expect(await items(database)).toEqual([])
    await database.transaction((session) =>
      session.ingest({ table: 'item', columns, rows, statement: insert }),
    )
    expect(await items(database)).toEqual(rows)
  })

  test('fails the transaction around it, as every statement does (T7)', async () => {
    const database = await open()
    const failed = database.transaction(async (session) => {
      const request = { table: 'item', columns, statement: insert }
      await session.ingest({ ...request, rows: [[1, 'kept?']] })
      await rejection(
        session.ingest({
          ...request,
          rows: [
            [2, 'a'],
            [2, 'b'],
          ],
        }),
      )
    })
    expect(await rejection(failed)).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    expect(await items(database)).toEqual([])
    await database.ingest({ table: 'item', columns, rows: [[3, 'after']], statement: insert })
    expect(await items(database)).toEqual([[3, 'after']])
  })

  test('stops when its signal is aborted, keeps nothing, and leaves the database usable', async () => {
    const database = await open()
    const rows = Array.from({ length: 400_000 }, (_, n) => [n, `item ${n}`])
    const controller = new AbortController()
    const reason = new Error('enough')
    const ingesting = database.ingest({
      table: 'item',
      columns,
      rows,
      statement: insert,
      signal: controller.signal,
    })
    setTimeout(() => controller.abort(reason), 30)
    expect(await rejection(ingesting)).toBe(reason)
    expect(await items(database)).toEqual([])
  })

  test('runs at once on many connections, each with its own rows', async () => {
    const database = await open()
    const changes = await Promise.all(
      Array.from({ length: 24 }, async (_, batch) => {
        const rows = Array.from({ length: 3_000 }, (__, n) => [batch * 3_000 + n, `${batch}`])
        return (await database.ingest({ table: 'item', columns, rows, statement: insert })).changes
      }),
    )
    expect(changes).toEqual(Array.from({ length: 24 }, () => 3_000))
    const { rows } = await database.execute('select label, count(*) as n from item group by label')
    expect(rows.map((row) => row['n'])).toEqual(Array.from({ length: 24 }, () => 3_000))
  })

  test('writes what a bound parameter would write, for every kind of value', async () => {
    const database = await open()
    await database.execute(`create table kinds (
      id integer, big bigint, huge hugeint, ratio double, price decimal(18, 4), label varchar, flag boolean, day date,
      moment timestamp, instant timestamptz, clock time, bytes blob, uid uuid, list integer[], item struct(a integer, b varchar),
      dict map(varchar, integer), doc json)`)
    const row = [
      1,
      2n ** 62n,
      2n ** 100n,
      0.1,
      '12345678901234.5678',
      'ä\n',
      true,
      '2026-11-21',
      '2026-11-21 08:15:00.123456',
      new Date('2026-11-21T08:15:00.123Z'),
      '08:15:00.5',
      Buffer.from([0, 255]),
      '550e8400-e29b-41d4-a716-446655440000',
      [1, null, 3],
      { a: 1, b: 'x' },
      new Map([['k', 1]]),
      { n: [1, 'two'] },
    ]
    const names = [
      'id',
      'big',
      'huge',
      'ratio',
      'price',
      'label',
      'flag',
      'day',
      'moment',
      'instant',
      'clock',
      'bytes',
      'uid',
      'list',
      'item',
      'dict',
      'doc',
    ]
    const nulls = names.map(() => null)
    await database.execute(
      `insert into kinds values (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
      row,
    )
    await database.ingest({
      table: 'kinds',
      columns: names,
      rows: [row, nulls],
      statement: (source) => `insert into kinds select * from ${source}`,
    })
    const { rows } = await database.execute('select * from kinds', [], {
      rows: 'arrays',
      values: { int64: 'bigint' },
    })
    expect(rows[1]).toEqual(rows[0])
    expect(rows[2]).toEqual(nulls)
  })

  test('keeps random rows, texts and nulls exactly', async () => {
    const database = await open()
    const cells = fc.tuple(fc.maxSafeInteger(), fc.option(fc.string({ unit: 'binary' })))
    await database.execute('create table any_row (id bigint, label varchar)')
    await fc.assert(
      fc.asyncProperty(fc.array(cells, { maxLength: 40 }), async (rows) => {
        await database.execute('delete from any_row')
        const statement = (source: string): string => `insert into any_row select * from ${source}`
        const { changes } = await database.ingest({ table: 'any_row', columns, rows, statement })
        expect(changes).toBe(rows.length)
        const found = await database.execute('select * from any_row order by rowid', [], {
          rows: 'arrays',
        })
        expect(found.rows).toEqual(rows)
      }),
      { seed, numRuns: runs(60, 3_000) },
    )
  })
})

test('each of several instance objects of one database takes in its own rows', async () => {
  const path = temporaryFile('shared.duckdb')
  const databases = await Promise.all(
    [0, 1, 2].map(async () => openDuckDB({ instance: await DuckDBInstance.fromCache(path) })),
  )
  onTestFinished(async () => void (await Promise.all(databases.map((each) => each.close()))))
  const [database] = databases
  await database!.execute('create table item (id integer, label varchar)')
  const reports = await Promise.all(
    databases.map((each, index) =>
      each.ingest({
        table: 'item',
        columns: ['id', 'label'],
        rows: Array.from({ length: 5_000 }, (_, id) => [id, `of ${index}`]),
        statement: insert,
      }),
    ),
  )
  expect(reports.map(({ changes }) => changes)).toEqual([5_000, 5_000, 5_000])
  const { rows } = await database!.execute(
    'select label, count(distinct id) from item group by label order by label',
    [],
    { rows: 'arrays' },
  )
  expect(rows).toEqual([0, 1, 2].map((index) => [`of ${index}`, 5_000]))
})

test('under a client without table functions rows go through staging, unless that is ruled out', async () => {
  const { prototype } = DuckDBConnection
  const method = Object.getOwnPropertyDescriptor(prototype, 'registerTableFunction')!
  Reflect.deleteProperty(prototype, 'registerTableFunction')
  onTestFinished(() => void Object.defineProperty(prototype, 'registerTableFunction', method))
  const ingestWith = async (options: DuckDBOptions) => {
    const database = await openDuckDB({ path: ':memory:', ...options })
    onTestFinished(async () => void (await database.close()))
    await database.execute('create table item (id integer, label varchar)')
    return database.ingest({
      table: 'item',
      columns: ['id', 'label'],
      rows: [[1, 'a']],
      statement: insert,
    })
  }
  expect(await ingestWith({})).toMatchObject({ changes: 1, method: 'staging' })
  expect(await rejection(ingestWith({ ingest: 'table-function' }))).toMatchObject({
    code: 'INVALID_OPTION',
    option: 'ingest',
    message: expect.stringContaining('1.5.5-r.4'),
  })
})

test('T7: what breaks a constraint late keeps nothing, and the appender of the bare client keeps most', async () => {
  const rows = [...Array.from({ length: 300_000 }, (_, n) => n), 0]
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run('create table item (id integer primary key)')
  const appender = await connection.createAppender('item')
  const failure = await rejection(() => {
    for (const id of rows) {
      appender.appendInteger(id)
      appender.endRow()
    }
    appender.closeSync()
  })
  expect(failure.message).toMatch(/[Dd]uplicate key/)
  appender.clear()

  const database = await openDuckDB({ instance })
  const { rows: kept } = await database.execute('select count(*) as n from item')
  expect(kept).toEqual([{ n: 204_800 }])
  await database.execute('delete from item')
  const ingesting = database.ingest({
    table: 'item',
    columns: ['id'],
    rows: rows.map((id) => [id]),
    statement: (source) => `insert into item select * from ${source}`,
  })
  expect((await rejection(ingesting)).message).toMatch(/duplicate key/)
  expect((await database.execute('select count(*) as n from item')).rows).toEqual([{ n: 0 }])
  await database.close()
  connection.closeSync()
  instance.closeSync()
})

test('T10: of several rows with one key the last counts when it is to, and DuckDB by itself takes the first', async () => {
  const database = await openDuckDB(':memory:')
  onTestFinished(async () => void (await database.close()))
  await database.execute('create table item (id integer primary key, label varchar)')
  const upsert = 'on conflict (id) do update set label = excluded.label'
  await database.execute(`insert into item values (1, 'first'), (1, 'last') ${upsert}`)
  expect((await database.execute('select label from item')).rows).toEqual([{ label: 'first' }])

  await database.ingest({
    table: 'item',
    columns: ['id', 'label'],
    rows: ['first', 'last'].map((label) => [1, label]),
    ordinal: 'position',
    statement: (source) => `insert into item select id, label from ${source}
      qualify row_number() over (partition by id order by position desc) = 1 ${upsert}`,
  })
  expect((await database.execute('select label from item')).rows).toEqual([{ label: 'last' }])
})
