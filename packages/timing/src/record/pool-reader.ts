/** What a pool says of itself. */
export interface PoolGauges {
  /** Connections that it may have. */
  readonly max: number
  /** Connections that it has. */
  readonly size: number
  /** Of these, those that nobody uses. */
  readonly idle: number
  /** Callers that wait for one. */
  readonly pending: number
}

/** How much of what a pool may have is in use, from 0 to 1. */
export function shareInUse({ max, size, idle }: PoolGauges): number {
  return (size - idle) / max
}

/**
 * Reads a pool of `pg`, `mysql2`, `tarn` (knex) or `@keelson/core`, told by what they have.
 *
 * @returns undefined for what is none of them
 */
export function poolReader(pool: unknown): (() => PoolGauges | undefined) | undefined {
  if (typeof pool !== 'object' || pool === null) return undefined
  const read = orUndefined(
    () =>
      pgReader(pool as PgPool) ??
      tarnReader(pool as TarnPool) ??
      keelsonReader(pool as KeelsonPool) ??
      mysqlReader(pool as MysqlPool),
  )
  return read && (() => orUndefined(read))
}

/** A pool that throws when it is looked at is as good as unknown: nobody's query fails for it. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** https://node-postgres.com/apis/pool#properties */
interface PgPool {
  readonly totalCount?: unknown
  readonly idleCount?: unknown
  readonly waitingCount?: unknown
  readonly options?: { readonly max?: unknown }
}

function pgReader(pool: PgPool): (() => PoolGauges) | undefined {
  if (typeof pool.totalCount !== 'number' || typeof pool.waitingCount !== 'number') return undefined
  return () => ({
    max: Number(pool.options?.max ?? 10),
    size: Number(pool.totalCount),
    idle: Number(pool.idleCount),
    pending: Number(pool.waitingCount),
  })
}

/** https://github.com/vincit/tarn.js/#usage */
interface TarnPool {
  readonly max?: unknown
  numUsed?(): number
  numFree?(): number
  numPendingAcquires?(): number
}

function tarnReader(pool: TarnPool): (() => PoolGauges) | undefined {
  if (typeof pool.numUsed !== 'function' || typeof pool.numPendingAcquires !== 'function')
    return undefined
  return () => ({
    max: Number(pool.max),
    size: pool.numUsed!() + pool.numFree!(),
    idle: pool.numFree!(),
    pending: pool.numPendingAcquires!(),
  })
}

interface KeelsonPool {
  readonly stats?: unknown
}

function keelsonReader(pool: KeelsonPool): (() => PoolGauges) | undefined {
  const read = ():
    | { max?: unknown; size?: unknown; idle?: unknown; waiting?: unknown }
    | undefined => pool.stats as never
  if (typeof read()?.waiting !== 'number') return undefined
  return () => {
    const { max, size, idle, waiting } = read()!
    return { max: Number(max), size: Number(size), idle: Number(idle), pending: Number(waiting) }
  }
}

/** mysql2 tells nothing of its pool in public; the queues are what its own tests read. */
interface MysqlPool {
  readonly pool?: MysqlPool
  readonly config?: { readonly connectionLimit?: unknown }
  readonly _allConnections?: { readonly length: number }
  readonly _freeConnections?: { readonly length: number }
  readonly _connectionQueue?: { readonly length: number }
}

function mysqlReader(given: MysqlPool): (() => PoolGauges) | undefined {
  // The pool of `mysql2/promise` has the other one inside.
  const pool = given.pool ?? given
  if (typeof pool._allConnections?.length !== 'number') return undefined
  return () => ({
    max: Number(pool.config?.connectionLimit ?? 10),
    size: pool._allConnections!.length,
    idle: pool._freeConnections?.length ?? 0,
    pending: pool._connectionQueue?.length ?? 0,
  })
}
