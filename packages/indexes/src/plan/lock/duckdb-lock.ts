import { describeError } from '@keelson/core'
import type { PinnedHost } from '../../host/host.ts'
import { processTurns } from '../../host/process-turns.ts'
import { lockTimeout } from './retry.ts'
import type { SchemaLock } from './schema-lock.ts'

/**
 * DuckDB lets one process write a file, so those of one process take turns, by the file. Connections that do not take part
 * (another copy of this package, other code) meet in the catalogue, where the second to commit fails and begins anew.
 */
export const duckdbLock: SchemaLock = {
  *take() {
    // Its turn is all that there is to take.
  },
  async inTurn(host, { where, lockTimeoutMs, signal }, fn) {
    const turn = { timeoutMs: lockTimeoutMs, signal }
    const timedOut = (): Error => lockTimeout(where, lockTimeoutMs)
    return processTurns('schemas').run(await databaseOf(host), turn, timedOut, fn)
  },
  isInTheWay: (error) => describeError(error).retryable,
}

async function databaseOf(host: PinnedHost): Promise<string | object> {
  const [row] = await host.query(
    'select path from duckdb_databases() where database_name = current_database()',
  )
  const path = row?.['path']
  return typeof path === 'string' ? path : host.identity
}
