import { createTiming, type TimingOptions } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import { spanSink } from '@keelson/timing/opentelemetry'
import { instrumentDrizzleClient } from '@kubiks/otel-drizzle'
import { trace, type Tracer } from '@opentelemetry/api'
import { BasicTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import type Database from 'better-sqlite3'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type KyselyConfig,
  SqliteAdapter,
  SqliteDialect,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { observeDialect } from 'kysely-opentelemetry'
import { type People, person } from './people.ts'

/** One way to have queries watched, or not. */
export interface TimingContender {
  readonly name: string
  /** @returns how many rows it saw */
  run(ids: readonly number[]): number | Promise<number>
}

/** Spans are made and ended, and go nowhere: what an exporter costs is the same for everybody. */
const nowhere: SpanProcessor = {
  onStart() {},
  onEnd() {},
  async forceFlush() {},
  async shutdown() {},
}
const tracerProvider = new BasicTracerProvider({ spanProcessors: [nowhere] })
const tracer: Tracer = tracerProvider.getTracer('bench')

const counting: TimingOptions = {
  repeats: false,
  plans: false,
  relativeSlow: false,
  poolSaturation: false,
  errorRate: false,
}

/** What is put around a dialect. */
const kyselyWays: Readonly<Record<string, (dialect: Dialect) => KyselyConfig>> = {
  'Kysely alone': (dialect) => ({ dialect }),
  'log: () => {}': (dialect) => ({ dialect, log: () => {} }),
  'timing, switched off': (dialect) => ({
    dialect: withTiming(dialect, createTiming({ enabled: false })),
  }),
  'timing, counting': (dialect) => ({ dialect: withTiming(dialect, createTiming(counting)) }),
  'timing, all rules': (dialect) => ({ dialect: withTiming(dialect, createTiming()) }),
  'timing, a span for each': (dialect) => ({
    dialect: withTiming(dialect, createTiming({ sinks: [spanSink({ spans: 'all', tracer })] })),
  }),
  'kysely-opentelemetry, no SDK': (dialect) => ({ dialect: observeDialect(dialect) }),
  'kysely-opentelemetry, a span for each': (dialect) => ({
    dialect: observeDialect(dialect, { tracerProvider }),
  }),
}

/** Kysely over a driver that does nothing, which leaves what is around it. */
export function nullContenders(): TimingContender[] {
  const query = CompiledQuery.raw('select "id", "name" from "person" where "id" = ?', [1])
  return Object.entries(kyselyWays).map(([name, config]) => {
    const db = new Kysely<People>(config(new NullDialect()))
    return {
      name,
      async run(ids) {
        let rows = 0
        for (const _ of ids) rows += (await db.executeQuery(query)).rows.length
        return rows
      },
    }
  })
}

/** Kysely's own dialect over better-sqlite3, and a query that is built each time. */
export function sqliteContenders(open: (name: string) => Database.Database): TimingContender[] {
  return Object.entries(kyselyWays).map(([name, config]) => {
    const db = new Kysely<People>(config(new SqliteDialect({ database: open(name) })))
    return {
      name,
      async run(ids) {
        let rows = 0
        for (const id of ids)
          rows += (await db.selectFrom('person').selectAll().where('id', '=', id).execute()).length
        return rows
      },
    }
  })
}

type DrizzleDb = ReturnType<typeof drizzle>

const drizzleWays: Readonly<Record<string, (db: DrizzleDb) => DrizzleDb>> = {
  'Drizzle alone': (db) => db,
  'timing, switched off': (db) => withDrizzleTiming(db, createTiming({ enabled: false })),
  'timing, counting': (db) => withDrizzleTiming(db, createTiming(counting)),
  'timing, all rules': (db) => withDrizzleTiming(db, createTiming()),
  'timing, a span for each': (db) =>
    withDrizzleTiming(db, createTiming({ sinks: [spanSink({ spans: 'all', tracer })] })),
  '@kubiks/otel-drizzle': (db) => instrumentDrizzleClient(db as never) as DrizzleDb,
}

/** Drizzle over better-sqlite3, with a prepared query and with one that is built each time. */
export function drizzleContenders(
  open: (name: string) => Database.Database,
  kind: 'prepared' | 'built',
): TimingContender[] {
  // It has no option for its tracer.
  trace.setGlobalTracerProvider(tracerProvider)
  return Object.entries(drizzleWays).map(([name, wrap]) => {
    const db = wrap(drizzle(open(name)))
    const prepared = db
      .select()
      .from(person)
      .where(eq(person.id, sql.placeholder('id')))
      .prepare()
    return {
      name,
      run(ids) {
        let rows = 0
        for (const id of ids) {
          rows += (
            kind === 'prepared'
              ? prepared.all({ id })
              : db.select().from(person).where(eq(person.id, id)).all()
          ).length
        }
        return rows
      },
    }
  })
}

class NullDialect implements Dialect {
  createAdapter(): SqliteAdapter {
    return Object.defineProperty(new SqliteAdapter(), 'supportsMultipleConnections', {
      value: true,
    })
  }

  createDriver(): Driver {
    return new NullDriver()
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler()
  }

  createIntrospector(db: Kysely<any>): SqliteIntrospector {
    return new SqliteIntrospector(db)
  }
}

const answer = Object.freeze({ rows: Object.freeze([Object.freeze({ id: 1, name: 'a' })]) })

class NullDriver implements Driver {
  readonly #connection: DatabaseConnection = {
    executeQuery: () => Promise.resolve(answer as never),
    // oxlint-disable-next-line require-yield -- nobody asks it
    async *streamQuery() {},
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async beginTransaction(): Promise<void> {}
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}
