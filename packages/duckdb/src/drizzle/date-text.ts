import { InfiniteTimestampError } from '../errors.ts'
import { DateRangeError } from '../values/read/date-range-error.ts'

/**
 * The `Date` of a DATE, TIMESTAMP or TIMESTAMPTZ as DuckDB writes it, cut to milliseconds; one without a zone is taken
 * as UTC.
 *
 * @returns undefined for any other text
 * @throws {InfiniteTimestampError} for `infinity`, which no `Date` is
 * @throws {DateRangeError} for one beyond what a `Date` can hold
 */
export function dateOfText(text: string, column: string): Date | undefined {
  // Of ISO 8601 `Date` makes what it says, and it does so fast; of other formats it takes the year 99 for 1999.
  if (iso.test(text)) return new Date(`${text.slice(0, 10)}T${text.slice(11)}Z`)
  if (text === 'infinity' || text === '-infinity') throw new InfiniteTimestampError(column, text)
  const parts = pattern.exec(text)?.groups
  if (parts === undefined) return undefined
  const year = parts['bc'] === undefined ? Number(parts['year']) : 1 - Number(parts['year'])
  const date = new Date(0)
  date.setUTCFullYear(year, Number(parts['month']) - 1, Number(parts['day']))
  const { hours = '0', minutes = '0', seconds = '0', fraction = '' } = parts
  date.setUTCHours(
    Number(hours),
    Number(minutes),
    Number(seconds),
    Number(fraction.slice(0, 3).padEnd(3, '0')),
  )
  const time = date.getTime() - offsetMs(parts)
  if (Number.isNaN(time)) throw new DateRangeError(column, text)
  return new Date(time)
}

/** A timestamp without a zone of the years 1 to 9999, which is most of them. */
const iso = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?$/

const pattern =
  /^(?<year>\d{4,})-(?<month>\d\d)-(?<day>\d\d)(?<bc> \(BC\))?(?:[ T](?<hours>\d\d):(?<minutes>\d\d):(?<seconds>\d\d)(?:\.(?<fraction>\d+))?(?:(?<sign>[+-])(?<offsetHours>\d\d)(?::?(?<offsetMinutes>\d\d))?)?)?$/

function offsetMs({
  sign,
  offsetHours = '0',
  offsetMinutes = '0',
}: Record<string, string>): number {
  const minutes = Number(offsetHours) * 60 + Number(offsetMinutes)
  return (sign === '-' ? -minutes : minutes) * 60_000
}
