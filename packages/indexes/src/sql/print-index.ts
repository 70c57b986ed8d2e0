import { type EngineName, quoteIdentifier } from '@keelson/core'
import { DefinitionError, UnsupportedByEngineError } from '../errors.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { indexName } from '../names/index-name.ts'
import { checkPredicate } from './check-predicate.ts'
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
  if (index.where !== undefined) checkPredicate(index.where, table, engine)
  if (concurrently) checkConcurrently('create', name, engine)
  // An index of SQLite is named in the database of its table; elsewhere it is always in the schema of its table.
  const [named, on] =
    engine === 'sqlite'
      ? [tableNameSql({ ...table, name }, engine), quoteIdentifier(table.name, engine)]
      : [quoteIdentifier(name, engine), tableNameSql(table, engine)]
  return [
    `create ${index.unique ? 'unique ' : ''}index ${concurrently ? 'concurrently ' : ''}${named}`,
    `on ${on}`,
    indexBodySql(index, engine),
  ].join(' ')
}

/**
 * The statement that drops an index.
 *
 * @throws {UnsupportedByEngineError} for `concurrently` where the engine does not have it
 */
export function dropIndexSql(
  table: TableDefinition,
  index: IndexDefinition,
  engine: EngineName,
  options: CreateIndexOptions = {},
): string {
  const { concurrently = false } = options
  const name = indexName(table, index, engine)
  if (concurrently) checkConcurrently('drop', name, engine)
  if (dialects[engine].index.dropNamesTable)
    return `drop index ${quoteIdentifier(name, engine)} on ${tableNameSql(table, engine)}`
  return `drop index ${concurrently ? 'concurrently ' : ''}${tableNameSql({ ...table, name }, engine)}`
}

function checkConcurrently(what: 'create' | 'drop', name: string, engine: EngineName): void {
  if (dialects[engine].index.concurrently) return
  throw new UnsupportedByEngineError(
    engine,
    `Cannot ${what} index ${JSON.stringify(name)} concurrently: ${engine} has no such way. Leave out \`concurrently\`.`,
  )
}
