/** A decimal number, exactly: `unscaled` divided by 10 to the power of `scale`. */
export interface Decimal {
  readonly unscaled: bigint
  /** 0 or more. */
  readonly scale: number
}

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i

/** What a text says as a decimal number, with all its digits; undefined for any other text. */
export function decimalOfText(text: string): Decimal | undefined {
  const parts = pattern.exec(withoutSeparators(text.trim()))
  if (parts === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  if (whole === '' && fraction === '') return undefined
  const significant = fraction.replace(/0+$/, '')
  const scale = significant.length - Number(exponent)
  const digits = BigInt(`${whole}${significant}` || '0')
  const unscaled = sign === '-' ? -digits : digits
  return scale >= 0
    ? lowest({ unscaled, scale })
    : { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 }
}

/** The decimal of another scale; undefined where that would lose digits. */
export function rescaled({ unscaled, scale }: Decimal, to: number): bigint | undefined {
  return scale > to ? undefined : unscaled * 10n ** BigInt(to - scale)
}

/** How many digits it has before and after the point. */
export function digitsOf({ unscaled, scale }: Decimal): number {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().length
  return Math.max(digits, scale)
}

/** DuckDB takes `1_000` for a number. */
function withoutSeparators(text: string): string {
  return text.includes('_') ? text.replaceAll(/(?<=\d)_(?=\d)/g, '') : text
}

function lowest({ unscaled, scale }: Decimal): Decimal {
  let lower = unscaled
  let digits = scale
  while (digits > 0 && lower % 10n === 0n) {
    lower /= 10n
    digits--
  }
  return { unscaled: lower, scale: digits }
}
