import type { EventEmitter } from 'node:events'
import type { CompiledQuery, DatabaseConnection } from 'kysely'
import type { EngineState } from '../scope/line.ts'

/** What is known of one physical connection of `pg`. */
export interface PostgresWatch {
  /** By the status that PostgreSQL sends with each answer. */
  readonly state: EngineState
}

const states: Readonly<Record<string, EngineState>> = { I: 'none', T: 'open', E: 'failed' }
const watches = new WeakMap<DatabaseConnection, Watch>()
const watched = new WeakMap<EventEmitter, Watch>()

class Watch implements PostgresWatch {
  state: EngineState = 'unknown'
}

/**
 * Looks at the wire of a connection of `pg`, for two things that Kysely does not pass on: what PostgreSQL says of the
 * transaction, and that the connection was lost while nothing ran on it, which `pg` reports as an `error` event that
 * nobody hears and that therefore ends the process (https://node-postgres.com/apis/client#error).
 *
 * Kysely keeps the client to itself. `pg` hands its connection to whatever is submitted to it as a query, which is how
 * cursors work (https://node-postgres.com/apis/cursor); so something is submitted that sends nothing.
 */
export function watchPostgres(connection: DatabaseConnection): PostgresWatch | undefined {
  const known = watches.get(connection)
  if (known !== undefined) return known
  let wire: EventEmitter | undefined
  const submittable = {
    rows: [],
    submit(given: EventEmitter): Error {
      wire = given
      return new Error('nothing to send')
    },
    handleError(): void {},
    handleReadyForQuery(): void {},
  }
  const probe = { sql: submittable, parameters: [], query: undefined, queryId: undefined }
  // Its own executeQuery, below whatever listens to queries.
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the connection as `this`
  const { executeQuery } = Object.getPrototypeOf(connection) as DatabaseConnection
  void executeQuery
    .call(connection, probe as unknown as CompiledQuery)
    .catch((error: unknown) => process.emitWarning(error as Error))
  if (typeof wire?.on !== 'function') return undefined
  const watch = watched.get(wire) ?? watchWire(wire)
  watches.set(connection, watch)
  return watch
}

function watchWire(wire: EventEmitter): Watch {
  const watch = new Watch()
  watched.set(wire, watch)
  wire.on('readyForQuery', (message: { status?: string } | undefined) => {
    watch.state = states[message?.status ?? ''] ?? 'unknown'
  })
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the connection as `this`
  const { emit } = wire
  wire.emit = function (this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'error' && event !== 'errorMessage' && event !== 'end')
      return emit.call(this, event, ...args)
    try {
      return emit.call(this, event, ...args)
    } catch (error) {
      // The client has emitted `error` and has no listener. The next query on it fails, and so does the transaction.
      if (!isConnectionError(error, args)) throw error
      watch.state = 'none'
      return true
    }
  }
  return watch
}

function isConnectionError(error: unknown, args: readonly unknown[]): boolean {
  return (
    error === args[0] ||
    ((error as Error | undefined)?.message ?? '').startsWith('Connection terminated')
  )
}
