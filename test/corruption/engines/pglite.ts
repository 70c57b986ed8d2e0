import type { Place } from './place.ts'
import { emptyPGlite } from '../../support/pglite.ts'

/** A database in memory. PGlite has one connection, so what it tells of the rows includes an open transaction's. */
export async function preparePGlite(schema: readonly string[]): Promise<Place> {
  const pglite = emptyPGlite()
  await pglite.exec(
    'create table t (id integer generated always as identity, v text not null unique)',
  )
  for (const statement of schema) await pglite.exec(statement)
  return {
    location: '',
    pglite,
    async rows() {
      const { rows } = await pglite.query<{ v: string }>('select v from t order by id')
      return rows.map(({ v }) => v)
    },
    execute: (sql) => pglite.exec(sql),
  }
}
