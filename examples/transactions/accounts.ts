/** The application that the recipes share: accounts, and money that moves between them. */
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely, type KyselyConfig } from 'kysely'

export interface Database {
  account: { owner: string; balance: number }
}

export async function openDatabase(
  dialect: Dialect = new SqliteDialect({ path: ':memory:' }),
  config: Pick<KyselyConfig, 'log'> = {},
): Promise<Kysely<Database>> {
  const db = new Kysely<Database>({ ...config, dialect: withTransactions(dialect) })
  await db.schema
    .createTable('account')
    .ifNotExists()
    .addColumn('owner', 'text', (column) => column.primaryKey())
    .addColumn('balance', 'integer', (column) => column.notNull())
    .execute()
  return db
}

export async function openAccount(
  db: Kysely<Database>,
  owner: string,
  balance: number,
): Promise<void> {
  await db.insertInto('account').values({ owner, balance }).execute()
}

/** @returns the new balance */
export async function add(db: Kysely<Database>, owner: string, amount: number): Promise<number> {
  const { balance } = await db
    .updateTable('account')
    .set((eb) => ({ balance: eb('balance', '+', amount) }))
    .where('owner', '=', owner)
    .returning('balance')
    .executeTakeFirstOrThrow()
  return balance
}

/** A transaction of its own; a savepoint where there is one around it already. */
export function transfer(
  db: Kysely<Database>,
  from: string,
  to: string,
  amount: number,
): Promise<void> {
  return transaction(db, async () => {
    await add(db, to, amount)
    if ((await add(db, from, -amount)) < 0) throw new Error(`${from} has less than ${amount}.`)
  })
}
