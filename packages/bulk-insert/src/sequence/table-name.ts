import { checkIdentifier, type EngineName, quoteIdentifier } from '@keelson/core'

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
  const row = quoteIdentifier(table, engine)
  return {
    row,
    full: schema === undefined ? row : `${quoteIdentifier(schema, engine)}.${row}`,
  }
}
