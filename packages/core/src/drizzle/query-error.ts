import { KeelsonError } from '../errors/keelson-error.ts'
import { DrizzleQueryError } from './internals.ts'

/** Drizzle's wrapping of an engine's error. Our own refusals say what they are themselves, and stay what they are. */
export function queryError(sql: string, parameters: unknown[], error: unknown): unknown {
  return error instanceof KeelsonError
    ? error
    : new DrizzleQueryError(sql, parameters, error as Error)
}

/** Why a database without an engine runs nothing. */
export function mockError(): KeelsonError {
  return new KeelsonError(
    'MOCK_DATABASE',
    'A database made by drizzle.mock() builds queries and runs none. Use drizzle(path) to run them.',
  )
}
