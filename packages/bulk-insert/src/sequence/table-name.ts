import { checkIdentifier, type EngineName, quoteIdentifier } from '@keelson/core'
import { qualifiedName } from '../host/qualified-name.ts'

/** A table as statements name it. */
export interface TableName {
  /** Without its schema: as the columns of its rows are called in an upsert. */
  readonly row: string
  /** With its schema. */
  readonly full: string
}

/**
 * Quotes the name of a table.
 *
 * @throws {IdentifierError} for a name that the engine would not take as it is
 */
export function tableName(
  table: string,
  schema: string | undefined,
  engine: EngineName,
): TableName {
  checkIdentifier(table, { engine })
  return { row: quoteIdentifier(table, engine), full: qualifiedName({ schema, table }, engine) }
}
