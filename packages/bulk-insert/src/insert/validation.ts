import { RowError } from '../errors.ts'
import type { StandardIssue, StandardSchema } from '../source/standard-schema.ts'

/** Rows checked by the caller's schema. */
export class Validation {
  readonly #schema: StandardSchema

  constructor(schema: StandardSchema) {
    this.#schema = schema
  }

  /**
   * @returns the row as the schema delivers it
   * @throws {RowError} `INVALID_ROW` with the schema's issues as its cause
   */
  check(row: unknown): unknown {
    const result = this.#schema['~standard'].validate(row)
    return result instanceof Promise ? result.then(outputOf) : outputOf(result)
  }
}

function outputOf(
  result:
    | { readonly value: unknown; readonly issues?: undefined }
    | { readonly issues: readonly StandardIssue[] },
): unknown {
  if (result.issues === undefined) return result.value
  const [first] = result.issues
  const column = columnOf(first)
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  throw new RowError(
    'INVALID_ROW',
    `is invalid${column === undefined ? '' : ` at ${JSON.stringify(column)}`}: ${first?.message ?? 'the schema says no more'}${more}.`,
    column,
    { cause: result.issues },
  )
}

function columnOf(issue: StandardIssue | undefined): string | undefined {
  const [first] = issue?.path ?? []
  if (first === undefined) return undefined
  return String(typeof first === 'object' ? first.key : first)
}
