import { transaction } from '@keelson/transactions/kysely'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { type Opened, sqliteKysely, sqliteOurs, taken } from './model/engines.ts'

/** What makes SQLite end a transaction by itself, or refuse to commit it. */
interface Fault {
  readonly name: string
  readonly prepare: readonly string[]
  readonly statement: string
  readonly parameters?: readonly unknown[]
  readonly message: RegExp
}

const faults: readonly Fault[] = [
  {
    name: 'OR ROLLBACK',
    prepare: [],
    statement: `insert or rollback into item values ('${taken}')`,
    message: /UNIQUE/,
  },
  {
    name: 'RAISE(ROLLBACK)',
    prepare: [
      'create table fragile (n integer)',
      "create trigger breaks before insert on fragile begin select raise(rollback, 'broken'); end",
    ],
    statement: 'insert into fragile values (1)',
    message: /broken/,
  },
  {
    name: 'a full disk',
    // Twenty pages more than there are.
    prepare: ['create table large (data blob)', 'pragma max_page_count = 40'],
    statement: 'insert into large values (zeroblob(1000000))',
    message: /full/,
  },
]

describe.each([sqliteOurs, sqliteKysely])('on $name', (engine) => {
  const start = async ({ prepare }: Pick<Fault, 'prepare'>) => {
    const opened = await engine.open()
    for (const statement of prepare) await opened.run(statement)
    return {
      ...opened,
      add: (name: string) => opened.db.insertInto('item').values({ name }).execute(),
    }
  }
  const works = async ({ db, names, assertIdle }: Opened): Promise<void> => {
    await transaction(db, () => db.insertInto('item').values({ name: 'next' }).execute())
    expect(await names('next')).toEqual(['next'])
    await assertIdle()
  }

  describe.each(faults)('$name', (fault) => {
    const { statement, message } = fault

    test('T17: nothing that comes after is written, in whatever scope, and the first error is the cause', async () => {
      const opened = await start(fault)
      const { db, add, names } = opened
      const run = () => sql.raw(statement).execute(db)
      const causes: unknown[] = []
      let first: unknown
      const error = await rejection(
        transaction(db, async () => {
          await add('t1')
          await transaction(db, async () => {
            await add('t2')
            first = await rejection(run())
            causes.push((await rejection(add('t3'))).cause)
          }).catch((failure: Error) => void causes.push(failure.cause))
          causes.push((await rejection(add('t4'))).cause)
          causes.push((await rejection(transaction(db, () => add('t5')))).cause)
        }),
      )
      expect((first as Error).message).toMatch(message)
      expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
      causes.push(error.cause)
      expect(causes).toHaveLength(5)
      for (const cause of causes) expect(cause).toBe(first)
      expect(await names('t')).toEqual([taken])
      await works(opened)
    })

    test('T17: thrown on, it is what transaction() rejects with, and nothing else', async () => {
      const opened = await start(fault)
      const { db, add, names } = opened
      let thrown: unknown
      const error = await rejection(
        transaction(db, async () => {
          await add('t1')
          await transaction(db, async () => {
            await add('t2')
            await sql
              .raw(statement)
              .execute(db)
              .catch((failure: unknown) => {
                thrown = failure
                throw failure
              })
          })
        }),
      )
      expect(error).toBe(thrown)
      expect(error['suppressed']).toBeUndefined()
      expect(await names('t')).toEqual([taken])
      await works(opened)
    })

    test('T17: branches beside it write nothing either, and neither does what comes later', async () => {
      const opened = await start(fault)
      const { db, add, names } = opened
      const told = await Promise.allSettled([
        transaction(db, async () => {
          await Promise.allSettled([
            add('t1'),
            sql.raw(statement).execute(db),
            ...[2, 3, 4].map((n) => add(`t${n}`)),
            transaction(db, () => add('t5')),
          ])
          void Promise.resolve()
            .then(() => add('t6'))
            .catch(() => {})
        }),
      ])
      expect(told[0]).toMatchObject({ status: 'rejected', reason: { code: 'TRANSACTION_ABORTED' } })
      await new Promise((resolve) => setImmediate(resolve))
      expect(await names('t')).toEqual([taken])
      await works(opened)
    })
  })

  test('T19: a deferred foreign key that fails at COMMIT undoes everything, and its error is what is told', async () => {
    const opened = await start({
      prepare: [
        'pragma foreign_keys = on',
        'create table child (name text references item (name) deferrable initially deferred)',
      ],
    })
    const { db, add, names } = opened
    let ran = 0
    const error = await rejection(
      transaction(db, async (_, { afterCommit, afterRollback }) => {
        afterCommit(() => void (ran += 100))
        afterRollback(() => void ran++)
        await add('t1')
        await transaction(db, () => sql`insert into child values ('nobody')`.execute(db))
        await add('t2')
      }),
    )
    expect(error['code']).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(error['suppressed']).toBeUndefined()
    expect(ran).toBe(1)
    expect(await names('t')).toEqual([taken])
    await works(opened)
  })
})
