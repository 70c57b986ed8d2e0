import { excerpt, KeelsonError } from '@keelson/core'

/** A JSON value is written in a way that DuckDB accepts and JavaScript does not. */
export class JsonTextError extends KeelsonError {
  declare readonly code: 'JSON_TEXT'
  readonly column: string
  /** The text, in full. */
  readonly value: string

  constructor(column: string, value: string, options?: ErrorOptions) {
    super(
      'JSON_TEXT',
      `Column "${column}" holds ${excerpt(value)}, which DuckDB takes for JSON and JavaScript does not. ` +
        "Use json: 'string' to read it as text.",
      options,
    )
    this.column = column
    this.value = value
  }
}
