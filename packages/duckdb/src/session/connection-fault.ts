import { describeError } from '@keelson/core'

/** Why a connection must not be used again after an error, `undefined` where it may be. */
export function faultOf(error: unknown): string | undefined {
  const { engine, code } = describeError(error)
  if (engine !== 'duckdb') return undefined
  return code === 'FATAL' || code === 'INTERNAL' || code === undefined
    ? 'an error that leaves the connection in doubt'
    : undefined
}
