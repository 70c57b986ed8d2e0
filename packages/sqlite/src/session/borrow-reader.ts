import {
  ConnectionBusyError,
  excerpt,
  type Lease,
  type Pool,
  PoolAcquireTimeoutError,
} from '@keelson/core'
import type { ResolvedSqliteOptions } from '../options.ts'

type ReaderOptions = Pick<ResolvedSqliteOptions, 'readers' | 'busyTimeoutMs'>

/** What pools of read connections have in common. */
export function readersSettings(
  path: string,
  { readers, busyTimeoutMs }: ReaderOptions,
): { readonly name: string; readonly max: number; readonly acquireTimeoutMs: number } {
  return {
    name: `readers of ${path}`,
    max: readers,
    acquireTimeoutMs: Math.max(1, busyTimeoutMs),
  }
}

/**
 * A read connection, as soon as one is free.
 *
 * @param purpose what it is for, for the error message of others
 * @throws {ConnectionBusyError} after `busyTimeoutMs`, naming what has them all
 */
export async function borrowFrom<T>(
  pool: Pool<T>,
  { readers, busyTimeoutMs }: ReaderOptions,
  purpose: string,
  signal: AbortSignal | undefined,
): Promise<Lease<T>> {
  try {
    return await pool.acquire({ signal, purpose: excerpt(purpose) })
  } catch (error) {
    if (!(error instanceof PoolAcquireTimeoutError)) throw error
    throw new ConnectionBusyError(
      `Gave up after ${busyTimeoutMs} ms (busyTimeoutMs) of waiting for one of the ${readers} ` +
        `read connections to run ${excerpt(purpose)}. All are in use, by streams or read-only transactions: end those ` +
        'that were forgotten, or allow more with the option `readers`.',
      { cause: error },
    )
  }
}
