import { takeSteps } from '@keelson/core'
import { introspectTables, type IntrospectOptions } from '../introspect/introspect.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { type AnyDatabase, DrizzleHost } from './drizzle-host.ts'

/**
 * Reads the tables of a database: columns, keys, checks and indexes, each as the definition from which it could have been
 * created. SQLite, DuckDB and PostgreSQL. Views and virtual tables are left out; SQL that no definition says is
 * `unsafeSql`, and a type that no portable one is printed as is the nearest one with an `override`.
 *
 * @throws {OptionError} for anything that drizzle() has not returned, and MySQL
 *
 * @example
 * const tables = await introspect(db)
 * // [{ name: 'users', columns: [{ name: 'id', type: { kind: 'uuid' }, nullable: false }, ...], ... }]
 */
export async function introspect(
  db: AnyDatabase,
  options: IntrospectOptions = {},
): Promise<readonly TableDefinition[]> {
  const host = new DrizzleHost(db, 'introspect()')
  return await takeSteps(introspectTables(host, host.engine, options))
}
