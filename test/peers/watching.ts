import { createTiming, type QueryEvent } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
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
}

export interface KyselyWatcher {
  readonly name: string
  open<DB>(
    dialect: Dialect,
    options?: { readonly slowSink?: () => Promise<void> },
  ): { db: Kysely<DB>; seen: () => Seen[] }
}

const exporter = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
})
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
    }))
}

function numeric(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function closing<DB>(db: Kysely<DB>): Kysely<DB> {
  onTestFinished(() => db.destroy())
  return db
}

function seenIn({ sql, executeMs, decodeMs = 0, dbMs, waitMs, rows }: QueryEvent): Seen {
  return { what: sql, ms: dbMs ?? executeMs + decodeMs, waitMs, rows }
}

const keelson: KyselyWatcher = {
  name: '@keelson/timing',
  open(dialect, { slowSink } = {}) {
    const all: Seen[] = []
    const timing = createTiming({
      sinks: [
        { query: (event) => void all.push(seenIn(event)) },
        ...(slowSink ? [{ query: slowSink }] : []),
      ],
    })
    return { db: closing(new Kysely({ dialect: withTiming(dialect, timing) })), seen: () => all }
  },
}

const kyselyLog: KyselyWatcher = {
  name: "Kysely's log",
  open(dialect, { slowSink } = {}) {
    const all: Seen[] = []
    const log = async ({ query, queryDurationMillis }: LogEvent): Promise<void> => {
      if (!/^(begin|commit|rollback)/.test(query.sql))
        all.push({ what: query.sql, ms: queryDurationMillis, waitMs: undefined, rows: undefined })
      await slowSink?.()
    }
    return { db: closing(new Kysely({ dialect, log })), seen: () => all }
  },
}

const kyselyOpenTelemetry: KyselyWatcher = {
  name: 'kysely-opentelemetry',
  open(dialect) {
    const before = exporter.getFinishedSpans().length
    return {
      db: closing(new Kysely({ dialect: observeDialect(dialect, { tracerProvider }) })),
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
