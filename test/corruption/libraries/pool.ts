import { Pool } from 'pg'
import type { StoreSettings } from '../store.ts'

/** How long a pool lets one wait for a connection, so that waiting for ever can be told from a limit that was reached. */
export const ACQUIRE_TIMEOUT_MS = 2000

export function openPool(
  connectionString: string,
  { connections = 4, listensToClients = false }: StoreSettings,
): Pool {
  const pool = new Pool({
    connectionString,
    max: connections,
    connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS,
  })
  // As pg's documentation asks for; it hears of idle clients only.
  pool.on('error', () => {})
  if (listensToClients) pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}
