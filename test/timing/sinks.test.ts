import { setTimeout as delay } from 'node:timers/promises'
import {
  type AuditEntry,
  auditSink,
  createTiming,
  fingerprint,
  logSink,
  prettySink,
  type QueryEvent,
  type TimingOptions,
  type Workload,
  type WorkloadQuery,
} from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { drizzle as drizzleSqlite } from '@keelson/sqlite/drizzle'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as mysqlDrizzle } from 'drizzle-orm/mysql-proxy'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
import { Kysely, sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { sqliteKysely, type Tables } from '../transactions/kysely/engines.ts'

async function open(
  options: TimingOptions,
): Promise<{ db: Kysely<Tables>; timing: ReturnType<typeof createTiming> }> {
  const timing = createTiming(options)
  const db = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), timing) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text unique)`.execute(db)
  return { db, timing }
}

describe('a sink', () => {
  test('that throws, rejects or is slow costs no query anything, and is counted', async () => {
    const warnings: Error[] = []
    const warned = (warning: Error): void => void warnings.push(warning)
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    const told: string[] = []
    const { db, timing } = await open({
      sinks: [
        {
          query() {
            throw new Error('broken')
          },
        },
        { query: () => Promise.reject(new Error('rejected')) },
        { query: () => delay(100_000, undefined, { ref: false }) },
        { query: ({ sql: text }) => void told.push(text) },
      ],
    })
    const start = performance.now()
    for (let times = 0; times < 20; times++) await sql`select 1`.execute(db)
    expect(performance.now() - start).toBeLessThan(2_000)
    expect(told).toHaveLength(21)
    await delay(5)
    expect(timing.sinkFailures).toBe(42)
    expect(
      warnings.filter(({ message }) => message.includes('sink of createTiming()')),
    ).toHaveLength(1)
  })

  test('is told no values of parameters unless it is asked for', async () => {
    const params: unknown[] = []
    for (const captureParams of [false, true]) {
      const { db } = await open({
        captureParams,
        sinks: [{ query: (event) => void params.push(event.params) }],
      })
      params.length = 0
      await sql`select ${'secret'}`.execute(db)
      expect(params).toEqual([captureParams ? ['secret'] : undefined])
    }
  })

  test('that throws what is no error, or a pool that cannot be read, costs no query anything', async () => {
    const timing = createTiming({
      sinks: [
        {
          query() {
            throw Object.create(null)
          },
          pool: () => {},
        },
      ],
    })
    let isBroken = false
    const pool = {
      get totalCount(): number {
        if (isBroken) throw new Error('no pool')
        return 1
      },
      waitingCount: 0,
      idleCount: 0,
    }
    const db = new Kysely<Tables>({
      dialect: withTiming(await sqliteKysely.dialect(), timing, { pool }),
    })
    onTestFinished(() => db.destroy())
    isBroken = true
    expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
    expect(timing.sinkFailures).toBe(1)
    expect(timing.report().databases[0]!.pool).toBeUndefined()
  })

  test('can take itself away while it is told', async () => {
    const { db, timing } = await open({})
    const told: string[] = []
    const remove = timing.addSink({
      query() {
        told.push('first')
        remove()
      },
    })
    timing.addSink({ query: () => told.push('second') })
    await sql`select 1`.execute(db)
    await sql`select 1`.execute(db)
    expect(told).toEqual(['first', 'second', 'second'])
  })

  test('can be added and taken away', async () => {
    const { db, timing } = await open({})
    let told = 0
    const remove = timing.addSink({ query: () => told++ })
    await sql`select 1`.execute(db)
    remove()
    await sql`select 1`.execute(db)
    expect(told).toBe(1)
  })
})

describe('prettySink()', () => {
  test('writes a line for each query, with the place in the code, and none that moves the cursor', async () => {
    const lines: string[] = []
    const write = (line: string): void => void lines.push(line)
    const { db } = await open({ callSites: true, sinks: [prettySink({ write, color: false })] })
    lines.length = 0
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    await db.transaction().execute((trx) => trx.selectFrom('item').selectAll().execute())
    await rejection(sql`select * from "\u001b[2Jnowhere"`.execute(db))
    const [insert, select, transaction, failed] = lines
    expect(insert).toMatch(
      /^INSERT item {2}[\d.]+ [µm]s \(wait .*, execute .*\) {2}1 changed {2}test\/timing\/sinks\.test\.ts:\d+:\d+$/,
    )
    expect(select).toMatch(/^ {2}SELECT item .* 1 rows {2}test\/timing\/sinks/)
    expect(transaction).toMatch(/^transaction committed {2}.* \(idle .*\) {2}1 queries$/)
    expect(failed).toMatch(/error: .*no such table/)
    expect(failed).not.toContain('\u001b')
  })
})

describe('logSink()', () => {
  test('writes failures and signals, under the names of OpenTelemetry', async () => {
    const lines: [string, Record<string, unknown>, string][] = []
    const level = (name: string) => (fields: object, message: string) =>
      lines.push([name, fields as Record<string, unknown>, message])
    const logger = { info: level('info'), warn: level('warn'), error: level('error') }
    const { db, timing } = await open({ sinks: [logSink(logger)] })
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    const unique = await rejection(db.insertInto('item').values({ id: 1, name: 'a' }).execute())
    await rejection(sql`select nope`.execute(db))
    await timing.scope('job', async () => {
      for (let id = 0; id < 5; id++)
        await db.selectFrom('item').where('id', '=', id).selectAll().execute()
    })
    expect(lines.map(([name, , message]) => `${name}: ${message}`)).toEqual([
      'info: INSERT item failed',
      'error: SELECT failed',
      expect.stringMatching(/^warn: N\+1: SELECT item/),
    ])
    expect(lines[0]![1]).toMatchObject({
      err: unique,
      'db.system.name': 'sqlite',
      'db.query.summary': 'INSERT item',
      'db.query.text': 'insert into "item" ("id", "name") values (?, ?)',
      'error.type': 'SQLITE_CONSTRAINT_PRIMARYKEY',
    })
  })

  test('writes no value that stands in a text', async () => {
    const lines: object[] = []
    const write = (fields: object): unknown => lines.push(fields)
    const { db } = await open({ sinks: [logSink({ info: write, warn: write, error: write })] })
    await rejection(sql`select nope from item where name = 'secret@example.com'`.execute(db))
    expect(lines).toMatchObject([{ 'db.query.text': 'select nope from item where name = ?' }])
  })
})

describe('auditSink()', () => {
  test('tells of every write, on whose behalf it was, and whether it was kept', async () => {
    const entries: AuditEntry[] = []
    const { db, timing } = await open({ sinks: [auditSink((told) => entries.push(...told))] })
    entries.length = 0
    const add = (id: number, on: Kysely<Tables> = db): Promise<unknown> =>
      on
        .insertInto('item')
        .values({ id, name: String(id) })
        .execute()
    await timing.scope('PUT /item', { actor: 'ada' }, async () => {
      await add(1)
      await db.selectFrom('item').selectAll().execute()
      const trx = await db.startTransaction().execute()
      await add(2, trx)
      const inner = await trx.savepoint('inner').execute()
      await add(3, inner)
      await inner.rollbackToSavepoint('inner').execute()
      await trx.deleteFrom('item').execute()
      expect(entries).toHaveLength(1)
      await trx.commit().execute()
    })
    await rejection(
      db.transaction().execute(async (trx) => {
        await add(4, trx)
        throw new Error('no')
      }),
    )
    await rejection(add(2).then(() => add(2)))
    expect(
      entries.map(({ operation, affectedRows, isKept, actor }) => [
        operation,
        affectedRows,
        isKept,
        actor,
      ]),
    ).toEqual([
      ['INSERT', 1, true, 'ada'],
      ['INSERT', 1, true, 'ada'],
      ['INSERT', 1, false, 'ada'],
      ['DELETE', 2, true, 'ada'],
      ['INSERT', 1, false, undefined],
      ['INSERT', 1, true, undefined],
      ['INSERT', undefined, false, undefined],
    ])
    expect(entries[0]).toMatchObject({
      transaction: undefined,
      scope: 'PUT /item',
      tables: ['item'],
      database: 'sqlite',
    })
    const [, second, third, fourth] = entries
    expect(new Set([second!.transaction, third!.transaction, fourth!.transaction]).size).toBe(1)
    expect(second!.transaction).toEqual(expect.any(Number))
  })

  test('sends the query of another database that its function returns', async () => {
    const stored = sqliteTable('entry', { statement: text() })
    const log = drizzleSqlite(':memory:')
    onTestFinished(async () => void (await log.$client.close()))
    await log.run(drizzleSql`create table entry (statement text not null)`)
    const { db, timing } = await open({
      sinks: [auditSink((told) => log.insert(stored).values([...told]))],
    })
    await sql`insert into item values (1, 'a')`.execute(db)
    await expect
      .poll(() => log.select().from(stored))
      .toEqual([
        { statement: expect.stringMatching(/^create table item/) },
        { statement: expect.stringMatching(/^insert into item/) },
      ])
    await log.run(drizzleSql`drop table entry`)
    await sql`insert into item values (2, 'b')`.execute(db)
    await expect.poll(() => timing.sinkFailures).toBe(1)
  })

  test('tells of writes inside of other statements, and behind the first one', async () => {
    const statements = [
      ['with gone as (delete from t returning *) select * from gone', 'DELETE'],
      ['select 1; insert into t values (1); delete from t', 'INSERT'],
      ['explain analyze update t set a = 1', 'UPDATE'],
      ['replace into t values (1)', 'REPLACE'],
      ["select replace(a, 'b', 'c'), (replace(a, b, c)) from t for update", undefined],
      ['select * from t -- delete from t', undefined],
    ] as const
    for (const [text, operation] of statements) {
      const told: string[] = []
      const sink = auditSink((entries) => told.push(...entries.map((entry) => entry.operation)))
      sink.query!({ fp: fingerprint(text), startMs: 0, outcome: 'ok' } as QueryEvent)
      expect([text, told]).toEqual([text, operation === undefined ? [] : [operation]])
    }
  })
})

describe('values of parameters', () => {
  test('that stand in a text of MySQL are in no fingerprint', async () => {
    const timing = createTiming({ maxFingerprints: 1 })
    const told: string[] = []
    timing.addSink({ query: ({ fp }) => told.push(fp!.text) })
    const db = withDrizzleTiming(
      mysqlDrizzle(async () => ({ rows: [{}] })),
      timing,
    )
    for (const text of [
      'select \'it\\\'s\', "secret \\" word", `a` from t',
      'select "secret" from u',
    ])
      await db.execute(drizzleSql.raw(text))
    expect(told).toEqual(['select ?, ?, `a` from t', 'select ? from u'])
    expect(JSON.stringify(timing.report())).not.toMatch(/secret|word/)
  })

  test('are in no line and no report, also of errors that hold them', async () => {
    const lines: unknown[] = []
    const log = (fields: object, message: string): void => {
      const { err } = fields as { err: Error & { params?: unknown } }
      lines.push(message, err.message, err.params, err.stack)
    }
    const timing = createTiming({
      plans: { minCalls: 1 },
      sinks: [
        logSink({ info: log, warn: () => {}, error: log }),
        prettySink({ write: (line) => lines.push(line), color: false }),
      ],
    })
    const remote = withDrizzleTiming(
      drizzle(async () => {
        throw new Error('unreachable')
      }),
      timing,
    )
    const error = await rejection(remote.run(drizzleSql`select ${'secret'} from nowhere`))
    expect(error.message).toContain('secret')
    await timing.settled()
    expect(lines.join(' ')).toContain('unreachable')
    expect(lines.join(' ')).not.toContain('secret')
    const report = timing.report()
    expect(report.findings.join()).toContain('plans could not be had')
    expect(JSON.stringify(report) + String(report)).not.toContain('secret')
  })
})

describe('the report', () => {
  test('prints as a table with what is to be done above it', async () => {
    const { db, timing } = await open({ advice: () => ['create index on item (name)'] })
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    const text = timing.report().toString(160)
    expect(text).toMatch(/^→ create index on item \(name\)\nsqlite: 0 running/)
    expect(text).toContain('insert into "item" ("id", "name") values (?+)')
    expect(text).toContain('p99')
    const narrow = timing.report().toString(80).split('\n')
    expect(narrow.filter((line) => line.length > 80)).toEqual([])
    expect(narrow.join()).not.toContain('p99')
  })

  test('fits into a terminal that does not know its width, or is narrower than any table', async () => {
    const { db, timing } = await open({ advice: () => ['word '.repeat(40)] })
    await sql`select 1`.execute(db)
    const { columns } = process.stdout
    onTestFinished(() => void Object.assign(process.stdout, { columns }))
    process.stdout.columns = 0
    const report = timing.report()
    expect(String(report)).toBe(report.toString(120))
    expect(report.toString(3)).toBe(report.toString(40))
    expect(() => report.toString(Number.NaN)).toThrow(/above 0/)
  })

  test('is made all the same where the advisor fails, and survives hostile SQL', async () => {
    const { db, timing } = await open({
      advice() {
        throw new Error('no advice')
      },
    })
    await sql`select 1 as "\u001b]0;owned\u0007"`.execute(db)
    const text = String(timing.report())
    expect(text).toContain('no advice')
    expect(text).not.toContain('\u001b')
    expect(text).not.toContain('\u0007')
  })

  test('serialises as JSON, with the advice of others', async () => {
    const { db, timing } = await open({ advice: () => ['create index item_name on item (name)'] })
    await db.selectFrom('item').selectAll().execute()
    const json = JSON.parse(JSON.stringify(timing.report()))
    expect(json.queries).toHaveLength(2)
    expect(json.queries[0].histogram[0]).toEqual([expect.any(Number), 1])
    expect(json.findings).toEqual(['→ create index item_name on item (name)'])
    expect(String(timing.report())).toContain('→ create index item_name on item (name)')
  })
})

describe('the workload for an advisor of indexes', () => {
  async function work(options: TimingOptions) {
    const { db, timing } = await open(options)
    timing.reset()
    await db.insertInto('item').values({ id: 1, name: 'secret' }).execute()
    for (const name of ['secret', 'b', 'c'])
      await db.selectFrom('item').select('id').where('name', '=', name).execute()
    await sql`delete from item where name = 'secret'`.execute(db)
    return JSON.parse(JSON.stringify(timing.workload())) as Workload
  }
  const byOperation = ({ queries }: Workload, operation: string): WorkloadQuery =>
    queries.find((query) => query.operation === operation)!

  test('has each statement as it was printed, what it cost, and no value', async () => {
    const workload = await work({})
    expect(workload).toMatchObject({ v: 1, writes: { sqlite: { item: 2 } } })
    expect(JSON.stringify(workload)).not.toContain('secret')
    const select = byOperation(workload, 'SELECT')
    expect(select).toMatchObject({
      database: 'sqlite',
      system: 'sqlite',
      text: 'select "id" from "item" where "name" = ?',
      sql: 'select "id" from "item" where "name" = ?',
      isWrite: false,
      tables: ['item'],
      calls: 3,
      rows: 1,
      affectedRows: 0,
    })
    expect(select.samples).toBeUndefined()
    expect(select.totalMs).toBeGreaterThan(0)
    expect(select.executeMs).toBe(select.totalMs)
    expect(byOperation(workload, 'INSERT')).toMatchObject({
      text: 'insert into "item" ("id", "name") values (?+)',
      sql: 'insert into "item" ("id", "name") values (?, ?)',
      isWrite: true,
      affectedRows: 1,
    })
    // A value stands in its text.
    expect(byOperation(workload, 'DELETE')).toMatchObject({
      text: 'delete from item where name = ?',
      isWrite: true,
    })
    expect(byOperation(workload, 'DELETE').sql).toBeUndefined()
  })

  test('has the rows that were written, of each database by itself', async () => {
    const { db, timing } = await open({})
    const other = new Kysely<Tables>({
      dialect: withTiming(await sqliteKysely.dialect(), timing, { name: 'other' }),
    })
    onTestFinished(() => other.destroy())
    await sql`create table item (id integer primary key, name text)`.execute(other)
    const values = Array.from({ length: 500 }, (_, id) => ({ id, name: `${id}` }))
    await db.insertInto('item').values(values).execute()
    await db
      .insertInto('item')
      .values(values.map(({ id }) => ({ id: id + 500, name: `${id + 500}` })))
      .returning('id')
      .execute()
    await db.deleteFrom('item').where('id', '=', -1).execute()
    await other.insertInto('item').values({ id: 1, name: 'a' }).execute()
    expect(timing.workload().writes).toEqual({ sqlite: { item: 1_001 }, other: { item: 1 } })
  })

  test('has values of some calls where that is asked for', async () => {
    const workload = await work({ sampleParams: 2 })
    const { samples } = byOperation(workload, 'SELECT')
    expect(samples).toHaveLength(2)
    for (const { parameters } of samples!)
      expect([['secret'], ['b'], ['c']]).toContainEqual(parameters)
    expect(byOperation(workload, 'INSERT').samples).toEqual([{ parameters: [1, 'secret'] }])
    expect(byOperation(workload, 'DELETE').samples).toBeUndefined()
  })
})

test('options that are unknown or impossible are refused', () => {
  const refused = (options: object): string => {
    try {
      createTiming(options)
      return 'taken'
    } catch (error) {
      return (error as Error).message
    }
  }
  expect(refused({ slowMS: 5 })).toContain('Did you mean `slowMs`?')
  expect(refused({ slowMs: 0 })).toContain('milliseconds above 0')
  expect(refused({ slowMs: 500, criticalMs: 100 })).toContain('below slowMs')
  expect(refused({ repeats: 1 })).toContain('at least 2')
  expect(refused({ errorRate: 2 })).toContain('share')
  expect(refused({ plans: { minCall: 1 } })).toContain('minCalls')
  expect(refused({ sinks: [{ query: 1 }] })).toContain('a function')
  expect(refused({ maxFingerprints: 0 })).toContain('at least 1')
  expect(() => prettySink({ colour: true } as never)).toThrow(/Did you mean `color`/)
  expect(refused({ enabled: 'yes' })).toContain('true or false')
  expect(
    refused({
      slowMs: false,
      relativeSlow: false,
      plans: false,
      repeats: false,
      poolSaturation: false,
    }),
  ).toBe('taken')
})
