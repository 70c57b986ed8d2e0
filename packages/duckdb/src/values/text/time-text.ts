import { dayOfText } from './day-text.ts'

/** A time of day, or an instant. */
export interface ParsedTime {
  /** Whole seconds, since midnight or since 1970. */
  readonly second: number
  /** The digits beyond the second, without trailing zeros. */
  readonly digits: string
  /** Seconds ahead of UTC; undefined where the text has none. */
  readonly offset: number | undefined
}

const secondsPerDay = 86_400

const clock = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?/
const zone = /^ ?(?:(Z)|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)$/

/** What a text such as `08:15:00.5+02` says; undefined for any other text. `24:00:00` is the end of the day. */
export function parseTime(text: string): ParsedTime | undefined {
  const parts = clock.exec(text)
  if (parts === null) return undefined
  const [matched, hour, minute, second = '0', fraction = ''] = parts
  const offset = parseOffset(text.slice(matched.length))
  if (offset === undefined) return undefined
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second)
  const digits = fraction.replace(/0+$/, '')
  if (Number(minute) > 59 || Number(second) > 59) return undefined
  if (seconds > secondsPerDay || (seconds === secondsPerDay && digits !== '')) return undefined
  return { second: seconds, digits, offset: offset.seconds }
}

const dayAndTime = /^(\S+(?: \(BC\))?)[ T](\d\d:.*)$/

/** What a text such as `2026-11-21 08:15:00.5`, `2026-11-21` or an ISO 8601 instant says; undefined for any other text. */
export function parseTimestamp(text: string): ParsedTime | undefined {
  const parts = dayAndTime.exec(text)
  const day = dayOfText(parts?.[1] ?? text)
  const time = parts === null ? midnight : parseTime(parts[2]!)
  if (day === undefined || time === undefined || time.second === secondsPerDay) return undefined
  return { ...time, second: day * secondsPerDay + time.second - (time.offset ?? 0) }
}

const midnight: ParsedTime = { second: 0, digits: '', offset: undefined }

function parseOffset(text: string): { readonly seconds: number | undefined } | undefined {
  if (text === '') return { seconds: undefined }
  const parts = zone.exec(text)
  if (parts === null) return undefined
  if (parts[1] !== undefined) return { seconds: 0 }
  const [, , sign, hour, minute = '0', second = '0'] = parts
  if (Number(minute) > 59 || Number(second) > 59) return undefined
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second)
  if (seconds > 57_599) return undefined
  return { seconds: sign === '-' ? -seconds : seconds }
}
