import { afterCommit, afterRollback, transaction } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import { CompiledQuery, Kysely, PostgresDialect, SqliteDialect, sql } from 'kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import { Pool, type PoolClient } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { endHeard, endOnceAsleep, postgres } from '../../support/postgres.ts'
import { rejection } from '../../support/rejection.ts'
import {
  describeOn,
  engines,
  open,
  pglite,
  postgresql,
  sqliteKysely,
  sqliteOurs,
  type Tables,
} from './engines.ts'

const nesting = engines.filter(({ hasSavepoints }) => hasSavepoints)

describeOn(engines, 'failures', (engine) => {
  test('T15: what joined and failed takes everything with it, and success is not what the caller is told', async () => {
    const { db, add, names } = await open(engine)
    const failure = new Error('no')
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        await transaction(
          db,
          async () => {
            throw failure
          },
          { propagation: 'required' },
        ).catch(() => {})
        await add('b')
        return 'done'
      }),
    )
    expect(error).toMatchObject({ name: 'UnexpectedRollbackError', cause: failure })
    expect(await names()).toBe('')
  })

  test('T16: a failed statement that is caught costs what the engine says, and no less is reported', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    let after: unknown = 'sent'
    const run = transaction(db, async () => {
      await add('b')
      await add('a').catch(() => {})
      after = await add('c').then(
        () => 'sent',
        (error: Error) => error,
      )
    })
    if (engine.failsWhole) {
      const error = await rejection(run)
      expect(error.name).toBe('TransactionAbortedError')
      expect((error['cause'] as Error).message).toMatch(/unique/i)
      expect(after).toMatchObject({ name: 'TransactionAbortedError', cause: error['cause'] })
      expect(await names()).toBe('a')
    } else {
      await run
      expect(after).toBe('sent')
      expect(await names()).toBe('a,b,c')
    }
  })

  test('T23: the next transaction finds a clean connection, whatever became of the one before', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    const ends = [
      () => transaction(db, async () => Promise.reject(new Error('no'))),
      () => transaction(db, () => add('a')),
      () => transaction(db, async () => void add('a').catch(() => {})),
      () => transaction(db, async () => add('a').catch(() => {})),
      () => db.transaction().execute(() => add('a')),
      () => db.transaction().execute(() => Promise.reject(new Error('no'))),
    ]
    for (const [n, end] of ends.entries()) {
      await end().catch(() => {})
      await transaction(db, () => add(`next${n}`))
    }
    expect((await names()).split(',')).toHaveLength(ends.length + 1)
  })
})

describeOn(nesting, 'failures of nested ones', (engine) => {
  const matrix = [true, false].flatMap((outer) => [true, false].map((inner) => ({ outer, inner })))

  test.for(matrix)(
    'T14: outer succeeds $outer, inner succeeds $inner',
    async ({ outer, inner }) => {
      const { db, add, names } = await open(engine)
      await transaction(db, async () => {
        await add('outer')
        await transaction(db, async () => {
          await add('inner')
          if (!inner) throw new Error('inner')
        }).catch(() => {})
        await add('outer 2')
        if (!outer) throw new Error('outer')
      }).catch(() => {})
      expect(await names()).toBe(!outer ? '' : inner ? 'inner,outer,outer 2' : 'outer,outer 2')
    },
  )

  test('T14: a failed statement in a nested one leaves the one around it alone', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    await transaction(db, async () => {
      await add('b')
      await transaction(db, () => add('a')).catch(() => {})
      await add('c')
    })
    expect(await names()).toBe('a,b,c')
  })

  test('T16: a nested one that caught the failed statement does not succeed where the engine keeps nothing of it', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    await transaction(db, async () => {
      const nested = transaction(db, async () => {
        await add('b')
        await add('a').catch(() => {})
      })
      if (engine.failsWhole) expect((await rejection(nested)).name).toBe('TransactionAbortedError')
      else await nested
      await add('c')
    })
    expect(await names()).toBe(engine.failsWhole ? 'a,c' : 'a,b,c')
  })

  test('T25: a savepoint that the user has destroyed by text is not mistaken for a success', async () => {
    const { db, add, names } = await open(engine)
    const trx = await db.startTransaction().execute()
    await add('a', trx)
    const point = await trx.savepoint('mine').execute()
    const failed = await rejection(
      transaction(point, async () => {
        await add('b')
        await point.rollbackToSavepoint('mine').execute()
      }),
    )
    expect(failed).toBeInstanceOf(Error)
    expect((await rejection(trx.commit().execute())).name).toMatch(
      /UnexpectedRollbackError|TransactionAbortedError/,
    )
    await trx.rollback().execute()
    expect(await names()).toBe('')
  })
})

