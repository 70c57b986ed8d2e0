import type { Recorder } from '../record/recorder.ts'
import type { Histogram } from '../stats/histogram.ts'

/** Upper bounds of the buckets in seconds: from a read of SQLite to what nobody waits for. */
const bounds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

/** The media type of the text format, for the header. */
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8'

type Labels = Readonly<Record<string, string>>

/**
 * Everything that is counted, in the text format of Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Series belong to a database and a summary (operation and
 * tables), never to a text, and there are at most 200 of them for a database.
 */
export function prometheusText(recorder: Recorder): string {
  const out = new Exposition()
  const databases = [...recorder.databases]
  out.family('keelson_query_duration_seconds', 'histogram', 'Execution and decoding of queries.')
  for (const { name, system, registry } of databases)
    for (const { fp, histogram, totalMs } of registry.series())
      out.histogram(
        'keelson_query_duration_seconds',
        { database: name, system, summary: fp.summary },
        histogram,
        totalMs,
      )
  out.family('keelson_query_rows_total', 'counter', 'Rows that queries have returned.')
  for (const { name, system, registry } of databases)
    for (const { fp, rows } of registry.series())
      out.sample('keelson_query_rows_total', { database: name, system, summary: fp.summary }, rows)
  out.family(
    'keelson_query_errors_total',
    'counter',
    'Queries that have failed, by the category of the error.',
  )
  for (const { name, system, registry } of databases)
    for (const { fp, failures } of registry.series())
      for (const [category, { histogram }] of failures)
        out.sample(
          'keelson_query_errors_total',
          { database: name, system, summary: fp.summary, category },
          histogram.count,
        )
  out.family('keelson_connection_wait_seconds', 'histogram', 'Time until a connection was free.')
  for (const { name, system, waits, totalWaitMs } of databases)
    out.histogram('keelson_connection_wait_seconds', { database: name, system }, waits, totalWaitMs)
  out.family('keelson_queries_running', 'gauge', 'Queries that are on their way.')
  for (const { name, system, running } of databases)
    out.sample('keelson_queries_running', { database: name, system }, running)
  out.family('keelson_pool_connections', 'gauge', 'Connections of the pool, by state.')
  for (const { name, system, gauges } of databases) {
    const pool = gauges?.()
    if (pool === undefined) continue
    const { max, size, idle, pending } = pool
    for (const [state, count] of Object.entries({ used: size - idle, idle, max, pending }))
      out.sample('keelson_pool_connections', { database: name, system, state }, count)
  }
  out.family('keelson_transactions_total', 'counter', 'Transactions that have ended, by outcome.')
  for (const { name, system, transactions } of databases)
    for (const [outcome, count] of transactions.outcomes)
      out.sample('keelson_transactions_total', { database: name, system, outcome }, count)
  out.family('keelson_transaction_open_seconds', 'histogram', 'How long transactions were open.')
  for (const { name, system, transactions } of databases)
    out.histogram(
      'keelson_transaction_open_seconds',
      { database: name, system },
      transactions.openMs,
      transactions.totalOpenMs,
    )
  out.family('keelson_transactions_open', 'gauge', 'Transactions that are open.')
  for (const { name, system, transactions } of databases)
    out.sample('keelson_transactions_open', { database: name, system }, transactions.open.size)
  out.family(
    'keelson_fingerprints_evicted_total',
    'counter',
    'Fingerprints that have lost their place.',
  )
  for (const { name, system, registry } of databases)
    out.sample(
      'keelson_fingerprints_evicted_total',
      { database: name, system },
      registry.allEvictions,
    )
  out.family('keelson_sink_failures_total', 'counter', 'Failures of sinks.')
  out.sample('keelson_sink_failures_total', {}, recorder.sinks.failures)
  return out.text
}

class Exposition {
  text = ''

  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void {
    this.text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  }

  sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
    this.text += `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`
  }

  histogram(name: string, labels: Labels, histogram: Histogram, totalMs: number): void {
    const counts = histogram.cumulative(bounds.map((bound) => bound * 1000))
    for (const [index, count] of counts.entries())
      this.sample(`${name}_bucket`, { ...labels, le: String(bounds[index]) }, count)
    this.sample(`${name}_bucket`, { ...labels, le: '+Inf' }, histogram.count)
    this.sample(`${name}_sum`, labels, totalMs / 1000)
    this.sample(`${name}_count`, labels, histogram.count)
  }
}

function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
}
