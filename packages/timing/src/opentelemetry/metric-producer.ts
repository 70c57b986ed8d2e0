import { checkOptionNames, invalidOption } from '@keelson/core'
import type { Attributes, HrTime } from '@opentelemetry/api'
import type { Recorder } from '../record/recorder.ts'
import type { Histogram } from '../stats/histogram.ts'
import { Timing } from '../timing.ts'

/** What the metrics are to be like. */
export interface MetricProducerOptions {
  /**
   * Upper bounds of the buckets of durations, in seconds, ascending. OpenTelemetry advises 0.001 to 10, where all queries of
   * SQLite are in the first; begin at 0.00001 for it. @default [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
   */
  readonly boundaries?: readonly number[] | undefined
  /** Give `db.client.connection.*` as well, which OpenTelemetry has in development. @default false */
  readonly development?: boolean | undefined
}

/** A `MetricProducer` of `@opentelemetry/sdk-metrics`, as far as its readers ask. */
export interface MetricProducer {
  collect(): Promise<{ readonly resourceMetrics: any; readonly errors: unknown[] }>
}

/** The numbers of `DataPointType` and `AggregationTemporality`, which are the SDK's, and no dependency is worth them. */
const dataPoint = { histogram: 0, gauge: 2 } as const
const cumulative = 1

/**
 * Gives the metrics of a timing to a reader of OpenTelemetry's SDK, which asks when it exports: nothing is recorded twice, and
 * a query costs nothing more. `db.client.operation.duration` is by the stable conventions; `error.type` of what failed is the
 * category of the error (`unique`, `busy`, `timeout`, ...), of which there are few:
 * https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
 *
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * new PeriodicExportingMetricReader({ exporter, metricProducers: [metricProducer(timing)] })
 */
export function metricProducer(
  timing: Timing,
  options: MetricProducerOptions = {},
): MetricProducer {
  checkOptionNames('metricProducer()', options, ['boundaries', 'development'])
  const recorder = Timing.recorderOf(timing, 'metricProducer()')
  const { boundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10], development = false } =
    options
  const isAscending = boundaries.every(
    (bound, index) => index === 0 || bound > boundaries[index - 1]!,
  )
  if (boundaries.length === 0 || !isAscending)
    invalidOption('metricProducer()', 'boundaries', boundaries, 'seconds, ascending')
  const startTime = hrTime(performance.timeOrigin + recorder.startMs)
  return {
    async collect() {
      const times = { startTime, endTime: hrTime(performance.timeOrigin + performance.now()) }
      const metrics = [durations(recorder, boundaries, times)]
      if (development)
        metrics.push(waits(recorder, boundaries, times), ...connections(recorder, times))
      return {
        resourceMetrics: {
          // A reader takes that of its own provider.
          resource: { attributes: {}, merge: (other: unknown) => other },
          scopeMetrics: [{ scope: { name: '@keelson/timing' }, metrics }],
        },
        errors: [],
      }
    },
  }
}

interface Times {
  readonly startTime: HrTime
  readonly endTime: HrTime
}

function durations({ databases }: Recorder, boundaries: readonly number[], times: Times): object {
  const points = Array.from(databases).flatMap(({ name, system, registry }) =>
    registry.series().flatMap(({ fp: { summary, operation }, histogram, totalMs, failures }) => {
      const attributes = {
        'db.system.name': system,
        // Two databases of one engine have to be told apart.
        'db.namespace': name,
        'db.query.summary': summary,
        ...(operation !== '' && { 'db.operation.name': operation }),
      }
      const failed = Array.from(failures, ([category, calls]) => ({
        category,
        durations: durationsOf(calls.histogram, calls.totalMs, boundaries),
      }))
      const succeeded = failed.reduce(
        (rest, { durations: part }) => without(rest, part),
        durationsOf(histogram, totalMs, boundaries),
      )
      const failedPoints = failed.map(({ category, durations: part }) =>
        histogramPoint({ ...attributes, 'error.type': category }, part, boundaries, times),
      )
      return succeeded.count === 0
        ? failedPoints
        : [histogramPoint(attributes, succeeded, boundaries, times), ...failedPoints]
    }),
  )
  return histogramMetric(
    'db.client.operation.duration',
    'Duration of database client operations.',
    points,
  )
}

function waits({ databases }: Recorder, boundaries: readonly number[], times: Times): object {
  const points = Array.from(databases, ({ name, waits: histogram, totalWaitMs }) =>
    histogramPoint(
      { 'db.client.connection.pool.name': name },
      durationsOf(histogram, totalWaitMs, boundaries),
      boundaries,
      times,
    ),
  )
  return histogramMetric(
    'db.client.connection.wait_time',
    'The time it took to obtain an open connection from the pool.',
    points,
  )
}

function connections({ databases }: Recorder, times: Times): object[] {
  const pools = Array.from(databases).flatMap(({ name, gauges }) => {
    const pool = gauges?.()
    return pool === undefined ? [] : [{ name, ...pool }]
  })
  const point = (name: string, value: number, more: Attributes = {}): object => ({
    attributes: { 'db.client.connection.pool.name': name, ...more },
    value,
    ...times,
  })
  const state = 'db.client.connection.state'
  return [
    gaugeMetric(
      'db.client.connection.count',
      '{connection}',
      pools.flatMap(({ name, size, idle }) => [
        point(name, idle, { [state]: 'idle' }),
        point(name, size - idle, { [state]: 'used' }),
      ]),
    ),
    gaugeMetric(
      'db.client.connection.max',
      '{connection}',
      pools.map(({ name, max }) => point(name, max)),
    ),
    gaugeMetric(
      'db.client.connection.pending_requests',
      '{request}',
      pools.map(({ name, pending }) => point(name, pending)),
    ),
  ]
}

/** What a data point says. */
interface Durations {
  readonly counts: readonly number[]
  readonly count: number
  readonly totalMs: number
}

function durationsOf(
  histogram: Histogram,
  totalMs: number,
  boundaries: readonly number[],
): Durations {
  const totals = histogram.cumulative(boundaries.map((bound) => bound * 1000))
  const counts = [...totals, histogram.count].map(
    (count, index, all) => count - (all[index - 1] ?? 0),
  )
  return { counts, count: histogram.count, totalMs }
}

function without(all: Durations, part: Durations): Durations {
  return {
    counts: all.counts.map((count, index) => count - part.counts[index]!),
    count: all.count - part.count,
    // Of sums in another order the difference may be a little off.
    totalMs: Math.max(0, all.totalMs - part.totalMs),
  }
}

function histogramPoint(
  attributes: Attributes,
  { counts, count, totalMs }: Durations,
  boundaries: readonly number[],
  times: Times,
): object {
  const buckets = { boundaries: [...boundaries], counts }
  return { attributes, ...times, value: { buckets, sum: totalMs / 1000, count } }
}

function histogramMetric(name: string, description: string, dataPoints: readonly object[]): object {
  return {
    descriptor: { name, description, unit: 's', type: 'HISTOGRAM', valueType: 1, advice: {} },
    aggregationTemporality: cumulative,
    dataPointType: dataPoint.histogram,
    dataPoints,
  }
}

function gaugeMetric(name: string, unit: string, dataPoints: readonly object[]): object {
  return {
    descriptor: { name, description: '', unit, type: 'GAUGE', valueType: 0, advice: {} },
    aggregationTemporality: cumulative,
    dataPointType: dataPoint.gauge,
    dataPoints,
  }
}

function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1000)
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)]
}
