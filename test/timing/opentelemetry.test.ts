import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createTiming, fingerprint, type QueryEvent } from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { metricProducer, spanSink } from '@keelson/timing/opentelemetry'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { Kysely, sql } from 'kysely'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { sqliteKysely, type Tables } from '../transactions/kysely/engines.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const eventLike = { startMs: 0, waitMs: 0, totalMs: 1, outcome: 'ok', rows: 0 }

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
trace.setGlobalTracerProvider(provider)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
beforeEach(() => exporter.reset())

async function open(options: Parameters<typeof spanSink>[0] = { spans: 'all' }) {
  const timing = createTiming({ sinks: [spanSink(options)] })
  const db = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), timing) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text unique)`.execute(db)
  exporter.reset()
  return { db, timing }
}

const spans = (): ReadableSpan[] => exporter.getFinishedSpans()

describe('spanSink()', () => {
  test('makes spans by the stable conventions', async () => {
    const { db } = await open()
    await db.selectFrom('item').selectAll().where('id', 'in', [1, 2]).execute()
    const [span] = spans()
    expect(span!.kind).toBe(SpanKind.CLIENT)
    expect(span!.name).toBe('SELECT item')
    // Every name, so that an attribute that comes or goes is seen.
    expect(span!.attributes).toEqual({
      'db.system.name': 'sqlite',
      'db.query.text': 'select * from "item" where "id" in (?, ?)',
      'db.query.summary': 'SELECT item',
      'db.operation.name': 'SELECT',
    })
    expect(span!.status.code).toBe(SpanStatusCode.UNSET)
    const [seconds, nanoseconds] = span!.duration
    expect(seconds).toBe(0)
    expect(nanoseconds).toBeGreaterThan(0)
  })

  test('names the error by the code of the engine', async () => {
    const { db } = await open()
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    await rejection(db.insertInto('item').values({ id: 1, name: 'a' }).execute())
    expect(spans()[1]).toMatchObject({
      attributes: {
        'error.type': 'SQLITE_CONSTRAINT_PRIMARYKEY',
        'db.response.status_code': 'SQLITE_CONSTRAINT_PRIMARYKEY',
      },
      status: { code: SpanStatusCode.ERROR },
    })
  })

  test('shows no value that stands in a text', async () => {
    const { db } = await open()
    await sql`select 'secret', 42, ${'param'}`.execute(db)
    await sql`select a1 from (select 1 as a1)`.execute(db)
    expect(spans().map(({ attributes }) => attributes['db.query.text'])).toEqual([
      'select ?, ?, ?',
      'select a1 from (select ? as a1)',
    ])
  })

  test('shows no value of a text with casts, comments, rows or strings of other engines', () => {
    const sink = spanSink({ spans: 'all' })
    const texts = [
      ['select $1::int, 42 from t', 'postgresql'],
      ['select 42 /* ? */ from t', 'postgresql'],
      ['insert into t values (?), (42)', 'sqlite'],
      ['insert into t values (?, ?), (42, ?)', 'sqlite'],
      ['select "secret 42" from t', 'mysql'],
      ["select E'it\\'s 42' from t", 'postgresql'],
      ['select $$42 from t', 'postgresql'],
    ] as const
    for (const [text, system] of texts) {
      const fp = { ...fingerprint('select ?'), text: 'hidden' }
      sink.query!({ ...eventLike, sql: text, system, fp } as QueryEvent)
    }
    expect(spans().map(({ attributes }) => attributes['db.query.text'])).toEqual(
      texts.map(() => 'hidden'),
    )
    exporter.reset()
    const shown = 'insert into t ("a1") values ($1::int, :name, @x), ($2, ?3, ?)'
    sink.query!({
      ...eventLike,
      sql: shown,
      system: 'sqlite',
      fp: fingerprint(shown),
    } as QueryEvent)
    expect(spans()[0]!.attributes['db.query.text']).toBe(shown)
  })

  test('makes them inside of a recorded span alone, as its children', async () => {
    const { db } = await open({})
    await sql`select 1`.execute(db)
    expect(spans()).toEqual([])
    await provider.getTracer('test').startActiveSpan('request', async (request) => {
      await sql`select 1`.execute(db)
      request.end()
    })
    const [query, request] = spans()
    expect(query!.parentSpanContext?.spanId).toBe(request!.spanContext().spanId)
  })

  test('makes them of what was slow or failed alone', async () => {
    const { db } = await open({ spans: 'tail', tailMs: 1_000_000 })
    await sql`select 1`.execute(db)
    await rejection(sql`select nope`.execute(db))
    expect(spans()).toHaveLength(1)
    const always = await open({ spans: 'tail', tailMs: 0 })
    await sql`select 1`.execute(always.db)
    expect(spans()).toHaveLength(1)
  })

  test('keeps no long statements, and tells one system from another', async () => {
    const tracer = trace.getTracerProvider().getTracer('test')
    const sink = spanSink({ spans: 'all', tracer })
    const event = (sqlText: string, system: string): QueryEvent => ({
      ...(eventLike as QueryEvent),
      sql: sqlText,
      system,
      fp: fingerprint(sqlText),
    })
    for (const system of ['sqlite', 'postgresql']) sink.query!(event('select a from b', system))
    expect(spans().map(({ attributes }) => attributes['db.system.name'])).toEqual([
      'sqlite',
      'postgresql',
    ])
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < 100; index++) {
      const padding = Buffer.alloc(1_000_000, ' ').toString('latin1')
      sink.query!({ ...event('select a from b', 'sqlite'), sql: `select ${padding} c${index}` })
      await nextTurn()
      exporter.reset()
    }
    collectGarbage()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 * 1024)
  })

  test('refuses options that it does not know', () => {
    expect(() => spanSink({ span: 'all' } as never)).toThrow(/Did you mean `spans`/)
    expect(() => spanSink({ spans: 'some' as never })).toThrow(/'auto', 'tail', 'all'/)
  })
})

describe('metricProducer()', () => {
  class Reader extends MetricReader {
    protected override async onShutdown(): Promise<void> {}
    protected override async onForceFlush(): Promise<void> {}
  }

  test('gives a reader of the SDK what was counted', async () => {
    const { db, timing } = await open()
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    for (let times = 0; times < 3; times++) await db.selectFrom('item').selectAll().execute()
    const reader = new Reader({
      metricProducers: [metricProducer(timing, { boundaries: [0.000_001, 10], development: true })],
    })
    const meters = new MeterProvider({ readers: [reader] })
    onTestFinished(() => meters.shutdown())
    const { resourceMetrics, errors } = await reader.collect()
    expect(errors).toEqual([])
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
    expect(metrics.map(({ descriptor }) => descriptor.name)).toEqual([
      'db.client.operation.duration',
      'db.client.connection.wait_time',
      'db.client.connection.count',
      'db.client.connection.max',
      'db.client.connection.pending_requests',
    ])
    expect(metrics[0]!.descriptor.unit).toBe('s')
    const point = metrics[0]!.dataPoints.find(
      ({ attributes }) => attributes['db.query.summary'] === 'SELECT item',
    )
    expect(point).toMatchObject({
      attributes: { 'db.system.name': 'sqlite', 'db.operation.name': 'SELECT' },
      value: { count: 3, buckets: { boundaries: [0.000_001, 10], counts: [0, 3, 0] } },
    })
  })

  test('tells failed calls apart by why, and since when was counted', async () => {
    const before = Date.now()
    const { db, timing } = await open()
    for (let times = 0; times < 3; times++)
      await db
        .insertInto('item')
        .values({ id: times, name: `${times}` })
        .execute()
    for (let times = 0; times < 2; times++)
      await rejection(db.insertInto('item').values({ id: 1, name: 'a' }).execute())
    await rejection(sql`select nope from item`.execute(db))
    const after = Date.now()
    await delay(50)
    const { resourceMetrics } = await metricProducer(timing, { boundaries: [10] }).collect()
    const points = resourceMetrics.scopeMetrics[0].metrics[0].dataPoints as {
      attributes: Record<string, unknown>
      startTime: [number, number]
      value: { count: number; sum: number; buckets: { counts: number[] } }
    }[]
    const told = points.map(({ attributes, value }) => [
      attributes['db.query.summary'],
      attributes['error.type'],
      value.count,
      value.buckets.counts,
    ])
    expect(told).toEqual([
      ['CREATE item', undefined, 1, [1, 0]],
      ['INSERT item', undefined, 3, [3, 0]],
      ['INSERT item', 'unique', 2, [2, 0]],
      // Nothing of it has succeeded.
      ['SELECT item', 'missingObject', 1, [1, 0]],
    ])
    for (const { startTime, value } of points) {
      expect(value.sum).toBeGreaterThan(0)
      const startMs = startTime[0] * 1000 + startTime[1] / 1e6
      expect(startMs).toBeGreaterThan(before - 5)
      expect(startMs).toBeLessThan(after)
    }
  })

  test('tells two databases of one engine apart', async () => {
    const { db, timing } = await open()
    const other = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), timing) })
    onTestFinished(() => other.destroy())
    for (const each of [db, other]) await sql`select 1`.execute(each)
    const { resourceMetrics } = await metricProducer(timing).collect()
    const points = resourceMetrics.scopeMetrics[0].metrics[0].dataPoints as { attributes: object }[]
    const attributes = points.map((point) => JSON.stringify(point.attributes))
    expect(new Set(attributes).size).toBe(attributes.length)
    expect(attributes.join()).toContain('"db.namespace":"sqlite 2"')
  })

  test('refuses bounds that do not ascend', () => {
    expect(() => metricProducer(createTiming(), { boundaries: [2, 1] })).toThrow(/ascending/)
  })
})
