import { describeError } from '@keelson/core'
import type { Host } from '../../host/host.ts'
import { lockTimeout } from './retry.ts'
import type { Patience, SchemaLock } from './schema-lock.ts'

/**
 * DuckDB lets one process write a file, so those of one process take turns, by the file. Connections that do not take part
 * (another copy of this package, other code) meet in the catalogue, where the second to commit fails and begins anew.
 */
export const duckdbLock: SchemaLock = {
  *take() {
    // Its turn is all that there is to take.
  },
  async inTurn(host, patience, fn) {
    const pass = await turn(await databaseKey(host), patience)
    try {
      return await fn()
    } finally {
      pass()
    }
  },
  isInTheWay: (error) => describeError(error).retryable,
}

interface Turns {
  readonly byPath: Map<string, Promise<void>>
  readonly byIdentity: WeakMap<object, Promise<void>>
}

const key = Symbol.for('keelson.indexes.turns')

/** The file, which several pools can have open; for a database in memory what the ORM has it by. */
async function databaseKey(host: Host): Promise<string | object> {
  const [row] = await host.query(
    'select path from duckdb_databases() where database_name = current_database()',
  )
  const path = row?.['path']
  return typeof path === 'string' ? path : host.identity
}

/** Waits until all before are done. @returns what lets the next one go on */
async function turn(of: string | object, patience: Patience): Promise<() => void> {
  const owner = globalThis as { [key]?: Turns }
  const turns = (owner[key] ??= { byPath: new Map(), byIdentity: new WeakMap() })
  const map = (typeof of === 'string' ? turns.byPath : turns.byIdentity) as Map<
    string | object,
    Promise<void>
  >
  const before = map.get(of)
  let pass!: () => void
  const mine = new Promise<void>((resolve) => (pass = resolve))
  const tail = Promise.all([before, mine]).then(() => {
    if (map.get(of) === tail) map.delete(of)
  })
  map.set(of, tail)
  try {
    await within(before, patience)
  } catch (error) {
    pass()
    throw error
  }
  return pass
}

async function within(
  before: Promise<void> | undefined,
  { where, lockTimeoutMs, signal }: Patience,
): Promise<void> {
  if (before === undefined) return
  let stop!: () => void
  const stopped = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(lockTimeout(where, lockTimeoutMs)), lockTimeoutMs)
    const abort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true) abort()
    stop = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      resolve()
    }
  })
  try {
    await Promise.race([before, stopped])
  } finally {
    stop()
  }
}
