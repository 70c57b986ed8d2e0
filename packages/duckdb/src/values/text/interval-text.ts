import { clockText } from './clock-text.ts'

/** The text that DuckDB prints for an INTERVAL: `1 year 2 months -3 days 01:00:00.5`, and `00:00:00` for none. */
export function intervalText(months: number, days: number, micros: bigint): string {
  const parts = [
    ...count(Math.trunc(months / 12), 'year'),
    ...count(months % 12, 'month'),
    ...count(days, 'day'),
  ]
  if (micros !== 0n || parts.length === 0) parts.push(durationText(micros))
  return parts.join(' ')
}

function count(number: number, unit: string): string[] {
  return number === 0 ? [] : [`${number} ${unit}${Math.abs(number) === 1 ? '' : 's'}`]
}

function durationText(micros: bigint): string {
  const absolute = micros < 0n ? -micros : micros
  const clock = clockText(Number(absolute / 1_000_000n), Number(absolute % 1_000_000n), 6)
  return micros < 0n ? `-${clock}` : clock
}

const pattern =
  /^(?:(-?\d+) years?)? ?(?:(-?\d+) months?)? ?(?:(-?\d+) days?)? ?(?:(-?)(\d{2,}):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/

/** What a text as `intervalText()` makes them says; undefined for any other text. */
export function parseInterval(
  text: string,
): { readonly months: number; readonly days: number; readonly micros: bigint } | undefined {
  const parts = pattern.exec(text)
  if (parts === null) return undefined
  const [, years = '0', more = '0', days = '0', sign, hour = '0', minute = '0', second = '0'] =
    parts
  const seconds = BigInt(hour) * 3600n + BigInt(minute) * 60n + BigInt(second)
  const absolute = seconds * 1_000_000n + BigInt((parts[8] ?? '').padEnd(6, '0'))
  const interval = {
    months: Number(years) * 12 + Number(more),
    days: Number(days),
    micros: sign === '-' ? -absolute : absolute,
  }
  // Leaves out what is written in another way, such as 14 months.
  return intervalText(interval.months, interval.days, interval.micros) === text
    ? interval
    : undefined
}
