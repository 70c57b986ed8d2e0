import { KeelsonError } from '@keelson/core'

/** A date or timestamp lies beyond what a `Date` can hold, some 270,000 years before or after today. */
export class DateRangeError extends KeelsonError {
  declare readonly code: 'DATE_RANGE'
  readonly column: string
  /** The date or timestamp as text. */
  readonly value: string

  constructor(column: string, value: string) {
    super(
      'DATE_RANGE',
      `Column "${column}" holds ${value}, which is beyond what a Date can hold. ` +
        "Use date: 'string' and timestamp: 'string' to read it.",
    )
    this.column = column
    this.value = value
  }
}
