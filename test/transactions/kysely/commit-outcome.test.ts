import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { cuttingProxy } from '../../support/cutting-proxy.ts'
import { postgres } from '../../support/postgres.ts'
import { rejection } from '../../support/rejection.ts'

test.for([
  { cut: 'before the server has it', when: 'before', kept: 0 },
  { cut: 'before the client has the answer', when: 'after', kept: 1 },
] as const)(
  'T20: a connection that is lost at COMMIT, $cut, leaves the outcome open, and nothing is tried again',
  async ({ when, kept }) => {
    const { createDatabase } = await postgres()
    const direct = await createDatabase()
    const proxy = await cuttingProxy(direct)
    const pool = new Pool({ connectionString: proxy.connectionString, max: 2 })
    pool.on('error', () => {})
    const db = new Kysely<{ item: { name: string } }>({
      dialect: withTransactions(new PostgresDialect({ pool })),
    })
    onTestFinished(() => db.destroy())
    await sql`create table item (name text)`.execute(db)

    let attempts = 0
    const hasCut = proxy.cutAtCommit(when)
    const hooks: string[] = []
    const error = await rejection(
      transaction(
        db,
        async (_tx, scope) => {
          attempts++
          scope.afterCommit(() => hooks.push('committed'))
          await db.insertInto('item').values({ name: 'a' }).execute()
        },
        { retry: 5 },
      ),
    )
    expect(error.name).toBe('CommitOutcomeUnknownError')
    expect(error['cause']).toBeInstanceOf(Error)
    await hasCut
    expect(attempts).toBe(1)
    expect(hooks).toEqual([])

    // The pool has thrown the connection away, and what became of the transaction is in the data.
    await transaction(db, async () => {})
    expect(await db.selectFrom('item').selectAll().execute()).toHaveLength(kept)
    expect(pool.idleCount).toBe(pool.totalCount)
  },
)
