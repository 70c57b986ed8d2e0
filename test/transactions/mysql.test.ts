/** What only MySQL does in transactions, through Kysely and through Drizzle. */
import { describeError } from '@keelson/core'
import * as onDrizzle from '@keelson/transactions/drizzle'
import * as onKysely from '@keelson/transactions/kysely'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/mysql2'
import { Kysely, MysqlDialect, sql } from 'kysely'
import { createPool, type Pool } from 'mysql2'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMysqlDatabase, hasMysql, runOnServer } from '../support/mysql.ts'
import { rejection } from '../support/rejection.ts'

interface Opened {
  readonly pool: Pool
  transaction<R>(
    fn: (scope: { readonly attempt: number }) => Promise<R>,
    options?: onKysely.TransactionOptions,
  ): Promise<R>
  run(text: string): Promise<any[]>
  outside<R>(fn: () => Promise<R>): Promise<R>
}

const hosts = { Kysely: openKysely, Drizzle: openDrizzle }

async function newPool(max: number): Promise<Pool> {
  const pool = createPool({ uri: await createMysqlDatabase(), connectionLimit: max })
  onTestFinished(async () => {
    await pool
      .promise()
      .end()
      .catch(() => {})
  })
  return pool
}

async function openKysely(max = 3): Promise<Opened> {
  const pool = await newPool(max)
  const db = new Kysely<any>({ dialect: onKysely.withTransactions(new MysqlDialect({ pool })) })
  return {
    pool,
    transaction: (fn, options) => onKysely.transaction(db, (_tx, scope) => fn(scope), options),
    run: async (text) => [...(await sql.raw(text).execute(db)).rows],
    outside: (fn) => onKysely.outside(db, fn),
  }
}

async function openDrizzle(max = 3): Promise<Opened> {
  const pool = await newPool(max)
  const db = onDrizzle.withTransactions(drizzle(pool))
  return {
    pool,
    transaction: (fn, options) =>
      onDrizzle.transaction(db, (_tx, scope) => fn(scope), options as onDrizzle.TransactionOptions),
    async run(text) {
      const [rows] = await db.execute(drizzleSql.raw(text))
      return rows as unknown as any[]
    },
    outside: (fn) => onDrizzle.outside(db, fn),
  }
}

async function filled(opened: Opened): Promise<Opened & { names(): Promise<string> }> {
  await opened.run('create table item (name varchar(50) primary key, n int not null default 0)')
  await opened.run("insert into item (name) values ('x'), ('y')")
  const names = async (): Promise<string> =>
    (await opened.run('select name from item order by name')).map(({ name }) => name).join()
  return { ...opened, names }
}

