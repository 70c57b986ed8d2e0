const two: readonly string[] = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))

/**
 * The text that DuckDB prints for a time of day: `08:15:00`, `08:15:00.123456`, also `24:00:00`.
 *
 * @param second whole seconds since midnight, or of a duration: hours go on beyond 99
 * @param fraction what is beyond the second, in units of 10 to the power of `-digits`
 */
export function clockText(second: number, fraction: number, digits: number): string {
  const minute = Math.floor(second / 60)
  const hour = Math.floor(minute / 60)
  const hours = hour < 100 ? two[hour]! : String(hour)
  const text = `${hours}:${two[minute - hour * 60]!}:${two[second - minute * 60]!}`
  return fraction === 0 ? text : text + fractionText(fraction, digits)
}

/** The offset of a TIMETZ as DuckDB prints it: `+00`, `-02:30`, `+15:59:59`. */
export function offsetText(seconds: number): string {
  const absolute = Math.abs(seconds)
  const [hour, minute, second] = [
    Math.floor(absolute / 3600),
    Math.floor(absolute / 60) % 60,
    absolute % 60,
  ]
  const rest =
    second > 0 ? `:${two[minute]!}:${two[second]!}` : minute > 0 ? `:${two[minute]!}` : ''
  return `${seconds < 0 ? '-' : '+'}${two[hour]!}${rest}`
}

function fractionText(fraction: number, digits: number): string {
  let rest = fraction
  let length = digits
  while (rest % 10 === 0) {
    rest /= 10
    length--
  }
  return `.${String(rest).padStart(length, '0')}`
}
