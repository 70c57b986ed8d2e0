import { ConnectionBusyError, TransactionAbortedError } from '@keelson/core'
import Database from 'better-sqlite3'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import {
  createTables,
  kysely,
  kyselyWithTables,
  names,
  recorder,
  rejection,
  temporaryFile,
} from './fixture.ts'

const orRollback = sql`insert or rollback into person (id, name) values (1, 'again')`

test('commits what the callback did, and rolls back when it throws the same error', async () => {
  const db = await kyselyWithTables()
  const done = await db.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
    return 'done'
  })
  expect(done).toBe('done')
  const mine = new Error('mine')
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ name: 'Alan' }).execute()
      throw mine
    }),
  )
  expect(error).toBe(mine)
  expect(await names(db)).toEqual(['Ada'])
})

test('S5: keeps a read-only transaction from writing, on every kind of database', async () => {
  const raw = new Database(temporaryFile())
  onTestFinished(() => void raw.close())
  for (const config of [{ path: temporaryFile() }, { path: ':memory:' }, { database: raw }]) {
    const db = await kyselyWithTables(config)
    const error = await rejection(
      db
        .transaction()
        .setAccessMode('read only')
        .execute((trx) => trx.insertInto('person').values({ name: 'Ada' }).execute()),
    )
    expect(error.code).toBe('SQLITE_READONLY')
    await db.insertInto('person').values({ name: 'Alan' }).execute()
    expect(await names(db)).toEqual(['Alan'])
  }
})

test('lets others write during a read-only transaction, which goes on seeing its snapshot', async () => {
  const db = await kyselyWithTables()
  await db
    .transaction()
    .setAccessMode('read only')
    .execute(async (trx) => {
      expect(await names(trx)).toEqual([])
      await db.insertInto('person').values({ name: 'Ada' }).execute()
      expect(await names(trx)).toEqual([])
    })
  expect(await names(db)).toEqual(['Ada'])
})

test('S5: refuses every isolation level but the one that SQLite has', async () => {
  const db = await kyselyWithTables()
  for (const level of [
    'read uncommitted',
    'read committed',
    'repeatable read',
    'snapshot',
  ] as const) {
    const error = await rejection(
      db
        .transaction()
        .setIsolationLevel(level)
        .execute(async () => {}),
    )
    expect(error).toMatchObject({
      code: 'INVALID_OPTION',
      option: 'isolationLevel',
      message: `SQLite cannot use "${level}" as \`isolationLevel\`. It takes 'serializable', which all its transactions are.`,
    })
  }
  await db
    .transaction()
    .setIsolationLevel('serializable')
    .execute((trx) => names(trx))
})

test('S6: reports the error that made SQLite roll back, and not the failing rollback', async () => {
  const db = await kyselyWithTables()
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
      await orRollback.execute(trx)
    }),
  )
  expect(error.code).toBe('SQLITE_CONSTRAINT_PRIMARYKEY')
  expect(await names(db)).toEqual([])
})

test('S6b: refuses further statements after SQLite has rolled back, so that none of them survives', async () => {
  const db = await kyselyWithTables()
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
      await orRollback.execute(trx).catch(() => {})
      await trx.insertInto('person').values({ id: 2, name: 'after' }).execute()
    }),
  )
  expect(error).toBeInstanceOf(TransactionAbortedError)
  expect(error.cause).toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  expect(await names(db)).toEqual([])
})

test('S6b: a commit after SQLite has rolled back throws, and sends no rollback', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: temporaryFile() }, { log })
  lines.length = 0
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
      await orRollback.execute(trx).catch(() => {})
    }),
  )
  expect(error).toBeInstanceOf(TransactionAbortedError)
  expect(Symbol.for('kysely.AbortedTransactionError') in error).toBe(true)
  expect(error.cause).toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  expect(lines.at(-1)).toBe('error: commit')
  expect(await names(db)).toEqual([])
})

