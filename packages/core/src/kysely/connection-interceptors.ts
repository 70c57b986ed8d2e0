import type {
  AbortableOperationOptions,
  CompiledQuery,
  DatabaseConnection,
  QueryResult,
} from 'kysely'

type ExecuteQuery = (
  query: CompiledQuery,
  options?: AbortableOperationOptions,
) => Promise<QueryResult<any>>
type StreamQuery = (
  query: CompiledQuery,
  chunkSize: number,
  options?: AbortableOperationOptions,
) => AsyncIterableIterator<QueryResult<any>>

/** What a layer does about the statements of a connection. */
export interface ConnectionInterceptor {
  executeQuery(
    next: ExecuteQuery,
    query: CompiledQuery,
    options: AbortableOperationOptions | undefined,
  ): Promise<QueryResult<any>>
  streamQuery(
    next: StreamQuery,
    query: CompiledQuery,
    chunkSize: number,
    options: AbortableOperationOptions | undefined,
  ): AsyncIterableIterator<QueryResult<any>>
}

/** What a connection, or an interceptor on it, does with statements. */
interface Sending {
  readonly execute: ExecuteQuery
  readonly stream: StreamQuery
}

/** Lowest rank first. */
type InstalledList = Installed[] & { changed?: () => void }

interface Installed {
  readonly rank: number
  readonly interceptor: ConnectionInterceptor
}

const key: unique symbol = Symbol.for('keelson.kysely.interceptors')

/**
 * Has an interceptor see every statement of a connection. The connection stays the object that its driver made, since a
 * facade would hide what drivers find on their own connections: private members, and methods behind symbols.
 *
 * @param rank of the layer: the highest sees a statement first, whichever came first. Twice the same rank adds nothing.
 */
export function interceptConnection(
  connection: DatabaseConnection,
  rank: number,
  interceptor: ConnectionInterceptor,
): void {
  const known = (connection as { [key]?: InstalledList })[key]
  if (known !== undefined) {
    if (known.some((each) => each.rank === rank)) return
    known.push({ rank, interceptor })
    known.sort((one, other) => one.rank - other.rank)
    known.changed!()
    return
  }
  const installed: InstalledList = [{ rank, interceptor }]
  // oxlint-disable-next-line typescript/unbound-method -- they are called with the connection as `this`
  const { executeQuery, streamQuery } = connection
  Object.defineProperty(connection, key, { value: installed })

  const below: Sending = {
    execute: (query, options) => executeQuery.call(connection, query, options),
    stream: (query, chunkSize, options) =>
      streamQuery.call(connection, query, chunkSize, options as never),
  }
  // The highest is called from here, where nearly always it is the only one.
  let highest = interceptor
  let next = below
  installed.changed = () => {
    highest = installed.at(-1)!.interceptor
    next = chain(installed.slice(0, -1), below)
  }
  connection.executeQuery = (query, options) => highest.executeQuery(next.execute, query, options)
  connection.streamQuery = (query, chunkSize, options) =>
    highest.streamQuery(next.stream, query, chunkSize, options)
}

/** Every statement passes here: what it takes is made when an interceptor is added. */
function chain(installed: readonly Installed[], below: Sending): Sending {
  let sending = below
  for (const { interceptor } of installed) {
    const next = sending
    sending = {
      execute: (query, options) => interceptor.executeQuery(next.execute, query, options),
      stream: (query, chunkSize, options) =>
        interceptor.streamQuery(next.stream, query, chunkSize, options),
    }
  }
  return sending
}
