import { KeelsonError } from '@keelson/core'
import {
  addLayer,
  connectionWatch,
  type DialectLayer,
  engineNameOfAdapter,
  instanceOf,
  layerOf,
  watchConnections,
} from '@keelson/core/kysely'
import type { Dialect, DialectAdapter, Kysely } from 'kysely'
import { databaseFrom } from '../record/database-from.ts'
import type { Recorder } from '../record/recorder.ts'
import type { WatchedDatabaseOptions } from '../record/watched-database.ts'
import { Timing } from '../timing.ts'
import { KyselyWatch, layerName, timingRank } from './kysely-watch.ts'
import { watchPGlite } from './pglite-transactions.ts'

/**
 * Measures every statement, stream and transaction of a dialect: any dialect, of Keelson or not, also one with
 * `withTransactions()`, around it or inside it.
 *
 * Nothing else changes: results, errors and the order of statements are those of the dialect. `waitMs` of a query is the time
 * from its being asked for until a connection is free (Kysely's mutex, the driver's pool, the turn in a transaction),
 * `executeMs` the time until the driver has answered.
 *
 * @param options how the database is called, and its pool: see `WatchedDatabaseOptions`
 * @throws {KeelsonError} `TIMED_ALREADY` when the dialect belongs to another timing
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const timing = createTiming()
 * const db = new Kysely<Database>({ dialect: withTiming(new PostgresDialect({ pool }), timing, { pool }) })
 * await db.selectFrom('account').selectAll().execute() // sends what it sends without
 * console.log(timing.report())
 */
export function withTiming(
  dialect: Dialect,
  timing: Timing,
  options: WatchedDatabaseOptions = {},
): Dialect {
  const recorder = Timing.recorderOf(timing, 'withTiming()')
  const make = databaseFrom(recorder, 'withTiming()', 'kysely', options)
  const known = layerOf(dialect, layerName) as TimingDialectLayer | undefined
  if (known !== undefined && known.recorder !== recorder) timedAlready('withTiming()')
  const layer: TimingDialectLayer = {
    name: layerName,
    recorder,
    rank: timingRank,
    keepsMutex: true,
    install(instance, inner) {
      const { hasOneConnection, baseDriver, dialect: layered } = instance
      const database = make(systemOf(layered.base.createAdapter()), hasOneConnection)
      const watch = new KyselyWatch(recorder, database, hasOneConnection)
      instance.watch = watch
      watchDestroy(baseDriver, watch)
      watchPGlite(baseDriver, watch)
      return inner
    },
  }
  return addLayer(dialect, layer)
}

interface TimingDialectLayer extends DialectLayer {
  readonly recorder: Recorder
}

function timedAlready(where: string): never {
  throw new KeelsonError(
    'TIMED_ALREADY',
    `${where} got a database that another timing measures. Its queries would be counted in one of the two only: use that timing, or make a \`Kysely\` without it.`,
  )
}

/**
 * Measures an existing `Kysely`, which it returns. What `withTiming()` measures already is not measured twice.
 *
 * Transactions of Kysely's `PGliteDialect` alone are not seen: it sends no statement that begins them. Use `withTiming()`.
 *
 * @throws {KeelsonError} `TIMED_ALREADY` when the database belongs to another timing
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const db = attach(new Kysely<Database>({ dialect }), timing)
 */
export function attach<DB>(
  db: Kysely<DB>,
  timing: Timing,
  options: WatchedDatabaseOptions = {},
): Kysely<DB> {
  const recorder = Timing.recorderOf(timing, 'attach()')
  const make = databaseFrom(recorder, 'attach()', 'kysely', options)
  const executor = db.getExecutor()
  const { adapter } = executor
  const known = connectionWatch(adapter)
  if (known instanceof KyselyWatch && known.recorder === recorder) return db
  // Also by another installed copy, whose watch is of another class.
  if (known !== undefined) timedAlready('attach()')
  const hasOneConnection = adapter.supportsMultipleConnections === false
  const watch = new KyselyWatch(
    recorder,
    make(systemOf(adapter), hasOneConnection),
    hasOneConnection,
  )
  watchConnections(adapter, watch)
  const instance = instanceOf(adapter)
  if (instance !== undefined) watchPGlite(instance.baseDriver, watch)
  watchDestroy(db, watch)
  watch.use(executor)
  return db
}

/** Hears when a database, or its driver, is destroyed; it stays the object that it is, since others call it, too. */
function watchDestroy(target: { destroy(): Promise<void> }, watch: KyselyWatch): void {
  const destroy = target.destroy.bind(target)
  // Of one that lets nobody change it, the end is not heard of.
  Reflect.defineProperty(target, 'destroy', {
    configurable: true,
    writable: true,
    value: async (): Promise<void> => {
      try {
        await destroy()
      } finally {
        watch.closed()
      }
    },
  })
}

/** OpenTelemetry's word where it has one: https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/ */
function systemOf(adapter: DialectAdapter): string {
  return engineNameOfAdapter(adapter) ?? 'other_sql'
}
