import { createTiming, type QueryEvent, type Timing } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { spanSink } from '@keelson/timing/opentelemetry'
import { instrumentDrizzleClient } from '@kubiks/otel-drizzle'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { type Dialect, Kysely, type LogEvent } from 'kysely'
import { observeDialect } from 'kysely-opentelemetry'
import { onTestFinished } from 'vitest'
import { item } from '../transactions/drizzle/drivers.ts'

/** What somebody who watches has seen of one statement; `undefined` for what he does not tell. */
export interface Seen {
  readonly what: string
  /** Milliseconds that it is said to have run. */
  readonly ms: number | undefined
  readonly waitMs: number | undefined
  readonly rows: number | undefined
  /** Under which database it is counted. */
  readonly database?: string | undefined
  /** By what statements are told to be the same. */
  readonly fingerprint?: string | undefined
  /** What is on the span of OpenTelemetry. */
  readonly attributes?: Readonly<Record<string, unknown>>
}

interface WatcherOptions {
  /** Another one that hears of each query, and takes its time. */
  readonly slowSink?: () => Promise<void>
  /** Another one that fails. */
  readonly brokenSink?: () => void
  /** The same object for databases that are watched together. */
  readonly beside?: { timing?: Timing }
  /** Spans instead of events. */
  readonly spans?: boolean
}

export interface KyselyWatcher {
  readonly name: string
  open<DB>(dialect: Dialect, options?: WatcherOptions): { db: Kysely<DB>; seen: () => Seen[] }
}

const exporter = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
})
const nothing = { forceFlush: async () => {}, shutdown: async () => {} }
trace.setGlobalTracerProvider(tracerProvider)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())

function spansSince(count: number): Seen[] {
  return exporter
    .getFinishedSpans()
    .slice(count)
    .filter(({ name }) => !/^(begin|commit|rollback|transaction)/i.test(name))
    .map(({ attributes, duration: [seconds, nanoseconds] }) => ({
      what: String(attributes['db.query.text'] ?? attributes['db.statement']),
      ms: seconds * 1e3 + nanoseconds / 1e6,
      waitMs: numeric(Object.entries(attributes).find(([name]) => /acquire/.test(name))?.[1]),
      rows: numeric(attributes['db.response.returned_rows']),
      fingerprint: fingerprintIn(attributes),
      attributes,
    }))
}

/** What a published package puts on a span to tell statements by, if anything. */
function fingerprintIn(attributes: Readonly<Record<string, unknown>>): string | undefined {
  const found = Object.entries(attributes).find(([name]) => /fingerprint|hash/i.test(name))
  return found === undefined ? undefined : String(found[1])
}

function numeric(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function closing<DB>(db: Kysely<DB>): Kysely<DB> {
  onTestFinished(() => db.destroy())
  return db
}

function seenIn({ sql, executeMs, decodeMs = 0, dbMs, waitMs, rows, db, fp }: QueryEvent): Seen {
  return {
    what: sql,
    ms: dbMs ?? executeMs + decodeMs,
    waitMs,
    rows,
    database: db,
    fingerprint: fp!.id,
  }
}

const keelson: KyselyWatcher = {
  name: '@keelson/timing',
  open(dialect, { slowSink, brokenSink, spans, beside = {} } = {}) {
    const all: Seen[] = []
    const before = exporter.getFinishedSpans().length
    const tracer = tracerProvider.getTracer('peers')
    const timing = (beside.timing ??= createTiming())
    for (const query of [slowSink, brokenSink]) if (query !== undefined) timing.addSink({ query })
    timing.addSink({ query: (event) => void all.push(seenIn(event)) })
    if (spans === true) timing.addSink(spanSink({ spans: 'all', tracer }))
    return {
      db: closing(new Kysely({ dialect: withTiming(dialect, timing) })),
      seen: () => (spans === true ? spansSince(before) : all),
    }
  },
}

const kyselyLog: KyselyWatcher = {
  name: "Kysely's log",
  open(dialect, { slowSink, brokenSink } = {}) {
    const all: Seen[] = []
    const log = async ({ query, queryDurationMillis }: LogEvent): Promise<void> => {
      if (!/^(begin|commit|rollback)/.test(query.sql))
        all.push({ what: query.sql, ms: queryDurationMillis, waitMs: undefined, rows: undefined })
      brokenSink?.()
      await slowSink?.()
    }
    return { db: closing(new Kysely({ dialect, log })), seen: () => all }
  },
}

const kyselyOpenTelemetry: KyselyWatcher = {
  name: 'kysely-opentelemetry',
  open(dialect, { brokenSink } = {}) {
    const before = exporter.getFinishedSpans().length
    const broken = { onStart: brokenSink ?? (() => {}), onEnd() {}, ...nothing }
    const provider =
      brokenSink === undefined
        ? tracerProvider
        : new BasicTracerProvider({ spanProcessors: [broken, new SimpleSpanProcessor(exporter)] })
    return {
      db: closing(new Kysely({ dialect: observeDialect(dialect, { tracerProvider: provider }) })),
      seen: () => spansSince(before),
    }
  },
}

export const kyselyWatchers: readonly KyselyWatcher[] = [keelson, kyselyLog, kyselyOpenTelemetry]

type DrizzleDb = ReturnType<typeof drizzle<{ item: typeof item }>>

export interface DrizzleWatcher {
  readonly name: string
  open(): { db: DrizzleDb; seen: () => string[] }
}

function newDrizzle(): DrizzleDb {
  const client = new Database(':memory:')
  onTestFinished(() => void client.close())
  client.exec('create table item (name text not null unique)')
  return drizzle(client, { schema: { item } })
}

export const drizzleWatchers: readonly DrizzleWatcher[] = [
  {
    name: '@keelson/timing',
    open() {
      const all: string[] = []
      const timing = createTiming({ sinks: [{ query: ({ sql }) => void all.push(sql) }] })
      return { db: withDrizzleTiming(newDrizzle(), timing), seen: () => all }
    },
  },
  {
    name: '@kubiks/otel-drizzle',
    open() {
      const before = exporter.getFinishedSpans().length
      const db = instrumentDrizzleClient(newDrizzle() as never) as DrizzleDb
      return { db, seen: () => spansSince(before).map(({ what }) => what) }
    },
  },
]
