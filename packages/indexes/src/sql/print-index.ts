import { type EngineName, quoteIdentifier } from '@keelson/core'
import { DefinitionError, UnsupportedByEngineError } from '../errors.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { indexName } from '../names/index-name.ts'
import { dialects } from './dialects.ts'
import { indexBodySql } from './index-body.ts'
import { tableNameSql } from './table-name.ts'

/** How an index is to be created. */
export interface CreateIndexOptions {
  /** Let others write meanwhile, which cannot be done in a transaction. PostgreSQL. @default false */
  readonly concurrently?: boolean
}

/**
 * The statement that creates an index.
 *
 * @throws {UnsupportedByEngineError} for what the engine does not have
 * @throws {DefinitionError} for the index behind a UNIQUE constraint, which CREATE TABLE has made
 *
 * @example
 * createIndexSql(users, { keys: [{ expression: { kind: 'column', name: 'email' } }], unique: true }, 'sqlite')
 * // create unique index "ux_users_email_3f2a9c01d4" on "users" ("email")
 */
export function createIndexSql(
  table: TableDefinition,
  index: IndexDefinition,
  engine: EngineName,
  options: CreateIndexOptions = {},
): string {
  const { concurrently = false } = options
  const name = indexName(table, index, engine)
  if (index.constraint === true) {
    throw new DefinitionError(
      `Index ${JSON.stringify(name)} of ${JSON.stringify(table.name)} belongs to a UNIQUE constraint: ` +
        'it is created with the table. Leave it out, or create an index without `constraint`.',
    )
  }
  if (concurrently && !dialects[engine].index.concurrently) {
    throw new UnsupportedByEngineError(
      engine,
      `Cannot create index ${JSON.stringify(name)} concurrently: ${engine} has no such way. Leave out \`concurrently\`.`,
    )
  }
  return [
    `create ${index.unique ? 'unique ' : ''}index ${concurrently ? 'concurrently ' : ''}${quoteIdentifier(name, engine)}`,
    `on ${tableNameSql(table, engine)}`,
    indexBodySql(index, engine),
  ].join(' ')
}

/** The statement that drops an index. */
export function dropIndexSql(
  table: TableDefinition,
  index: IndexDefinition,
  engine: EngineName,
  options: CreateIndexOptions = {},
): string {
  const { concurrently = false } = options
  const name = quoteIdentifier(indexName(table, index, engine), engine)
  if (dialects[engine].index.dropNamesTable)
    return `drop index ${name} on ${tableNameSql(table, engine)}`
  const schema = table.schema === undefined ? '' : `${quoteIdentifier(table.schema, engine)}.`
  return `drop index ${concurrently ? 'concurrently ' : ''}${schema}${name}`
}
