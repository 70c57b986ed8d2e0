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
  const known = (connection as { [key]?: Installed[] })[key]
  if (known !== undefined) {
    if (known.some((each) => each.rank === rank)) return
    known.push({ rank, interceptor })
    known.sort((one, other) => one.rank - other.rank)
    return
  }
  const installed: Installed[] = [{ rank, interceptor }]
  // oxlint-disable-next-line typescript/unbound-method -- they are called with the connection as `this`
  const { executeQuery, streamQuery } = connection
  Object.defineProperty(connection, key, { value: installed })

  const execute = (below: number): ExecuteQuery => {
    if (below === 0) return (query, options) => executeQuery.call(connection, query, options)
    const { interceptor } = installed[below - 1]!
    return (query, options) => interceptor.executeQuery(execute(below - 1), query, options)
  }
  const stream = (below: number): StreamQuery => {
    if (below === 0)
      return (query, chunkSize, options) =>
        streamQuery.call(connection, query, chunkSize, options as never)
    const { interceptor } = installed[below - 1]!
    return (query, chunkSize, options) =>
      interceptor.streamQuery(stream(below - 1), query, chunkSize, options)
  }
  connection.executeQuery = (query, options) => execute(installed.length)(query, options)
  connection.streamQuery = (query, chunkSize, options) =>
    stream(installed.length)(query, chunkSize, options)
}
