import type { Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { IntrospectOptions } from './introspect.ts'
import type { LiveTable } from './live-table.ts'

/** The tables of PostgreSQL. */
export function* postgresqlTables(
  session: HostSession,
  options: IntrospectOptions,
): Steps<readonly LiveTable[]> {
  void session
  void options
  return []
}
