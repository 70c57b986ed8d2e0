// From the module object: a client without table functions does not export DuckDBTableFunction, and a named import of
// what is missing would fail while modules are linked.
import * as client from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBInstance, DuckDBTableFunction } from '@duckdb/node-api'
import type { Connection } from '../connection/connection.ts'
import type { IngestSource, OfferedSource } from './ingest-source.ts'

/** DuckDB asks for at most this many rows at once. */
const vectorSize = 2_048

const functionName = 'keelson_ingest'

/** The sources that statements may be reading now, by the number that their SQL names. */
interface Offers {
  readonly sources: Map<number, IngestSource>
  last: number
}

const key = Symbol.for('keelson.duckdb.ingest')

/**
 * Those of the whole process, for every copy of this package. One database may have several instance objects: the client
 * makes one for everyone who asks, and the function that was registered last is the one that all their statements call.
 */
function offers(): Offers {
  const host = globalThis as { [key]?: Offers }
  return (host[key] ??= { sources: new Map(), last: 0 })
}

const registered = new WeakSet<DuckDBInstance>()

/** Whether rows can be offered to it. Table functions came with @duckdb/node-api 1.5.5-r.4. */
export function takesOffers({ instance }: Connection): boolean {
  return registered.has(instance)
}

/**
 * Makes the function known to an instance, once. It has to be there before anybody's transaction: one that is begun
 * earlier would not see it, and one that registers it would take it along when it rolls back.
 *
 * @param connection one that nobody uses yet
 */
export function registerIngest(instance: DuckDBInstance, connection: DuckDBConnection): void {
  if (!('registerTableFunction' in connection) || registered.has(instance)) return
  connection.registerTableFunction(tableFunction(offers().sources))
  registered.add(instance)
}

/** Offers rows as a table function, which DuckDB calls while it runs the statement. */
export function offerRows(source: IngestSource): OfferedSource {
  const known = offers()
  known.last += 1
  const id = known.last
  known.sources.set(id, source)
  return {
    name: `${functionName}(${id})`,
    withdraw: async () => void known.sources.delete(id),
  }
}

function tableFunction(sources: Offers['sources']): DuckDBTableFunction {
  return client.DuckDBTableFunction.create({
    name: functionName,
    parameterTypes: [client.BIGINT],
    bindFunction(info) {
      const source = sources.get(Number(info.getParameter(0)))
      if (source === undefined)
        throw new Error(`${functionName}() is for ingest(), which has no rows under this number.`)
      for (const { name, type } of source.columns) info.addResultColumn(name, type)
      info.setCardinality(source.rowCount, true)
      info.setBindData(source)
    },
    initFunction(info) {
      info.setInitData({ position: 0 })
    },
    mainFunction(info, chunk) {
      const { columns, values, rowCount } = info.bindData as IngestSource
      const state = info.initData as { position: number }
      const start = state.position
      const count = Math.min(vectorSize, rowCount - start)
      chunk.rowCount = count
      if (count === 0) return
      for (let column = 0; column < columns.length; column++) {
        const vector = chunk.getColumnVector(column)
        const items = values[column]!
        for (let row = 0; row < count; row++) vector.setItem(row, items[start + row] as never)
        vector.flush()
      }
      state.position += count
    },
  })
}
