import type { QueryStats } from './query-stats.ts'

/** A value that is kept: what JSON can hold as it is, dates as ISO 8601, and 64-bit integers as text. */
export type SampledValue = string | number | boolean | null

/** A longer text is none that a row is found by. */
const longestText = 256

/**
 * Keeps the values of some calls: each call has the same chance to be among them, however many there are.
 *
 * @param most how many calls
 */
export function sample(
  stats: QueryStats,
  sql: string,
  params: readonly unknown[],
  most: number,
): void {
  // Of a statement with a longer list the values do not fit the text that is told.
  if (sql !== stats.sql || params.length === 0) return
  const samples = (stats.samples ??= [])
  const place = samples.length < most ? samples.length : Math.floor(Math.random() * stats.calls)
  if (place >= most) return
  const values = params.map(valueOf)
  if (values.every((value) => value !== undefined)) samples[place] = Object.freeze(values)
}

/** @returns undefined for what is not kept: bytes, objects, long texts */
function valueOf(value: unknown): SampledValue | undefined {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return value.length <= longestText ? value : undefined
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined
}
