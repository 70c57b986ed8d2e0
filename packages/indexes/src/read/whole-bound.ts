import type { Bound } from './field.ts'

type WholeKind = 'int32' | 'integer' | 'bigint'

const ranges: Readonly<Record<WholeKind, readonly [lowest: bigint, highest: bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  integer: [BigInt(Number.MIN_SAFE_INTEGER), BigInt(Number.MAX_SAFE_INTEGER)],
  bigint: [-(2n ** 63n), 2n ** 63n - 1n],
}

/**
 * A bound of whole numbers as the nearest whole number that it lets through, so that `> 2.5` and `>= 3` are one; none where
 * the type itself is narrower.
 */
export function wholeBound(
  operator: Bound['operator'] & ('>=' | '>' | '<=' | '<'),
  value: number | bigint,
  kind: WholeKind,
): readonly Bound[] {
  const [lowest, highest] = ranges[kind]
  const isLower = operator === '>' || operator === '>='
  // Infinity is no literal of SQL; no value, or every one, is on its other side.
  if (typeof value === 'number' && !Number.isFinite(value)) return []
  const isWhole = typeof value === 'bigint' || Number.isInteger(value)
  const nearest = BigInt(
    isWhole ? value : isLower ? Math.ceil(Number(value)) : Math.floor(Number(value)),
  )
  const strict = isWhole && (operator === '>' || operator === '<')
  const inclusive = nearest + (strict ? (isLower ? 1n : -1n) : 0n)
  if (isLower ? inclusive <= lowest : inclusive >= highest) return []
  return [
    {
      of: 'value',
      operator: isLower ? '>=' : '<=',
      value: kind === 'bigint' ? inclusive : Number(inclusive),
    },
  ]
}
