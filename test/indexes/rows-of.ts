import { sql } from 'drizzle-orm'
import { CompiledQuery, Kysely } from 'kysely'

type Rows = readonly Record<string, unknown>[]

/** Runs statements one after the other on any ORM's database, and returns the rows of the last. */
export async function rowsOf(db: any, ...statements: readonly string[]): Promise<Rows> {
  let rows: Rows = []
  for (const text of statements) rows = await send(db, text)
  return rows
}

async function send(db: any, text: string): Promise<Rows> {
  if (db instanceof Kysely) return (await db.executeQuery(CompiledQuery.raw(text))).rows as Rows
  const returnsRows = /^\s*(?:select|with|show|explain|pragma (?!.*=))/i.test(text)
  // Of SQLite; the others have one method for all.
  if (db.run !== undefined)
    return returnsRows ? db.all(sql.raw(text)) : [await db.run(sql.raw(text))]
  const result = await db.execute(sql.raw(text))
  return result.rows ?? result
}
