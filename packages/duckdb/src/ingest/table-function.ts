import {
  BIGINT,
  DuckDBConnection,
  type DuckDBInstance,
  DuckDBTableFunction,
} from '@duckdb/node-api'
import type { Connection } from '../connection/connection.ts'
import type { IngestSource, OfferedSource } from './ingest-source.ts'

/** DuckDB asks for at most this many rows at once. */
const vectorSize = 2_048

const functionName = 'keelson_ingest'

/** The sources that a statement of an instance may be reading now, by the number that its SQL names. */
interface Offers {
  readonly sources: Map<number, IngestSource>
  last: number
}

const offers = new WeakMap<DuckDBInstance, Offers>()

/** Table functions came with @duckdb/node-api 1.5.5-r.4. */
export const hasTableFunctions: boolean = 'registerTableFunction' in DuckDBConnection.prototype

/**
 * Makes the function known to an instance, once. It has to be there before anybody's transaction: one that is begun
 * earlier would not see it, and one that registers it would take it along when it rolls back.
 *
 * @param connection one that nobody uses yet
 */
export function registerIngest(instance: DuckDBInstance, connection: DuckDBConnection): void {
  if (!hasTableFunctions || offers.has(instance)) return
  const sources: Offers['sources'] = new Map()
  connection.registerTableFunction(tableFunction(sources))
  offers.set(instance, { sources, last: 0 })
}

/** Offers rows as a table function, which DuckDB calls while it runs the statement. */
export function offerRows({ instance }: Connection, source: IngestSource): OfferedSource {
  const known = offers.get(instance)!
  known.last += 1
  const id = known.last
  known.sources.set(id, source)
  return {
    name: `${functionName}(${id})`,
    withdraw: async () => void known.sources.delete(id),
  }
}

function tableFunction(sources: Offers['sources']): DuckDBTableFunction {
  return DuckDBTableFunction.create({
    name: functionName,
    parameterTypes: [BIGINT],
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