test('a controlled transaction that SQLite rolled back counts as rolled back', async () => {
  const db = await kyselyWithTables()
  const trx = await db.startTransaction().execute()
  await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
  await orRollback.execute(trx).catch(() => {})
  await expect(trx.commit().execute()).rejects.toBeInstanceOf(TransactionAbortedError)
  expect(trx.isRolledBack).toBe(true)
  await trx.rollback().execute()
  await db.insertInto('person').values({ name: 'Alan' }).execute()
  expect(await names(db)).toEqual(['Alan'])
})

test('the error of the callback survives a rollback that fails, which only the log tells of', async () => {
  const { log, lines } = recorder()
  const raw = new Database(temporaryFile())
  const db = await kyselyWithTables({ database: raw }, { log })
  const mine = new Error('mine')
  let rows: IterableIterator<unknown> | undefined
  onTestFinished(() => {
    rows?.return?.()
    raw.close()
  })
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ name: 'Ada' }).execute()
      // better-sqlite3 refuses every statement that writes while an iterator is open.
      rows = raw.prepare('select 1').iterate()
      throw mine
    }),
  )
  expect(error).toBe(mine)
  expect(lines.at(-1)).toBe('error: rollback')
  // Nobody writes into the transaction that is still open.
  await expect(db.insertInto('person').values({ name: 'Alan' }).execute()).rejects.toThrow(
    'busy executing a query',
  )
})

test('the error of the callback survives a handed-in database that was closed meanwhile', async () => {
  const raw = new Database(temporaryFile())
  const db = await kyselyWithTables({ database: raw })
  const mine = new Error('mine')
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ name: 'Ada' }).execute()
      raw.close()
      throw mine
    }),
  )
  expect(error).toBe(mine)
})

test('a commit that a deferred foreign key refuses rolls back and lets the next transaction begin', async () => {
  const db = kysely()
  await sql`create table parent (id integer primary key)`.execute(db)
  await sql`create table child (parent_id integer references parent deferrable initially deferred)`.execute(
    db,
  )
  const error = await rejection(
    db.transaction().execute((trx) => sql`insert into child values (1)`.execute(trx)),
  )
  expect(error.code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
  await db.transaction().execute((trx) => sql`insert into parent values (1)`.execute(trx))
  expect((await sql`select count(*) as n from child`.execute(db)).rows).toEqual([{ n: 0 }])
})

test('S8: a query on db inside a transaction fails instead of waiting for ever, and says where that began', async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 50 })
  const error = await rejection(
    (async () => {
      await db.transaction().execute(async (trx) => {
        await trx.insertInto('person').values({ name: 'Ada' }).execute()
        await db.insertInto('person').values({ name: 'Alan' }).execute()
      })
    })(),
  )
  expect(error).toBeInstanceOf(ConnectionBusyError)
  expect(error.message).toMatch(
    /to run `insert into "person" .*begun at .*transactions\.test\.ts:\d+/s,
  )
  expect(await names(db)).toEqual([])
})

test('S8: a read on db inside a transaction sees what is committed', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
    expect(await names(db)).toEqual([])
    expect(await names(trx)).toEqual(['Ada'])
  })
})

test('S9: a transaction on db inside a transaction fails instead of waiting for ever', async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 50 })
  const error = await rejection(
    (async () => {
      await db.transaction().execute(async (trx) => {
        await trx.insertInto('person').values({ name: 'Ada' }).execute()
        await db
          .transaction()
          .execute((inner) => inner.insertInto('person').values({ name: 'Alan' }).execute())
      })
    })(),
  )
  expect(error).toBeInstanceOf(ConnectionBusyError)
  expect(error.message).toMatch(/begun at .*transactions\.test\.ts:\d+/)
})

test('S9: the db of db.connection() inside a transaction of its own fails instead of waiting for ever', async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 50 })
  await db.connection().execute(async (connection) => {
    const error = await rejection(connection.transaction().execute(async () => names(connection)))
    expect(error).toBeInstanceOf(ConnectionBusyError)
    expect(error.message).toMatch(/on `trx` and not on the `db` of `db\.connection\(\)`/)
    // What runs beside a transaction that ends in time only waits.
    const [, found] = await Promise.all([
      connection
        .transaction()
        .execute((trx) => trx.insertInto('person').values({ name: 'Ada' }).execute()),
      names(connection),
    ])
    expect(found).toEqual(['Ada'])
  })
})

test('S20: an abandoned controlled transaction makes others fail, naming where it began', async () => {
  const db = await kyselyWithTables({ path: temporaryFile(), busyTimeoutMs: 50 })
  const trx = await db.startTransaction().execute()
  await trx.insertInto('person').values({ name: 'Ada' }).execute()
  const error = await rejection(db.insertInto('person').values({ name: 'Alan' }).execute())
  expect(error).toBeInstanceOf(ConnectionBusyError)
  expect(error.message).toMatch(
    /begun at .*transactions\.test\.ts:\d+.*last statement: `insert into "person"/s,
  )
  await trx.rollback().execute()
  await db.insertInto('person').values({ name: 'Alan' }).execute()
  expect(await names(db)).toEqual(['Alan'])
})

