import { createTiming, type HealthReport, type HealthStatus, type Signal } from '@keelson/timing'
import { health as drizzleHealth, withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { health, withTiming } from '@keelson/timing/kysely'
import { failOnScan } from '@keelson/timing/testing'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { Kysely, PostgresDialect, SqliteDialect as KyselySqliteDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { duckdb } from '../transactions/kysely/engines.ts'

const statusOf = (report: HealthReport, name: string): HealthStatus | undefined =>
  report.checks.find((check) => check.name === name)?.status

test('of SQLite tells its file, its log, its settings and the last minute', async () => {
  const timing = createTiming()
  const path = temporaryFile()
  const db = new Kysely<unknown>({ dialect: withTiming(new SqliteDialect({ path }), timing) })
  onTestFinished(() => db.destroy())
  await sql`create table item (name text)`.execute(db)
  const report = await health(db)
  expect(report).toMatchObject({
    status: 'pass',
    live: true,
    ready: true,
    system: 'sqlite',
    window: { calls: 1 },
  })
  expect(report.checks.map(({ name }) => name)).toEqual([
    'answers',
    'errors',
    'oldest transaction',
    'database size',
    'freelist',
    'journal mode',
    'foreign keys',
    'wal size',
  ])
  const wal = report.checks.find(({ name }) => name === 'wal size')
  expect(wal!.value).toBeGreaterThan(0)
  // Its own statements are nobody's queries.
  expect(timing.report().totals.calls).toBe(1)
})

test('of SQLite warns of sizes and settings, raises signals, and stays ready', async () => {
  const signals: Signal[] = []
  const timing = createTiming({ sinks: [{ signal: (signal) => signals.push(signal) }] })
  const client = new Database(temporaryFile())
  const db = new Kysely<unknown>({
    dialect: withTiming(new KyselySqliteDialect({ database: client }), timing),
  })
  onTestFinished(() => db.destroy())
  client.pragma('foreign_keys = off')
  await sql`create table item (name text)`.execute(db)
  const report = await health(db, { databaseBytes: { warn: 1, critical: 2 }, deep: true })
  expect(report).toMatchObject({ status: 'warn', ready: true })
  expect(statusOf(report, 'database size')).toBe('warn')
  expect(statusOf(report, 'journal mode')).toBe('warn')
  expect(statusOf(report, 'foreign keys')).toBe('warn')
  expect(statusOf(report, 'quick check')).toBe('pass')
  expect(statusOf(report, 'foreign key check')).toBe('pass')
  expect(signals).toMatchObject([{ type: 'db_size' }])
})

test('of DuckDB tells its file and memory', async () => {
  const db = new Kysely<unknown>({ dialect: withTiming(await duckdb.dialect(), createTiming()) })
  onTestFinished(() => db.destroy())
  await sql`create table item (name varchar)`.execute(db)
  const report = await health(db)
  expect(report.status).toBe('pass')
  expect(report.checks.map(({ name }) => name)).toEqual([
    'answers',
    'errors',
    'oldest transaction',
    'database size',
    'wal size',
    'memory',
  ])
})

test('a pool that is used up fails the probe, also while the server answers others', async () => {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase(), max: 1 })
  const db = new Kysely<unknown>({
    dialect: withTiming(new PostgresDialect({ pool }), createTiming(), { pool }),
  })
  onTestFinished(() => db.destroy())
  expect(await health(db)).toMatchObject({ status: 'pass', pool: { max: 1 } })
  await db.connection().execute(async (held) => {
    await sql`select 1`.execute(held)
    const report = await health(db, { timeoutMs: 50, maxAgeMs: 0 })
    expect(report).toMatchObject({ status: 'fail', live: true, ready: false })
    expect(report.checks[0]!.message).toContain('within 50 ms')
    expect(statusOf(report, 'pool')).toBe('warn')
  })
  expect((await health(db, { maxAgeMs: 0 })).ready).toBe(true)
})

test('an open transaction that is old is a warning', async () => {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase() })
  const db = new Kysely<unknown>({
    dialect: withTiming(new PostgresDialect({ pool }), createTiming()),
  })
  onTestFinished(() => db.destroy())
  await db.transaction().execute(async (trx) => {
    await sql`select pg_sleep(0.02)`.execute(trx)
    const report = await health(db, { transactionMs: 10 })
    expect(report.oldestTransactionMs).toBeGreaterThan(19)
    expect(statusOf(report, 'oldest transaction')).toBe('warn')
  })
})

test('answers of a moment ago are given again, and probes do not pile up', async () => {
  const db = new Kysely<unknown>({
    dialect: withTiming(new SqliteDialect({ path: ':memory:' }), createTiming()),
  })
  onTestFinished(() => db.destroy())
  const [one, other] = await Promise.all([health(db), health(db)])
  expect(other).toBe(one)
  expect(await health(db)).toBe(one)
  expect(await health(db, { maxAgeMs: 0 })).not.toBe(one)
})

test('sizes beyond the critical one are told as critical', async () => {
  const signals: Signal[] = []
  const timing = createTiming({ sinks: [{ signal: (signal) => signals.push(signal) }] })
  const db = new Kysely<unknown>({
    dialect: withTiming(new SqliteDialect({ path: temporaryFile() }), timing),
  })
  onTestFinished(() => db.destroy())
  await sql`create table item (name text)`.execute(db)
  await health(db, { databaseBytes: { warn: 1, critical: 1e9 } })
  await health(db, { databaseBytes: { warn: 1, critical: 2 } })
  expect(signals.map(({ level }) => level)).toEqual(['warn', 'critical'])
})

