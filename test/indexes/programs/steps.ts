import type { SafeMigration } from '@keelson/indexes/kysely'
import type { Kysely, sql as Sql } from 'kysely'

/** How many migrations there are, each with a table `t0`, `t1`, ... of two rows. */
export const stepCount = 5

/** The statements of a migration; what is between the first and the last can be seen half done. */
export function statementsOf(index: number): readonly string[] {
  return [
    `create table t${index} (id integer primary key)`,
    `insert into t${index} values (1)`,
    'update balance set amount = amount + 100',
    `insert into t${index} values (2)`,
  ]
}

/** The same for Kysely, with pauses between them. */
export function kyselySteps(
  sql: typeof Sql,
  sleep: (ms: number) => Promise<unknown>,
  isLoose: boolean,
): Record<string, SafeMigration> {
  return Object.fromEntries(
    Array.from({ length: stepCount }, (_, index) => [
      `000${index}_step`,
      {
        checksum: `step ${index}`,
        ...(isLoose && { transaction: false }),
        async up(db: Kysely<any>): Promise<void> {
          for (const statement of statementsOf(index)) {
            await sql.raw(statement).execute(db)
            await sleep(8)
          }
        },
      },
    ]),
  )
}