describeOn([sqliteOurs, sqliteKysely], 'T17: what SQLite ends on its own', (engine) => {
  const endings = {
    'OR ROLLBACK': sql`insert or rollback into item (name) values ('a')`,
    'RAISE(ROLLBACK)': sql`insert into item (name) values ('trigger')`,
  }
  test.for(Object.entries(endings))(
    '%s: nothing that follows is carried out',
    async ([, statement]) => {
      const { db, add, names } = await open(engine)
      await add('a')
      await sql`create trigger stop before insert on item when new.name = 'trigger' begin select raise(rollback, 'stopped'); end`.execute(
        db,
      )
      let first: unknown
      const refused: string[] = []
      const error = await rejection(
        transaction(db, async () => {
          await add('b')
          await transaction(db, async () => {
            await statement.execute(db).catch((thrown: unknown) => (first = thrown))
            refused.push((await rejection(add('c'))).name)
          }).catch(() => {})
          refused.push((await rejection(add('d'))).name)
        }),
      )
      expect(error).toMatchObject({ name: 'TransactionAbortedError', cause: first })
      expect(refused).toEqual(['TransactionAbortedError', 'TransactionAbortedError'])
      expect(await names()).toBe('a')
      await transaction(db, () => add('next'))
      expect(await names()).toBe('a,next')
    },
  )

  test('T19: a deferred foreign key that fails at COMMIT undoes everything, and the next transaction works', async () => {
    const { db, add, names } = await open(engine)
    await sql`pragma foreign_keys = on`.execute(db)
    await sql`create table part (item integer references item (id) deferrable initially deferred)`.execute(
      db,
    )
    const error = await rejection(
      transaction(db, async () => {
        await add('a')
        await sql`insert into part values (99)`.execute(db)
      }),
    )
    expect(error['code']).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    await transaction(db, () => add('next'))
    expect(await names()).toBe('next')
    const trx = await db.startTransaction().execute()
    await sql`insert into part values (98)`.execute(trx)
    expect((await rejection(trx.commit().execute()))['code']).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(await names()).toBe('next')
  })

  test('a full disk is the cause of what is refused afterwards', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db)
    await sql.raw(`pragma max_page_count = ${rows[0]!.page_count + 2}`).execute(db)
    const error = await rejection(
      transaction(db, async () => {
        for (let n = 0; ; n++) await add(`${n}`.padEnd(2_000, 'x'))
      }),
    )
    expect(error['code']).toBe('SQLITE_FULL')
    await sql`pragma max_page_count = 10000`.execute(db)
    await transaction(db, () => add('next'))
    expect(await names()).toBe('a,next')
  })
})

test('T18: PostgreSQL is not believed when it answers COMMIT by rolling back', async () => {
  for (const engine of [pglite, postgresql]) {
    const { db, add, names } = await open(engine)
    await add('a')
    const plain = await rejection(
      db.transaction().execute(async () => {
        await add('b')
        await add('a').catch(() => {})
        return 'SUCCESS'
      }),
    )
    expect(plain.name).toBe('TransactionAbortedError')
    expect(await names()).toBe('a')
  }
})

