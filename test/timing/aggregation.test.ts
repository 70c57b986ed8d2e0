import { createTiming, timingHandler } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { attach, withTiming } from '@keelson/timing/kysely'
import Database from 'better-sqlite3'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { CompiledQuery, Kysely, SqliteDialect } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runs } from '../support/runs.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function open(timing: ReturnType<typeof createTiming>): (sql: string) => Promise<unknown> {
  const db = new Kysely<unknown>({
    dialect: withTiming(new SqliteDialect({ database: new Database(':memory:') }), timing),
  })
  onTestFinished(() => db.destroy())
  return (sql) => db.executeQuery(CompiledQuery.raw(sql))
}

describe('counting', () => {
  test('keeps calls, rows, errors by category and the times of each fingerprint', async () => {
    const timing = createTiming()
    const run = open(timing)
    await run('create table t (a integer primary key)')
    await run('insert into t values (1), (2), (3)')
    await run('insert into t values (4)')
    await run('select * from t')
    await run('select * from t')
    await expect(run('insert into t values (4)')).rejects.toThrow(/UNIQUE/)
    await expect(run('select * from nowhere')).rejects.toThrow(/no such table/)
    const { queries, totals } = timing.report()
    const byText = new Map(queries.map((query) => [query.text, query]))
    expect(byText.get('insert into t values (?+)')).toMatchObject({
      calls: 3,
      affectedRows: 4,
      errors: 1,
      errorCategories: { unique: 1 },
    })
    const select = byText.get('select * from t')!
    expect(select).toMatchObject({ calls: 2, rows: 8, errors: 0, summary: 'SELECT t' })
    const { minMs, p50Ms, p95Ms, p999Ms, maxMs, totalMs, meanMs } = select
    expect([minMs, p50Ms, p95Ms, p999Ms, maxMs]).toEqual(
      [minMs, p50Ms, p95Ms, p999Ms, maxMs].toSorted((one, other) => one - other),
    )
    expect(minMs).toBeGreaterThan(0)
    expect(meanMs).toBeCloseTo(totalMs / 2, 10)
    expect(byText.get('select * from nowhere')!.errorCategories).toEqual({ missingObject: 1 })
    expect(totals).toMatchObject({ calls: 7, rows: 8, errors: 2 })
    expect(queries.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 10)
  })

  test('keeps the totals under any number of statements that occur once, in bounded memory', async () => {
    const timing = createTiming({ maxFingerprints: 100 })
    const run = open(timing)
    const count = runs(40_000, 200_000)
    await run('select 1 as hot')
    let before = 0
    for (let index = 0; index < count; index++) {
      if (index === count / 10) {
        collectGarbage()
        before = process.memoryUsage().heapUsed
      }
      await run(`select 1 as c${index}`)
      if (index % 10 === 0) await run('select 1 as hot')
      // better-sqlite3 frees statements between turns of the event loop.
      if (index % 1_000 === 0) await nextTurn()
    }
    const { queries, totals, evictions } = timing.report()
    expect(totals.calls).toBe(count + count / 10 + 1)
    expect(queries.length).toBeLessThanOrEqual(101)
    expect(queries.reduce((sum, { calls }) => sum + calls, 0)).toBe(totals.calls)
    expect(queries.find(({ text }) => text === 'select ? as hot')?.calls).toBe(count / 10 + 1)
    const other = queries.find(({ text }) => text === '<other>')!
    expect(other.calls).toBeGreaterThan(count * 0.99)
    expect(other.histogram.count).toBe(other.calls)
    expect(evictions).toBeLessThan(count / 100)
    await nextTurn()
    collectGarbage()
    // All places were taken long before. A fingerprint takes 3 kB, which of all that were seen would be 100 MB and more; without
    // timing the loop leaves 60 bytes for each statement.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 1024 * 1024)
  })

  test('gives a place to what becomes frequent later, and tells of those that have lost theirs', async () => {
    const timing = createTiming({ maxFingerprints: 10 })
    const run = open(timing)
    for (let index = 0; index < 50; index++) await run(`select ${index} as early_${index}`)
    for (let index = 0; index < 500; index++) await run('select 1 as late')
    const report = timing.report()
    const late = report.queries.find(({ text }) => text === 'select ? as late')
    // The first call was in <other>, where a place is had by the second one.
    expect(late?.calls).toBe(499)
    expect(report.totals.calls).toBe(550)
    expect(report.evictions).toBe(1)
    expect(report.findings.join()).toContain('maxFingerprints')
  })

  test('a report stays what it was, whatever is counted later', async () => {
    const timing = createTiming()
    const run = open(timing)
    await run('select 1 as one')
    const [before] = timing.report().queries
    await run('select 1 as one')
    expect(before!.histogram.count).toBe(1)
    expect(timing.report().queries[0]!.histogram.count).toBe(2)
  })

  test('exports what was counted before reset(), also of databases that are no longer told of', async () => {
    const timing = createTiming({ maxFingerprints: 2 })
    const once = async (name: string): Promise<void> => {
      const db = new Kysely<unknown>({
        dialect: withTiming(new SqliteDialect({ database: new Database(':memory:') }), timing, {
          name,
        }),
      })
      for (let index = 0; index < 20; index++)
        await db.executeQuery(CompiledQuery.raw(`select 1 as c${index >> 1}`))
      await db.destroy()
    }
    const sumOf = async (name: string): Promise<number> => {
      const response = await timingHandler(timing)(new Request('http://localhost/metrics'))
      const found = (await response.text()).matchAll(
        new RegExp(String.raw`^${name}\{.*\} (\d+)$`, 'gm'),
      )
      return Array.from(found, ([, value]) => Number(value)).reduce((sum, each) => sum + each, 0)
    }
    await once('first')
    const evicted = await sumOf('keelson_fingerprints_evicted_total')
    expect(evicted).toBeGreaterThan(0)
    timing.reset()
    expect(await sumOf('keelson_fingerprints_evicted_total')).toBe(evicted)
    expect(await sumOf('keelson_query_duration_seconds_count')).toBe(20)
    // The last eight that were closed are told of apart.
    for (let index = 0; index < 9; index++) await once(`other ${index}`)
    expect(await sumOf('keelson_query_duration_seconds_count')).toBe(200)
    expect(await sumOf('keelson_fingerprints_evicted_total')).toBeGreaterThanOrEqual(evicted)
  })

  test('counts what comes again just after its place was given away, or after reset()', async () => {
    const timing = createTiming({ maxFingerprints: 1 })
    const run = open(timing)
    // The one that is counted twice in a row is the one that is known without looking.
    for (const name of ['first', 'first', 'second', 'second', 'first'])
      await run(`select 1 as ${name}`)
    expect(timing.report().totals.calls).toBe(5)
    await run('select 1 as second')
    timing.reset()
    await run('select 1 as second')
    expect(timing.report().totals.calls).toBe(1)
  })

  test('gives no place to what is seen once, inside a scope either', async () => {
    const timing = createTiming({ maxFingerprints: 2 })
    const run = open(timing)
    await run('select 1 as first')
    await run('select 1 as second')
    await timing.scope('page', () => run('select 1 as third'))
    const { queries, evictions } = timing.report()
    expect(evictions).toBe(0)
    expect(queries.map(({ text }) => text).toSorted()).toEqual([
      '<other>',
      'select ? as first',
      'select ? as second',
    ])
  })

  test('keeps the totals of databases that come and go, in bounded memory', async () => {
    const timing = createTiming()
    const once = async (name?: string): Promise<void> => {
      const db = new Kysely<unknown>({
        dialect: withTiming(new SqliteDialect({ database: new Database(':memory:') }), timing, {
          name,
        }),
      })
      await db.transaction().execute((trx) => trx.executeQuery(CompiledQuery.raw('select 1')))
      await db.destroy()
    }
    for (let times = 0; times < 30; times++) await once()
    const attached = attach(
      new Kysely<unknown>({ dialect: new SqliteDialect({ database: new Database(':memory:') }) }),
      timing,
    )
    await attached.executeQuery(CompiledQuery.raw('select 1'))
    await attached.destroy()
    for (let times = 0; times < 30; times++) await once('named')
    for (let times = 0; times < 150; times++)
      withDrizzleTiming(drizzle(new Database(':memory:')), timing).get('select 1')
    const { databases, totals, queries } = timing.report()
    expect(databases.length).toBeLessThan(112)
    expect(databases.filter(({ name }) => name.startsWith('named'))).toHaveLength(1)
    expect(totals.calls).toBe(211)
    expect(queries.find(({ database }) => database === '<other>')).toMatchObject({
      text: 'select ?',
    })
    const committed = databases.map(({ transactions }) => transactions.outcomes.committed ?? 0)
    expect(committed.reduce((sum, count) => sum + count, 0)).toBe(60)
  })

  test('counts nothing while it is switched off, and begins anew after reset()', async () => {
    const timing = createTiming({ enabled: false })
    const run = open(timing)
    await run('select 1')
    expect(timing.report().totals.calls).toBe(0)
    timing.isEnabled = true
    await run('select 1')
    await run('select 1')
    expect(timing.report().totals.calls).toBe(2)
    timing.reset()
    await run('select 1')
    expect(timing.report().queries).toMatchObject([{ text: 'select ?', calls: 1 }])
  })
})
