import { CompiledQuery, type DatabaseConnection, PGliteAdapter, PostgresAdapter } from 'kysely'
import type { DialectAdapter } from 'kysely'
import type { Copier } from '../host/host.ts'
import { CopyIn, WireProbe } from '../method/copy-in.ts'

/**
 * COPY through a connection of Kysely's PostgresDialect, which keeps the client of `pg` to itself but passes on what it is
 * given as the text of a query. Undefined where the client is another one.
 */
export async function copyInOn(
  adapter: DialectAdapter,
  connection: DatabaseConnection,
): Promise<Copier | undefined> {
  if (!(adapter instanceof PostgresAdapter) || adapter instanceof PGliteAdapter) return undefined
  const probe = new WireProbe()
  await send(connection, probe).catch(() => {})
  if (!probe.canCopy) return undefined
  return async (sql, data) => {
    const copy = new CopyIn(sql, data)
    await send(connection, copy)
    return copy.rowCount
  }
}

/** Below whatever listens to queries, which takes their text for text. */
function send(connection: DatabaseConnection, submittable: object): Promise<unknown> {
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the connection as `this`
  const { executeQuery } = Object.getPrototypeOf(connection) as DatabaseConnection
  const query = { ...CompiledQuery.raw(''), sql: submittable as unknown as string }
  return executeQuery.call(connection, query)
}
