import { type Catalogue, type DuckDBCatalogueOptions, readDuckDBCatalogue } from '@keelson/core'
import { CompiledQuery, type Kysely } from 'kysely'

/**
 * Reads what `db.introspection` leaves out: primary keys, foreign keys, unique constraints, indexes, checks and
 * generated columns, beside the tables, views and columns themselves.
 *
 * Everything is read in one read-only transaction, so it is the schema of one moment. On a transaction it is read
 * there. Plugins of `db` are not applied: names are those of the database.
 *
 * @throws {OptionError} for an unknown option
 *
 * @example
 * const { tables } = await introspect(db, { tables: ['pet'] })
 * tables[0]?.foreignKeys // [{ columns: ['owner_id'], referencedTable: 'person', referencedColumns: ['id'], ... }]
 * // begin transaction read only
 * // select table_name as name, ... from duckdb_tables() where ...
 * // commit
 */
export function introspect(
  db: Kysely<any>,
  options: DuckDBCatalogueOptions = {},
): Promise<Catalogue> {
  const read = (on: Kysely<any>): Promise<Catalogue> =>
    readDuckDBCatalogue(async (sql, parameters) => {
      const { rows } = await on.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(sql, [...parameters]),
      )
      return rows
    }, options)
  const plain = db.withoutPlugins()
  if (plain.isTransaction) return read(plain)
  return plain.transaction().setAccessMode('read only').execute(read)
}
