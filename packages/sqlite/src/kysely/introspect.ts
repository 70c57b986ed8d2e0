import { readSqliteCatalogue, type Catalogue, type SqliteCatalogueOptions } from '@keelson/core'
import { CompiledQuery, type Kysely } from 'kysely'

/**
 * Reads what `db.introspection` leaves out: primary keys, foreign keys, unique constraints, indexes, checks and
 * generated columns, beside the tables, views and columns themselves.
 *
 * Everything is read in one read-only transaction, so it is the schema of one moment and keeps no writer waiting. On a
 * transaction it is read there. Plugins of `db` are not applied: names are those of the database.
 *
 * @throws {OptionError} for an unknown option
 *
 * @example
 * const { tables } = await introspect(db, { tables: ['pet'] })
 * tables[0]?.foreignKeys // [{ columns: ['owner_id'], referencedTable: 'person', referencedColumns: ['id'], ... }]
 * // begin deferred
 * // select s.name, s.sql, ... from pragma_table_list l join "main".sqlite_schema s ...
 * // commit
 */
export function introspect(
  db: Kysely<any>,
  options: SqliteCatalogueOptions = {},
): Promise<Catalogue> {
  const read = (on: Kysely<any>): Promise<Catalogue> =>
    readSqliteCatalogue(async (sql, parameters) => {
      const { rows } = await on.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(sql, [...parameters]),
      )
      return rows
    }, options)
  const plain = db.withoutPlugins()
  if (plain.isTransaction) return read(plain)
  // Read connections know neither temporary tables nor databases that were attached by a statement.
  if ((options.schema ?? 'main').toLowerCase() !== 'main') return plain.connection().execute(read)
  return plain.transaction().setAccessMode('read only').execute(read)
}
