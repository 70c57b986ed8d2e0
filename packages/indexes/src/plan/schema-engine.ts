import type { EngineName } from '@keelson/core'
import { UnsupportedByEngineError } from '../errors.ts'

/** Engines whose live tables are read, so that a plan can be made. */
export type SchemaEngine = Exclude<EngineName, 'mysql'>

/**
 * @param where the function that was called, for the message
 * @throws {UnsupportedByEngineError} for MySQL
 */
export function checkSchemaEngine(
  where: string,
  engine: EngineName,
): asserts engine is SchemaEngine {
  if (engine !== 'mysql') return
  throw new UnsupportedByEngineError(
    engine,
    `${where} cannot compare a database of mysql with definitions: its tables are not read. Write their SQL with ` +
      `generateSchema(), and apply it as migrations with migrateSafely(), both of which know MySQL. Nothing was sent.`,
  )
}
