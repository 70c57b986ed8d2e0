import { currentTransaction } from '@keelson/transactions/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { type Dialect, type Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Database,
  openAccount,
  openDatabase,
} from '../../../examples/transactions/accounts.ts'
import { postgres } from '../../support/postgres.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Sends a request to an application under test. */
export type Send = (path: string, body: object) => Promise<Answer>

/** A database of the recipes, with what was sent to it. */
export interface RecipeDatabase {
  readonly db: Kysely<Database>
  /** Every statement, in order. */
  readonly log: string[]
  readonly accounts: () => Promise<Record<string, number>>
}

export const engines: readonly { name: string; dialect: () => Promise<Dialect> }[] = [
  { name: 'SQLite', dialect: async () => new SqliteDialect({ path: temporaryFile('app.db') }) },
  {
    name: 'PostgreSQL',
    dialect: async () => {
      const { createDatabase } = await postgres()
      return new PostgresDialect({
        pool: new Pool({ connectionString: await createDatabase(), max: 10 }),
      })
    },
  },
]

export async function openRecipeDatabase(
  engine: (typeof engines)[number],
): Promise<RecipeDatabase> {
  const log: string[] = []
  const db = await openDatabase(await engine.dialect(), {
    log: ({ query }) => void log.push(query.sql),
  })
  onTestFinished(() => db.destroy())
  log.length = 0
  const accounts = async (): Promise<Record<string, number>> => {
    const rows = await db.selectFrom('account').selectAll().orderBy('owner').execute()
    return Object.fromEntries(rows.map(({ owner, balance }) => [owner, balance]))
  }
  return { db, log, accounts }
}

/** What every recipe for requests promises. `start` serves the two routes of `examples/transactions`. */
export function describeRecipe(name: string, start: (db: Kysely<Database>) => Promise<Send>): void {
  describe.for(engines)(`${name} on $name`, (engine) => {
    test('commits what a handler that succeeds has written', async () => {
      const { db, accounts, log } = await openRecipeDatabase(engine)
      const send = await start(db)
      const answer = await send('/accounts', { owner: 'Ada', balance: 100 })
      expect(answer.status).toBeGreaterThanOrEqual(200)
      expect(answer.status).toBeLessThan(300)
      expect(await accounts()).toEqual({ Ada: 100 })
      expect(log).toContain('commit')
      expect(log).not.toContain('rollback')
    })

    test('undoes what a handler had written before it threw', async () => {
      const { db, accounts } = await openRecipeDatabase(engine)
      await openAccount(db, 'Ada', 100)
      const send = await start(db)
      // Ada has got 10 by then, and nobody pays them.
      const answer = await send('/transfers', { from: 'nobody', to: 'Ada', amount: 10 })
      expect(answer.status).toBe(500)
      expect(await accounts()).toEqual({ Ada: 100 })
    })

    test('undoes what a handler had written before it refused', async () => {
      const { db, accounts, log } = await openRecipeDatabase(engine)
      await openAccount(db, 'Ada', 100)
      await openAccount(db, 'Grace', 0)
      log.length = 0
      const send = await start(db)
      const answer = await send('/transfers', { from: 'Grace', to: 'Ada', amount: 10 })
      expect(answer.status).toBe(409)
      expect(JSON.stringify(answer.body)).toContain('too little')
      expect(log.filter((statement) => statement.startsWith('update'))).toHaveLength(2)
      expect(log).toContain('rollback')
      expect(await accounts()).toEqual({ Ada: 100, Grace: 0 })
    })

    test('undoes only the nested transaction whose failure a handler has caught', async () => {
      const { db, accounts, log } = await openRecipeDatabase(engine)
      await openAccount(db, 'Ada', 5)
      log.length = 0
      const send = await start(db)
      const answer = await send('/accounts', { owner: 'Grace', balance: 0, invitedBy: 'Ada' })
      expect(answer.status).toBeLessThan(300)
      expect(JSON.stringify(answer.body)).toContain('"bonus":false')
      expect(await accounts()).toEqual({ Ada: 5, Grace: 0 })
      expect(log.map((statement) => statement.split(' ').slice(0, 2).join(' '))).toEqual([
        expect.stringMatching(/^(begin|start)/),
        'insert into',
        'savepoint "keelson_1"',
        'update "account"',
        'update "account"',
        'rollback to',
        expect.stringMatching(/^release/),
        'commit',
        'select *',
      ])
    })

    test('gives each of several requests at once a transaction of its own', async () => {
      const { db, accounts, log } = await openRecipeDatabase(engine)
      await openAccount(db, 'Ada', 0)
      // Long enough for all of them to be open together, where the engine lets them.
      if (engine.name === 'PostgreSQL') await slowInserts(db)
      log.length = 0
      const send = await start(db)
      const requests = Array.from({ length: 10 }, (_, index) =>
        index % 2 === 0
          ? send('/accounts', { owner: `new ${index}`, balance: index })
          : // Has written when it fails.
            send('/accounts', { owner: 'Ada', balance: index }),
      )
      const answers = await Promise.all(requests)
      expect(answers.map(({ status }) => status < 300)).toEqual(
        answers.map((_, index) => index % 2 === 0),
      )
      expect(await accounts()).toEqual({
        Ada: 0,
        'new 0': 0,
        'new 2': 2,
        'new 4': 4,
        'new 6': 6,
        'new 8': 8,
      })
      const count = (word: RegExp) => log.filter((statement) => word.test(statement)).length
      expect([count(begin), count(/^commit$/), count(/^rollback$/)]).toEqual([10, 5, 5])
      if (engine.name === 'PostgreSQL') expect(mostOpen(log)).toBeGreaterThan(1)
      expect(currentTransaction(db)).toBeUndefined()
    })
  })
}

const begin = /^(begin|start)/

/** How many transactions were open at the same time. */
function mostOpen(log: readonly string[]): number {
  let open = 0
  let most = 0
  for (const statement of log) {
    if (begin.test(statement)) most = Math.max(most, ++open)
    if (statement === 'commit' || statement === 'rollback') open--
  }
  return most
}

async function slowInserts(db: Kysely<Database>): Promise<void> {
  await sql`create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1); return new; end $$`.execute(
    db,
  )
  await sql`create trigger slow before insert on account for each row execute function slow()`.execute(
    db,
  )
}
