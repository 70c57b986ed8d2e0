import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Kysely } from 'kysely'
import { Migrator, type MigratorProps } from 'kysely/migration'

/** Two migrations that show in `balance` how often each of them ran: 0 + 1 + 10 when once. */
export function slowMigrator(db: Kysely<any>, options: Partial<MigratorProps> = {}): Migrator {
  return new Migrator({
    db,
    ...options,
    provider: {
      getMigrations: async () => ({
        '1-create': {
          async up(trx) {
            await sql`create table if not exists account (balance integer)`.execute(trx)
            await sql`insert into account select 0 where not exists (select 1 from account)`.execute(
              trx,
            )
            await addSlowly(trx, 1)
          },
        },
        '2-add': { up: (trx) => addSlowly(trx, 10) },
      }),
    },
  })
}

async function addSlowly(db: Kysely<any>, amount: number): Promise<void> {
  const { rows } = await sql<{ balance: number }>`select balance from account`.execute(db)
  await sleep(50)
  await sql`update account set balance = ${rows[0]!.balance + amount}`.execute(db)
}
