import { mayHoldValue } from '../fingerprint/may-hold-value.ts'
import { withoutParams } from '../record/message-of.ts'
import type { Sink } from '../sink.ts'
import { signalLine } from './findings.ts'

/** A logger like pino: an object with what is known first, then a text. */
export interface StructuredLogger {
  info(fields: object, message: string): unknown
  warn(fields: object, message: string): unknown
  error(fields: object, message: string): unknown
}

/**
 * Writes to a logger of pino's shape what deserves a line: failed queries and signals, slow queries among them, under the
 * names of OpenTelemetry (https://opentelemetry.io/docs/specs/semconv/database/database-spans/). Broken constraints are
 * of level `info`, since they are answers.
 *
 * No value of a statement is in `db.query.text`: where one may stand, it is the fingerprint. `err` is the engine's own error,
 * which may name values: PostgreSQL has the key of a broken constraint in `detail`, MySQL and DuckDB have it in the message.
 * Have the logger leave that out where it must not be kept (pino: `redact: ['err.detail', 'err.message', 'err.stack']`).
 *
 * @example
 * createTiming({ sinks: [logSink(pino())] })
 */
export function logSink(logger: StructuredLogger): Sink {
  return {
    query({
      fp,
      outcome,
      error,
      errorType,
      errorClass,
      system,
      db,
      sql,
      paramCount,
      waitMs,
      executeMs,
      totalMs,
      tx,
      scope,
    }) {
      if (outcome !== 'error') return
      const fields = {
        // What Drizzle wraps it in says the values of parameters.
        err: withoutParams(error),
        'db.system.name': system,
        'db.query.summary': fp!.summary,
        'db.query.text': mayHoldValue(sql, system) ? fp!.text : sql,
        'error.type': errorType ?? errorClass,
        'keelson.database': db,
        'keelson.fingerprint': fp!.id,
        'keelson.param_count': paramCount,
        'keelson.wait_ms': waitMs,
        'keelson.execute_ms': executeMs,
        'keelson.total_ms': totalMs,
        ...(tx !== undefined && { 'keelson.transaction': tx.id }),
        ...(scope !== undefined && { 'keelson.scope': scope.name }),
      }
      logger[errorClass === 'constraint' ? 'info' : 'error'](fields, `${fp!.summary} failed`)
    },
    signal(signal) {
      const { type, level, fp, evidence, fix } = signal
      const fields = {
        'keelson.signal': type,
        ...(fp !== undefined && { 'keelson.fingerprint': fp }),
        ...(fix !== undefined && { 'keelson.fix': fix }),
        'keelson.evidence': evidence,
      }
      logger[level === 'critical' ? 'error' : 'warn'](fields, signalLine(signal))
    },
  }
}
