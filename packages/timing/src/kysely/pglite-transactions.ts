import { type DatabaseConnection, type Driver, PGliteDriver } from 'kysely'
import type { ControlStatement } from '../record/control-statement.ts'
import type { KyselyWatch } from './kysely-watch.ts'

/**
 * PGlite begins and ends its transactions itself, with no statement that a connection would be seen to send: of its driver
 * the calls are watched. The driver stays the object that it is, since other layers call it, too.
 */
export function watchPGlite(driver: Driver, watch: KyselyWatch): void {
  if (!(driver instanceof PGliteDriver)) return
  patch('beginTransaction', 'begin')
  patch('commitTransaction', 'commit')
  patch('rollbackTransaction', 'rollback')

  function patch(
    method: 'beginTransaction' | 'commitTransaction' | 'rollbackTransaction',
    kind: ControlStatement['kind'],
  ): void {
    const original = driver[method].bind(driver) as (
      connection: DatabaseConnection,
      ...rest: unknown[]
    ) => Promise<void>
    driver[method] = (connection: DatabaseConnection, ...rest: unknown[]): Promise<void> => {
      const timed = watch.timedOf(connection)
      if (!watch.recorder.isEnabled && timed.transactions.root === undefined)
        return original(connection, ...rest)
      const { askedMs } = timed
      timed.askedMs = 0
      return timed.control({ kind }, askedMs, () => original(connection, ...rest))
    }
  }
}
