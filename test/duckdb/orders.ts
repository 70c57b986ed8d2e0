import { type DuckDBDatabase, openDuckDB } from '@keelson/duckdb'

/**
 * Carries out orders about one database: `open <path>`, `run <sql>`, `close`.
 *
 * @returns what answers an order: `'ok'`, or the code of the error
 */
export function orders(): (order: string) => Promise<string> {
  let database: DuckDBDatabase | undefined
  return async (order) => {
    const [verb] = order.split(' ', 1)
    const rest = order.slice(verb!.length + 1)
    try {
      if (verb === 'open') database = await openDuckDB(rest)
      else if (verb === 'run') await database!.execute(rest)
      else await database!.close()
      return 'ok'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }
}
