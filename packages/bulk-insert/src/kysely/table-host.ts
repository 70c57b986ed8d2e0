import { CompiledQuery, type Kysely } from 'kysely'
import type { TableHost } from '../sequence/create-tables.ts'
import { KyselyHost } from './kysely-host.ts'

/** See `TableHost`. */
export function tableHost(db: Kysely<any>, where: string): TableHost {
  const { traits, isInTransaction } = new KyselyHost(db, where)
  return {
    traits,
    isInTransaction,
    run: (sql) => db.withoutPlugins().executeQuery(CompiledQuery.raw(sql)),
  }
}
