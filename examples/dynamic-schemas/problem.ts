/** What a client is told of an error: RFC 9457, `application/problem+json`. */
import { BulkInsertError } from '@keelson/bulk-insert'
import { describeError, type ErrorCategory, KeelsonError } from '@keelson/core'

export interface ProblemDetails {
  readonly status: number
  /** What happened, for programs. */
  readonly code: string
  /** What happened and what to do, for people. */
  readonly detail: string
  readonly [more: string]: unknown
}

/** A request that cannot be answered as it was meant. */
export class Problem extends Error {
  readonly details: ProblemDetails

  constructor(status: number, code: string, detail: string, more: object = {}) {
    super(detail)
    this.details = { status, code, detail, ...more }
  }
}

/** @returns what it is, with status 500 where it is nobody's fault but ours */
export function problemOf(error: unknown): ProblemDetails {
  if (error instanceof Problem) return error.details
  if (error instanceof BulkInsertError) {
    const { attempted, inserted, updated, skipped, rejected, durableRows } = error.report
    const report = { attempted, inserted, updated, skipped, rejected, durableRows }
    return { ...problemOf(error.cause ?? new Problem(422, error.code, error.message)), report }
  }
  // What a definition or a row was refused for, before anything was sent.
  if (error instanceof KeelsonError && refusals.has(error.name)) {
    return { status: 422, code: error.code, detail: error.message }
  }
  const { category, constraint, columns, message } = describeError(error)
  const status = statuses[category] ?? 500
  if (status === 500) return { status, code: 'INTERNAL', detail: 'Something went wrong here.' }
  return {
    status,
    code: category.toUpperCase(),
    detail: message,
    ...(constraint !== undefined && { constraint }),
    ...(columns !== undefined && { fields: columns }),
  }
}

export function problemResponse(error: unknown): Response {
  const details = problemOf(error)
  if (details.status >= 500) console.error(error)
  return Response.json(
    { type: 'about:blank', ...details },
    {
      status: details.status,
      headers: {
        'content-type': 'application/problem+json',
        ...(details.status === 503 && { 'retry-after': '1' }),
      },
    },
  )
}

const refusals = new Set([
  'DefinitionError',
  'IdentifierError',
  'NameCollisionError',
  'RowError',
  'SchemaError',
  'UnsupportedByEngineError',
])

const statuses: Readonly<Partial<Record<ErrorCategory, number>>> = {
  unique: 409,
  foreignKey: 422,
  notNull: 422,
  check: 422,
  value: 422,
  busy: 503,
  serialization: 503,
  deadlock: 503,
  timeout: 503,
  connection: 503,
  resource: 503,
}
