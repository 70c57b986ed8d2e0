import { checkOptionNames, invalidOption, type QueryEvent } from '@keelson/core'
import { type Attributes, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import { longestJudged, mayHoldValue } from '../fingerprint/may-hold-value.ts'
import type { Sink } from '../sink.ts'

/** Which queries become spans, and what is on them. */
export interface SpanSinkOptions {
  /**
   * `auto`: those inside a span that is recorded, so that a trace has them and nothing else does. `tail`: those that failed or
   * took long, which costs the others nothing. `all`: every one. @default 'auto'
   */
  readonly spans?: 'auto' | 'tail' | 'all' | undefined
  /** With `tail`, how many milliseconds are long. @default 100 */
  readonly tailMs?: number | undefined
  /** @default the global provider's tracer `@keelson/timing` */
  readonly tracer?: Tracer | undefined
  /** Put `db.response.returned_rows` on spans, which OpenTelemetry has in development and opt-in. @default false */
  readonly returnedRows?: boolean | undefined
}

/** Statements whose attributes are kept: how many, and how many characters they may have together. */
const most = 2_000
const mostCharacters = 1_000_000

/**
 * Makes a span of OpenTelemetry from each query, by the stable conventions for database clients
 * (https://opentelemetry.io/docs/specs/semconv/database/database-spans/). It is a child of the span that is active where the
 * query was awaited, and lasts from the end of the wait for a connection to the answer.
 *
 * The text of a query is on it as it was sent, where its values are parameters; where a value stands in the text, or could
 * (in a comment, or in a text of more than 4,096 characters), the text is that of the fingerprint. `db.collection.name` is not set: the conventions forbid to parse it from the text.
 *
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const timing = createTiming({ sinks: [spanSink()] })
 */
export function spanSink(options: SpanSinkOptions = {}): Sink {
  checkOptionNames('spanSink()', options, ['spans', 'tailMs', 'tracer', 'returnedRows'])
  const { spans = 'auto', tailMs = 100, returnedRows = false } = options
  if (!['auto', 'tail', 'all'].includes(spans))
    invalidOption('spanSink()', 'spans', spans, "'auto', 'tail', 'all'")
  if (!(tailMs >= 0)) invalidOption('spanSink()', 'tailMs', tailMs, 'milliseconds, 0 or more')
  const known = new Map<string, Attributes>()
  let characters = 0
  const knownOf = (event: QueryEvent): Attributes => {
    const { sql, system } = event
    const found = known.get(sql)
    if (found !== undefined && found['db.system.name'] === system) return found
    const attributes = attributesOf(event)
    if (sql.length > longestJudged) return attributes
    if (known.size >= most || characters + sql.length > mostCharacters) {
      known.clear()
      characters = 0
    }
    characters += sql.length
    known.set(sql, attributes)
    return attributes
  }
  return {
    query(event) {
      if (!isWanted(event, spans, tailMs)) return
      const tracer = options.tracer ?? trace.getTracer('@keelson/timing')
      const attributes = knownOf(event)
      const start = performance.timeOrigin + event.startMs
      const span = tracer.startSpan(event.fp!.summary || event.system, {
        kind: SpanKind.CLIENT,
        startTime: start + event.waitMs,
        attributes:
          event.batchSize === undefined
            ? attributes
            : { ...attributes, 'db.operation.batch.size': event.batchSize },
      })
      if (event.outcome === 'error') {
        const type = event.errorType ?? '_OTHER'
        span.setAttribute('error.type', type)
        if (event.errorType !== undefined) span.setAttribute('db.response.status_code', type)
        span.setStatus({ code: SpanStatusCode.ERROR })
      }
      if (returnedRows) span.setAttribute('db.response.returned_rows', event.rows)
      span.end(start + event.totalMs)
    },
  }
}

function isWanted(
  { totalMs, waitMs, outcome }: QueryEvent,
  spans: string,
  tailMs: number,
): boolean {
  if (spans === 'all') return true
  if (spans === 'tail') return outcome === 'error' || totalMs - waitMs >= tailMs
  return trace.getActiveSpan()?.isRecording() === true
}

function attributesOf({ system, sql, fp }: QueryEvent): Attributes {
  return {
    'db.system.name': system,
    'db.query.text': mayHoldValue(sql, system) ? fp!.text : sql,
    'db.query.summary': fp!.summary,
    'db.operation.name': fp!.operation,
  }
}
