import type { EngineName } from '@keelson/core'

/** What parses SQL text: the optional peer `@guanmingchiu/sqlparser-ts`. */
export interface SqlParser {
  parse(sql: string, dialect: EngineName): unknown
}

/**
 * Loads the parser, the first time that text has to be read: it is 3.6 MB of WebAssembly. Undefined where the peer is not
 * installed; every statement that is known by its text only then counts as not understood.
 */
export async function loadSqlParser(): Promise<SqlParser | undefined> {
  let parser: { init(): Promise<void>; parse(sql: string, dialect: string): unknown }
  try {
    parser = (await import('@guanmingchiu/sqlparser-ts')) as unknown as typeof parser
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
  await parser.init()
  return { parse: (sql, dialect) => parser.parse(sql, dialect) }
}
