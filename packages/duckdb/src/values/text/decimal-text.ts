/**
 * A decimal as text with exactly `scale` digits after the point: `1.50`, `-0.1500`.
 *
 * @param unscaled the decimal times 10 to the power of `scale`; a number is a safe integer
 */
export function decimalText(unscaled: number | bigint, scale: number): string {
  if (scale === 0) return String(unscaled)
  const isNegative = unscaled < 0
  const digits = String(isNegative ? -unscaled : unscaled).padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${isNegative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
}

/** The number that is nearest to a decimal. */
export function decimalNumber(unscaled: number | bigint, scale: number): number {
  // Both are exact up to 10 ** 22, and a division of exact numbers is rounded once.
  if (typeof unscaled === 'number' && scale <= 22) return unscaled / 10 ** scale
  return Number(decimalText(unscaled, scale))
}