test('writers wait for the open transaction and run in the order they came', async () => {
  const db = await kyselyWithTables()
  const order: string[] = []
  await Promise.all(
    ['first', 'second', 'third'].map((name) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('person').values({ name }).execute()
        await new Promise(setImmediate)
        order.push(name)
      }),
    ),
  )
  expect(order).toEqual(['first', 'second', 'third'])
})

test('rolls back to a savepoint, releases one, and commits the rest', async () => {
  const db = await kyselyWithTables()
  const trx = await db.startTransaction().execute()
  await trx.insertInto('person').values({ name: 'Ada' }).execute()
  const inner = await trx.savepoint('a "quoted" one').execute()
  await inner.insertInto('person').values({ name: 'Alan' }).execute()
  await inner.rollbackToSavepoint('a "quoted" one').execute()
  await inner.insertInto('person').values({ name: 'Grace' }).execute()
  await inner.releaseSavepoint('a "quoted" one').execute()
  await trx.commit().execute()
  expect(await names(db)).toEqual(['Ada', 'Grace'])
})

test("shows in Kysely's log every statement as SQLite gets it, transaction commands included", async () => {
  const sent: unknown[] = []
  const raw = new Database(temporaryFile(), { verbose: (statement) => sent.push(statement) })
  onTestFinished(() => void raw.close())
  const { log, lines } = recorder()
  const db = kysely({ database: raw, behavior: 'exclusive' }, { log })
  await createTables(db)
  sent.length = 0
  lines.length = 0
  const trx = await db.startTransaction().execute()
  const inner = await trx.savepoint('s').execute()
  await inner.rollbackToSavepoint('s').execute()
  await inner.releaseSavepoint('s').execute()
  await trx.commit().execute()
  await db
    .transaction()
    .setAccessMode('read only')
    .execute((it) => names(it))
  await rejection(db.transaction().execute(() => Promise.reject(new Error('mine'))))
  expect(lines).toEqual([
    'begin exclusive',
    'savepoint "s"',
    'rollback to "s"',
    'release "s"',
    'commit',
    'begin deferred',
    'select "name" from "person" order by "id"',
    'commit',
    'begin exclusive',
    'rollback',
  ])
  expect(sent.filter((statement) => !/query_only/.test(String(statement)))).toEqual(lines)
})

test('shows `begin immediate` and the failure of a begin', async () => {
  const { log, lines } = recorder()
  const path = temporaryFile()
  const db = await kyselyWithTables({ path, busyTimeoutMs: 20 }, { log })
  const other = new Database(path)
  onTestFinished(() => void other.close())
  lines.length = 0
  await db.transaction().execute(async () => {})
  other.exec('begin immediate')
  const error = await rejection(db.transaction().execute(async () => {}))
  expect(error.code).toBe('SQLITE_BUSY')
  other.exec('rollback')
  await db.transaction().execute(async () => {})
  expect(lines).toEqual([
    'begin immediate',
    'commit',
    'error: begin immediate',
    'begin immediate',
    'commit',
  ])
})

test('a query on a transaction that has ended fails', async () => {
  const db = await kyselyWithTables()
  let escaped = db
  await db.transaction().execute(async (trx) => {
    escaped = trx
  })
  await expect(names(escaped)).rejects.toThrow('Transaction is already committed')
  await db.connection().execute(async (connection) => {
    escaped = connection
  })
  await expect(names(escaped)).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
})
