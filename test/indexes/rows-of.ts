import { takeSteps, wait } from '@keelson/core'
import { DrizzleHost } from '@keelson/indexes/drizzle'
import { KyselyHost } from '@keelson/indexes/kysely'
import { Kysely } from 'kysely'

/** Runs statements one after the other on any ORM's database, and returns the rows of the last. */
export async function rowsOf(
  db: any,
  ...statements: readonly string[]
): Promise<readonly Record<string, unknown>[]> {
  const host = db instanceof Kysely ? new KyselyHost(db, 'a test') : new DrizzleHost(db, 'a test')
  let rows: readonly Record<string, unknown>[] = []
  for (const [at, sql] of statements.entries()) {
    const returnsRows = /^\s*(?:select|with|pragma|show|explain)/i.test(sql)
    if (at === statements.length - 1 && returnsRows) rows = await takeSteps(wait(host.query(sql)))
    else await takeSteps(wait(host.run(sql)))
  }
  return rows
}
