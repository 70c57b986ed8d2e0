import type { QueryActivity } from './activity.ts'

const values: Readonly<Record<string, (query: QueryActivity) => number>> = {
  time: ({ totalMs }) => totalMs,
  calls: ({ calls }) => calls,
  p50: ({ p50Ms }) => p50Ms,
  p95: ({ p95Ms }) => p95Ms,
  p99: ({ p99Ms }) => p99Ms,
  max: ({ maxMs }) => maxMs,
  rows: ({ rows }) => rows,
  errors: ({ errors }) => errors,
  wait: ({ waitMs }) => waitMs,
}

/** By what queries can be sorted; the first is the one to begin with. */
export const sortings: readonly string[] = Object.keys(values)

/** The queries with the most of it first. */
export function sorted(queries: readonly QueryActivity[], by: string): QueryActivity[] {
  const value = values[by]!
  return queries.toSorted((one, other) => value(other) - value(one))
}
