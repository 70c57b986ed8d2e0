/** Days of 400 years, after which the calendar repeats. */
const daysPerEra = 146_097

/** From 0000-03-01 to 1970-01-01. */
const epochOffset = 719_468

/** Days of the year, which here begins in March, before each month. */
const marchDay = (month: number): number => Math.floor((153 * month + 2) / 5)

/**
 * The text that DuckDB prints for a DATE: `2026-11-21`, `0044-03-15 (BC)`, `12345-01-01`.
 *
 * @param day counted from 1970-01-01
 */
export function dayText(day: number): string {
  // https://howardhinnant.github.io/date_algorithms.html#civil_from_days
  const shifted = day + epochOffset
  const era = Math.floor(shifted / daysPerEra)
  const dayOfEra = shifted - era * daysPerEra
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const march = Math.floor((5 * dayOfYear + 2) / 153)
  const dayOfMonth = dayOfYear - marchDay(march) + 1
  const month = march < 10 ? march + 3 : march - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const rest = `${month < 10 ? '-0' : '-'}${month}${dayOfMonth < 10 ? '-0' : '-'}${dayOfMonth}`
  return year > 0
    ? `${String(year).padStart(4, '0')}${rest}`
    : `${String(1 - year).padStart(4, '0')}${rest} (BC)`
}

const pattern = /^(\d{4,7})-(\d\d)-(\d\d)( \(BC\))?$/

/** The day of a text as `dayText()` makes them; undefined for any other text, and for days that do not exist. */
export function dayOfText(text: string): number | undefined {
  const parts = pattern.exec(text)
  if (parts === null) return undefined
  const digits = Number(parts[1])
  const month = Number(parts[2])
  const dayOfMonth = Number(parts[3])
  if (month < 1 || month > 12 || dayOfMonth < 1) return undefined
  const year = (parts[4] === undefined ? digits : 1 - digits) - (month <= 2 ? 1 : 0)
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const dayOfYear = marchDay(month > 2 ? month - 3 : month + 9) + dayOfMonth - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  const day = era * daysPerEra + dayOfEra - epochOffset
  // A 31st of April comes out as another day. So do a year 0, and one of too many digits.
  const isPlain = dayOfMonth <= 28 && digits > 0 && text.length === 10
  return isPlain || dayText(day) === text ? day : undefined
}