describe.skipIf(!hasMysql)('on MySQL', () => {
  describe.for(Object.entries(hosts))('through %s', ([, openHost]) => {
    const open = async (max?: number) => filled(await openHost(max))

    test('T17: a deadlock, in whatever depth, has ended the whole transaction, and nothing follows', async () => {
      const { transaction, run, outside, names } = await open()
      let other: Promise<unknown> | undefined
      let error: unknown
      const refused: string[] = []
      // The one that has changed less is the one that InnoDB rolls back.
      await transaction(async () => {
        await run("insert into item (name) values ('kept?')")
        await run("update item set n = 1 where name = 'x'")
        let locked: (() => void) | undefined
        const isLocked = new Promise<void>((resolve) => (locked = resolve))
        other = outside(() =>
          transaction(async () => {
            for (let n = 0; n < 50; n++) await run(`insert into item (name) values ('other${n}')`)
            await run("update item set n = 2 where name = 'y'")
            locked!()
            await run("update item set n = 2 where name = 'x'")
          }),
        )
        await isLocked
        await transaction(async () => {
          error = await rejection(run("update item set n = 1 where name = 'y'"))
          refused.push((await rejection(run("insert into item (name) values ('late')"))).name)
        }).catch(() => {})
        refused.push((await rejection(run("insert into item (name) values ('later')"))).name)
      }).catch((thrown: unknown) => void refused.push((thrown as Error).name))
      await other
      expect(describeError(error)).toMatchObject({ category: 'deadlock', retryable: true })
      expect(refused).toEqual(Array(3).fill('TransactionAbortedError'))
      expect(await names()).not.toMatch(/kept|late/)
    })

    test('T33: transactions that deadlock are run again until both are in', async () => {
      const { transaction, run } = await open()
      let waiting = 2
      let go: (() => void) | undefined
      const both = new Promise<void>((resolve) => (go = resolve))
      const attempts: number[] = []
      const cross = (first: string, second: string): Promise<void> =>
        transaction(
          async ({ attempt }) => {
            await run(`update item set n = n + 1 where name = '${first}'`)
            if (--waiting === 0) go!()
            await both
            await run(`update item set n = n + 1 where name = '${second}'`)
            attempts.push(attempt)
          },
          { retry: 5 },
        )
      await Promise.all([cross('x', 'y'), cross('y', 'x')])
      expect(attempts.toSorted((one, other) => one - other)).toEqual([1, 2])
      expect(await run('select n from item')).toMatchObject([{ n: 2 }, { n: 2 }])
    })

    test.for(['commit', 'create table made (id int)'])(
      'T17: a procedure that runs `%s` ends the transaction, and nothing that follows is sent',
      async (inside) => {
        const { transaction, run, names } = await open()
        await run(`create procedure ending() begin ${inside}; end`)
        const error = await rejection(
          transaction(async () => {
            await run("insert into item (name) values ('before')")
            await run('call ending()').catch(() => {})
            await run("insert into item (name) values ('after')")
          }),
        )
        expect(error.name).toBe('TransactionAbortedError')
        expect(`${error.message} ${String((error as Error).cause)}`).toContain('call ending()')
        // MySQL has committed what came before: that is what the error tells.
        expect(await names()).toBe('before,x,y')
      },
    )

    test('a procedure that ends nothing is a part of the transaction', async () => {
      const { transaction, run, names } = await open()
      await run(`create procedure adding() begin insert into item (name) values ('added'); end`)
      await transaction(async () => {
        await run('call adding()')
        throw new Error('no')
      }).catch(() => {})
      expect(await names()).toBe('x,y')
      await transaction(() => run('call adding()'))
      expect(await names()).toBe('added,x,y')
    })

    test('T8: what MySQL commits before it runs it is refused before it is sent', async () => {
      const { transaction, run, names } = await open()
      for (const text of [
        'create table other (id int)',
        'truncate item',
        'lock tables item read',
      ]) {
        const error = await rejection(
          transaction(async () => {
            await run("insert into item (name) values ('a')")
            await run(text)
          }),
        )
        expect(error, text).toMatchObject({ code: 'TRANSACTION_CONTROL' })
      }
      await transaction(() => run('create temporary table other (id int)'))
      expect(await names()).toBe('x,y')
    })

    test('a wait for a lock that times out costs its statement, and the transaction goes on', async () => {
      const { transaction, run, outside, names } = await open()
      await transaction(async () => {
        await run("update item set n = 1 where name = 'x'")
        await outside(() =>
          transaction(async () => {
            await run('set innodb_lock_wait_timeout = 1')
            await run("insert into item (name) values ('kept')")
            const error = await rejection(run("update item set n = 2 where name = 'x'"))
            expect(describeError(error).category).toBe('busy')
            await run("insert into item (name) values ('kept, too')")
          }),
        )
      })
      expect(await names()).toBe('kept,kept, too,x,y')
    })

    test('T26: the isolation level is that of the transaction alone', async () => {
      const { transaction, run, outside } = await open(2)
      const seen: string[] = []
      await transaction(async () => {
        await run("insert into item (name) values ('uncommitted')")
        for (const isolationLevel of ['read uncommitted', undefined, 'read uncommitted'])
          await outside(() =>
            transaction(
              async () =>
                void seen.push((await run('select name from item')).map(({ name }) => name).join()),
              isolationLevel === undefined ? {} : { isolationLevel },
            ),
          )
      })
      expect(seen).toEqual(['uncommitted,x,y', 'x,y', 'uncommitted,x,y'])
    })

    test('T24: a connection that is killed while its transaction waits rejects it, not the process', async () => {
      const { transaction, run, names } = await open()
      const error = await rejection(
        transaction(async () => {
          await run("insert into item (name) values ('a')")
          const [row] = await run('select connection_id() as id')
          await runOnServer(`kill ${row.id}`)
          await run("insert into item (name) values ('b')")
        }),
      )
      expect(describeError(error).category).toBe('connection')
      expect(await names()).toBe('x,y')
    })

    test('T30: the statement that runs into the limit is cancelled in the engine', async () => {
      const { transaction, run, names } = await open()
      const error = await rejection(
        transaction(
          async () => {
            await run("insert into item (name) values ('a')")
            await run('select sleep(30)')
          },
          { timeoutMs: 100 },
        ),
      )
      expect(error.name).toBe('TransactionTimeoutError')
      const running = await run(
        "select id from information_schema.processlist where info like 'select sleep%'",
      )
      expect(running).toEqual([])
      expect(await names()).toBe('x,y')
    })

    test('T29: a second connection that the pool does not have is refused at once', async () => {
      const { transaction, run, names } = await open(1)
      await transaction(async () => {
        await run("insert into item (name) values ('a')")
        const inner = await rejection(
          transaction(() => run("insert into item (name) values ('b')"), {
            propagation: 'requiresNew',
          }),
        )
        expect(inner.name).toBe('TransactionDeadlockError')
      })
      expect(await names()).toBe('a,x,y')
    })
  })
})
