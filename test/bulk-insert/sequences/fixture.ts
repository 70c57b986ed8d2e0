import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely, sql } from 'kysely'
import { describe, onTestFinished } from 'vitest'
import { engines, type KyselyEngine, pglite } from '../../transactions/kysely/engines.ts'

export interface Variant {
  readonly name: string
  readonly engine: KyselyEngine
  readonly isWrapped: boolean
}

/** Each engine as it is, and with ambient transactions; PGlite, which is slow to test on and PostgreSQL besides, once. */
const variants: readonly Variant[] = engines.flatMap((engine) => [
  { name: `${engine.name}, plain`, engine, isWrapped: false },
  ...(engine === pglite
    ? []
    : [{ name: `${engine.name}, with transactions`, engine, isWrapped: true }]),
])

export function describeVariants(suite: (variant: Variant) => void): void {
  for (const variant of variants)
    describe.skipIf(variant.engine.isMissing === true)(variant.name, () => suite(variant))
}

export interface Opened {
  readonly db: Kysely<any>
  readonly dialect: Dialect
  readonly isWrapped: boolean
  /** Runs `fn` in a transaction: by the handle that it gets, or by plain `db`. */
  inTransaction<R>(fn: (db: Kysely<any>) => Promise<R>): Promise<R>
  /** Runs `fn` in a savepoint of a transaction. */
  nested<R>(tx: Kysely<any>, fn: (db: Kysely<any>) => Promise<R>): Promise<R>
  /** Statements sent since the last call, control statements included. */
  sent(): string[]
  /** What a query gives, with 64-bit integers as numbers. */
  select(query: string): Promise<Record<string, unknown>[]>
}

export async function open({ engine, isWrapped }: Omit<Variant, 'name'>): Promise<Opened> {
  const statements: string[] = []
  const dialect = await engine.dialect()
  const db = new Kysely<any>({
    dialect: isWrapped ? withTransactions(dialect) : dialect,
    log: ({ query }) => void statements.push(query.sql),
  })
  onTestFinished(() => db.destroy())
  // PGlite is kept from test to test.
  for (const table of ['keelson_sequence', 'keelson_stream', 'keelson_event'])
    await sql`drop table if exists ${sql.table(table)}`.execute(db)
  statements.length = 0
  return {
    db,
    dialect,
    isWrapped,
    inTransaction: (fn) =>
      isWrapped ? transaction(db, () => fn(db)) : db.transaction().execute((tx) => fn(tx)),
    async nested(tx, fn) {
      if (isWrapped) return transaction(db, () => fn(db))
      await sql`savepoint nested`.execute(tx)
      try {
        return await fn(tx)
      } catch (error) {
        await sql`rollback to savepoint nested`.execute(tx)
        throw error
      }
    },
    sent: () => statements.splice(0),
    async select(query) {
      const { rows } = await sql.raw<Record<string, unknown>>(query).execute(db)
      return rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === 'bigint' || /^\d+$/.test(String(value)) ? Number(value) : value,
          ]),
        ),
      )
    },
  }
}