test("T21: the user's error survives a rollback that fails, which is told beside it", async () => {
  const raw = new Database(':memory:')
  const db = new Kysely<Tables>({ dialect: withTransactions(new SqliteDialect({ database: raw })) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text unique)`.execute(db)
  for (const run of [
    (fn: () => Promise<void>) => transaction(db, fn),
    (fn: () => Promise<void>) => db.transaction().execute(fn),
  ]) {
    const failure = new Error('no')
    const error = await rejection(
      run(async () => {
        raw.exec('rollback')
        throw failure
      }),
    )
    expect(error).toBe(failure)
    expect((error as unknown as { suppressed: Error[] }).suppressed[0]!.message).toMatch(
      /no transaction is active/,
    )
  }
  await transaction(
    db,
    async () => void (await db.insertInto('item').values({ name: 'a' }).execute()),
  )
  expect(await db.selectFrom('item').select('name').execute()).toEqual([{ name: 'a' }])
})

describe('connections of PostgreSQL', () => {
  async function pooled(max: number) {
    const { createDatabase } = await postgres()
    const pool = new Pool({ connectionString: await createDatabase(), max })
    // What happens to idle connections is the pool's, and its owner's, to hear.
    pool.on('error', () => {})
    const clients: PoolClient[] = []
    pool.on('connect', (client) => void clients.push(client))
    const db = new Kysely<Tables>({ dialect: withTransactions(new PostgresDialect({ pool })) })
    onTestFinished(() => db.destroy())
    await sql`create table item (id serial primary key, name text unique)`.execute(db)
    return { pool, db, clients }
  }

  test('T22: a BEGIN that fails costs no connection', async () => {
    const { pool, db } = await pooled(2)
    for (let n = 0; n < 50; n++) {
      const error = await rejection(
        transaction(db, async () => {}, {
          isolationLevel: 'read committed',
          accessMode: 'read write',
          signal: AbortSignal.abort(new Error('never')),
        }),
      )
      expect(error.message).toBe('never')
    }
    const kill = async (): Promise<void> => {
      const client = await pool.connect()
      client.on('error', () => {})
      const { rows } = await client.query('select pg_backend_pid() as pid')
      client.release()
      const other = new Pool({ connectionString: pool.options.connectionString!, max: 1 })
      await other.query('select pg_terminate_backend($1, 5000)', [rows[0].pid])
      await other.end()
    }
    for (let n = 0; n < 10; n++) {
      await kill()
      await transaction(db, async () => {}).catch(() => {})
    }
    await Promise.all(
      [1, 2, 3].map((n) =>
        transaction(db, () =>
          db
            .insertInto('item')
            .values({ name: `${n}` })
            .execute(),
        ),
      ),
    )
    expect(pool.waitingCount).toBe(0)
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test('T24: a backend that is killed while its transaction waits rejects the transaction, not the process', async () => {
    const { pool, db, clients } = await pooled(2)
    const error = await rejection(
      transaction(db, async () => {
        await db.insertInto('item').values({ name: 'a' }).execute()
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
        await endHeard(pool, clients, rows[0]!.pid)
        await db.insertInto('item').values({ name: 'b' }).execute()
      }),
    )
    expect(error.message).toMatch(/terminat|not queryable|Connection/i)
    expect(await db.selectFrom('item').selectAll().execute()).toEqual([])
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test('a backend that is killed under a statement rejects it, and the pool replaces the connection', async () => {
    const { pool, db } = await pooled(2)
    let ended: Promise<void> | undefined
    const error = await rejection(
      transaction(db, async () => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
        ended = endOnceAsleep(pool, rows[0]!.pid)
        await sql`select pg_sleep(50)`.execute(db)
      }),
    )
    expect(error['code']).toBe('57P01')
    await ended
    await transaction(db, () => db.executeQuery(CompiledQuery.raw('select 1')))
    expect(pool.idleCount).toBe(pool.totalCount)
  })
})

test('afterCommit() registered in a part that failed never runs', async () => {
  const { db } = await open(sqliteOurs)
  const log: string[] = []
  await transaction(db, async () => {
    await transaction(db, async () => {
      await afterCommit(db, () => log.push('inner'))
      throw new Error('no')
    }).catch(() => {})
    await afterCommit(db, () => log.push('outer'))
  })
  expect(log).toEqual(['outer'])
})

describeOn(nesting, 'rolling back', (engine) => {
  test('a hook that throws while what is nested is rolled back keeps nobody from rolling back what is around it', async () => {
    const { db, add, names } = await open(engine)
    const kept: string[] = []
    for (let moment = 0; moment < 40; moment++) {
      const stop = new AbortController()
      const later = async (): Promise<void> => {
        for (let at = 0; at < moment % 20; at++) await Promise.resolve()
        if (moment >= 20) await new Promise(setImmediate)
        stop.abort(new Error('stop'))
      }
      const thrown = await rejection(
        transaction(
          db,
          async () => {
            await add(`undone ${moment}`)
            await transaction(
              db,
              async (_, scope) => {
                scope.afterRollback(() => {
                  throw new Error('hook')
                })
                void later()
              },
              { commitIf: () => false },
            )
          },
          { signal: stop.signal },
        ),
      )
      expect(['hook', 'stop']).toContain(thrown.message)
      kept.push(`after ${String(moment).padStart(2, '0')}`)
      await add(kept.at(-1)!)
    }
    expect(await names()).toBe(kept.join())
  })
})

test('a transaction that is left behind with its connection costs no connection when its hook throws', async () => {
  const { db, add, names } = await open(sqliteKysely, { defaults: { acquireTimeoutMs: 500 } })
  const failure = new Error('no')
  const error = await rejection(
    db.connection().execute(async (connection) => {
      const trx = await connection.startTransaction().execute()
      await afterRollback(trx, () => {
        throw failure
      })
      await add('a', trx)
    }),
  )
  expect(error).toBe(failure)
  await add('next')
  expect(await names()).toBe('next')
})
