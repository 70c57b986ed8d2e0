import type { IndexAdvice } from './advice.ts'

/**
 * The advice in one line for each index, for `createTiming({ advice: () => adviceLines(latest) })`: its report and page show
 * them among the findings.
 */
export function adviceLines({ proposals, drops }: IndexAdvice): readonly string[] {
  return [
    ...proposals.map(({ sql, gain, bytes, queries, confidence }) => {
      const helped = queries.length === 1 ? '1 query' : `${queries.length} queries`
      return (
        `${sql}: saves ${(gain * 100).toFixed(0)} % of the time of all queries, for ${helped}, ` +
        `takes ${(bytes / 1e6).toFixed(1)} MB (confidence: ${confidence})`
      )
    }),
    ...drops.map(({ index, why }) => `The index ${index} could go: ${why}`),
  ]
}
