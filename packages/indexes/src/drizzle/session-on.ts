import type { EngineName } from '@keelson/core'
import { rowsOf } from '@keelson/core/drizzle'
import type { HostSession } from '../host/host.ts'
import type { DrizzleSession, Prepared } from './internals.ts'

/** Statements on a session of Drizzle's. */
export function sessionOn(session: DrizzleSession, engine: EngineName): HostSession {
  const prepare = (sql: string, params: readonly unknown[], method: 'all' | 'run'): Prepared =>
    engine === 'sqlite'
      ? session.prepareQuery({ sql, params }, undefined, method, false)
      : session.prepareQuery({ sql, params }, undefined, undefined, false)
  return {
    query: (sql, params = []) => {
      const prepared = prepare(sql, params, 'all')
      const found = prepared.all === undefined ? prepared.execute() : prepared.all()
      return found instanceof Promise ? found.then(rowsOf) : rowsOf(found)
    },
    run: (sql, params = []) => {
      const prepared = prepare(sql, params, 'run')
      return prepared.run === undefined ? prepared.execute() : prepared.run()
    },
  }
}
