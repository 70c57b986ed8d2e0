import { createTiming, type TimingOptions, timingHandler } from '@keelson/timing'
import { health, withTiming } from '@keelson/timing/kysely'
import { Kysely, sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { sqliteKysely, type Tables } from '../transactions/kysely/engines.ts'

async function open(options: TimingOptions = {}) {
  const timing = createTiming(options)
  const db = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), timing) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text unique)`.execute(db)
  return { db, timing }
}

const get = (path: string, method = 'GET'): Request =>
  new Request(`http://localhost${path}`, { method })

describe('timingHandler()', () => {
  test('answers under its path, and nothing else', async () => {
    const { db, timing } = await open()
    const handler = timingHandler(timing, { basePath: '/timing', health: () => health(db) })
    for (const path of [
      '/timing',
      '/timing/',
      '/timing/stats.json',
      '/timing/workload.json',
      '/timing/metrics',
      '/timing/health',
    ]) {
      const response = await handler(get(path))
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    }
    for (const path of ['/', '/timings', '/stats.json', '/timing/other', '/timing/stats.json/'])
      expect((await handler(get(path))).status).toBe(404)
    expect((await handler(get('/timing', 'POST'))).status).toBe(405)
    expect((await timingHandler(timing)(get('/health'))).status).toBe(404)
    expect((await rejection(() => timingHandler(timing, { basePath: 'timing/' })))['code']).toBe(
      'INVALID_OPTION',
    )
  })

  test('serves a page that loads nothing from elsewhere and runs no script but its own', async () => {
    const { timing } = await open()
    const handler = timingHandler(timing)
    const [one, other] = [await handler(get('/')), await handler(get('/'))]
    const policy = one.headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(other.headers.get('content-security-policy')).not.toBe(policy)
    const html = await one.text()
    expect(html).not.toMatch(/(src|href)="(?!data:)/)
    expect(html).not.toContain('innerHTML')
    expect(html).toContain(`nonce="${/nonce-([^']+)/.exec(policy)![1]}"`)
  })

  test('serves the report as JSON', async () => {
    const { db, timing } = await open()
    await db.selectFrom('item').selectAll().execute()
    const response = await timingHandler(timing)(get('/stats.json'))
    const report = (await response.json()) as { queries: { text: string; calls: number }[] }
    expect(report.queries.map(({ text, calls }) => [text.split(' ')[0], calls])).toEqual(
      expect.arrayContaining([
        ['create', 1],
        ['select', 1],
      ]),
    )
  })

  test('serves the workload as JSON, without the values that are sampled', async () => {
    const { db, timing } = await open({ sampleParams: 2 })
    await db.selectFrom('item').selectAll().where('name', '=', 'Bohm 4711').execute()
    const text = await (await timingHandler(timing)(get('/workload.json'))).text()
    expect(timing.workload().queries.some(({ samples }) => samples !== undefined)).toBe(true)
    expect(JSON.parse(text)).toMatchObject({
      v: 1,
      queries: expect.arrayContaining([
        expect.objectContaining({ sql: 'select * from "item" where "name" = ?', calls: 1 }),
      ]),
    })
    expect(text).not.toContain('4711')
  })

  test('answers 503 when the database does not work', async () => {
    const { db, timing } = await open()
    const handler = timingHandler(timing, { health: () => health(db, { maxAgeMs: 0 }) })
    expect((await handler(get('/health'))).status).toBe(200)
    await db.destroy()
    const response = await handler(get('/health'))
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ status: 'fail', live: true, ready: false })
  })
})

test('answers 503 also when health itself fails', async () => {
  const { timing } = await open()
  const handler = timingHandler(timing, { health: () => Promise.reject(new Error('secret')) })
  const response = await handler(get('/health'))
  expect(response.status).toBe(503)
  expect(await response.text()).not.toContain('secret')
})

describe('/metrics', () => {
  const metricsOf = async (timing: ReturnType<typeof createTiming>): Promise<string> =>
    (await timingHandler(timing)(get('/metrics'))).text()

  test('is the text format of Prometheus, with cumulative buckets that agree with the count', async () => {
    const { db, timing } = await open()
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    await rejection(db.insertInto('item').values({ id: 1, name: 'a' }).execute())
    await db.transaction().execute((trx) => trx.selectFrom('item').selectAll().execute())
    const text = await metricsOf(timing)
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(
        /^(# (HELP|TYPE) keelson_\w+ .+|keelson_\w+(\{(\w+="(\\.|[^"\\])*",?)+\})? [\d.e+-]+)$/,
      )
    const labels = 'database="sqlite",system="sqlite",summary="INSERT item"'
    expect(text).toContain(`keelson_query_duration_seconds_count{${labels}} 2\n`)
    expect(text).toContain(`keelson_query_duration_seconds_bucket{${labels},le="+Inf"} 2\n`)
    expect(text).toContain(`keelson_query_errors_total{${labels},category="unique"} 1\n`)
    expect(text).toContain(
      'keelson_transactions_total{database="sqlite",system="sqlite",outcome="committed"} 1\n',
    )
    const buckets = [
      ...text.matchAll(/duration_seconds_bucket\{[^}]*INSERT item[^}]*\} (\d+)/g),
    ].map(([, count]) => Number(count))
    expect(buckets).toEqual(buckets.toSorted((one, other) => one - other))
  })

  test('has a bounded number of series, which never shrink', async () => {
    const { db, timing } = await open({ maxFingerprints: 20 })
    const names = Array.from({ length: 300 }, (_, index) => `t${index}`)
    for (const name of names) await rejection(sql.raw(`select * from ${name}`).execute(db))
    const counts = async (): Promise<number[]> =>
      [...(await metricsOf(timing)).matchAll(/duration_seconds_count\{[^}]*\} (\d+)/g)].map(
        ([, count]) => Number(count),
      )
    const before = await counts()
    for (const name of names) await rejection(sql.raw(`select * from ${name}`).execute(db))
    const after = await counts()
    expect(after.length).toBeLessThan(300)
    for (const [index, count] of before.entries())
      expect(after[index]).toBeGreaterThanOrEqual(count)
  })

  test('survives hostile names', async () => {
    const { db, timing } = await open()
    await rejection(sql.raw('select * from "a""\\\n} 1"').execute(db))
    const hostile = (await metricsOf(timing))
      .split('\n')
      .filter((line) => line.includes('SELECT a'))
    expect(hostile.length).toBeGreaterThan(0)
    for (const line of hostile) expect(line).toMatch(/summary="SELECT a\\"\\\\\\n\} 1"/)
  })
})