test('probes do not pile up behind a connection that is held', async () => {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase(), max: 1 })
  const db = new Kysely<unknown>({
    dialect: withTiming(new PostgresDialect({ pool }), createTiming()),
  })
  onTestFinished(() => db.destroy())
  await sql`select 1`.execute(db)
  await db.connection().execute(async (held) => {
    await sql`select 1`.execute(held)
    for (let times = 0; times < 5; times++) await health(db, { timeoutMs: 10, maxAgeMs: 0 })
    expect(pool.waitingCount).toBe(1)
  })
})

test('what fails beside the probe fails, with the words of the engine', async () => {
  const client = new Database(':memory:')
  const db = withDrizzleTiming(drizzle(client), createTiming())
  const prepare = client.prepare.bind(client)
  client.prepare = ((text: string) => {
    if (text === 'pragma page_count') throw new Error('no pages')
    return prepare(text)
  }) as never
  const report = await drizzleHealth(db)
  expect(report).toMatchObject({ status: 'fail', ready: false })
  expect(report.checks.at(-1)).toEqual({ name: 'files', status: 'fail', message: 'no pages' })
})

test('works for Drizzle, and says what to do for a database that is not measured', async () => {
  const client = new Database(':memory:')
  const db = withDrizzleTiming(drizzle(client), createTiming())
  expect(await drizzleHealth(db)).toMatchObject({ system: 'sqlite', ready: true })
  client.close()
  expect(await drizzleHealth(db, { maxAgeMs: 0 })).toMatchObject({ ready: false, status: 'fail' })
  expect((await rejection(drizzleHealth(drizzle(new Database(':memory:')))))['code']).toBe(
    'NOT_TIMED',
  )
  const plain = new Kysely<unknown>({ dialect: new SqliteDialect({ path: ':memory:' }) })
  expect((await rejection(health(plain)))['code']).toBe('NOT_TIMED')
  expect((await rejection(health(plain, { deap: true } as never)))['code']).toBe('NOT_TIMED')
})

test('databases of one name are probed each for itself', async () => {
  const timing = createTiming()
  const open = (): Kysely<unknown> => {
    const database = new Database(':memory:')
    return new Kysely<unknown>({
      dialect: withTiming(new KyselySqliteDialect({ database }), timing, { name: 'tenant' }),
    })
  }
  const [one, other] = [open(), open()]
  onTestFinished(() => one.destroy())
  await sql`create table only_here (id integer)`.execute(one)
  await sql`select 1`.execute(other)
  await failOnScan(timing, () => sql`select * from only_here where id = 1`.execute(one)).then(
    () => expect.unreachable(),
    (error: unknown) => expect(error).toMatchObject({ code: 'TABLE_SCAN' }),
  )
  await other.destroy()
  expect(statusOf(await health(one), 'answers')).toBe('pass')
  expect(timing.report().databases).toHaveLength(1)
  const drizzles = [new Database(':memory:'), new Database(':memory:')] as const
  const [mine, closed] = drizzles.map((client) =>
    withDrizzleTiming(drizzle(client), timing, { name: 'tenants' }),
  )
  drizzles[1].close()
  expect(statusOf(await drizzleHealth(mine!), 'answers')).toBe('pass')
  expect(statusOf(await drizzleHealth(closed!), 'answers')).toBe('fail')
})

test('the pool of a name that several have is the one of which most is in use', async () => {
  const timing = createTiming()
  const { createDatabase } = await postgres()
  const connectionString = await createDatabase()
  const [busy, idle] = [2, 3].map((max) => new Pool({ connectionString, max })) as [Pool, Pool]
  const [first, second] = [busy, idle].map((pool) => {
    const dialect = withTiming(new PostgresDialect({ pool }), timing, { name: 'tenant', pool })
    const db = new Kysely<unknown>({ dialect })
    onTestFinished(() => db.destroy())
    return db
  })
  await sql`select 1`.execute(second!)
  await first!.connection().execute(async (held) => {
    await sql`select 1`.execute(held)
    expect(timing.report().databases[0]!.pool).toMatchObject({ max: 2, size: 1, idle: 0 })
    expect((await health(second!)).pool).toMatchObject({ max: 3 })
  })
})

test('refuses options that it cannot use, and says what they take', async () => {
  const db = new Kysely<unknown>({
    dialect: withTiming(new SqliteDialect({ path: ':memory:' }), createTiming()),
  })
  onTestFinished(() => db.destroy())
  for (const [options, option] of [
    [null, 'options'],
    [{ walBytes: 'x' }, 'walBytes'],
    [{ databaseBytes: { warn: 5 } }, 'databaseBytes.critical'],
    [{ databaseBytes: { warn: 5, critical: 4 } }, 'databaseBytes.critical'],
    [{ databaseBytes: 5 }, 'databaseBytes'],
    [{ databaseBytes: null }, 'databaseBytes'],
    [{ deep: 'yes' }, 'deep'],
    [{ timeoutMs: -1 }, 'timeoutMs'],
  ] as const)
    expect(await rejection(health(db, options as never))).toMatchObject({
      code: 'INVALID_OPTION',
      option,
    })
})
