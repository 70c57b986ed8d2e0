import type { DuckDBConnection } from '@duckdb/node-api'

/** What DuckDB 1.5 evaluates while it plans, and not again when it runs a plan that it has kept. */
const words = String.raw`\b(?:(?:current_)?localtime(?:stamp)?|current_transaction_id|current_setting|getvariable)\b`

const inText = new RegExp(words, 'i')

/** Whether a statement says that it uses such a thing. */
export function evaluatesEarly(sql: string): boolean {
  return inText.test(sql)
}

const attached = `select bool_and(type = 'duckdb') from duckdb_databases() where not internal`

const hidden = [
  'duckdb_tables() where regexp_matches(sql',
  'duckdb_views() where not internal and regexp_matches(sql',
  'duckdb_functions() where not internal and regexp_matches(macro_definition',
].map((source) => `exists(from ${source}, '${words}', 'i'))`)

/** Whether a default, a view or a macro may use such a thing, so that a statement does it without saying so. */
export async function mayEvaluateEarly(connection: DuckDBConnection): Promise<boolean> {
  // The tables of another engine are not listed without asking it, somewhere in the network.
  if (!(await isTrue(connection, attached))) return true
  return isTrue(connection, `select ${hidden.join(' or ')}`)
}

async function isTrue(connection: DuckDBConnection, sql: string): Promise<boolean> {
  const result = await connection.run(sql)
  const [value] = result.getChunk(0).getColumnValues(0)
  return value === true
}
