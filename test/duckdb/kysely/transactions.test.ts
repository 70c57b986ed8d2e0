import { describeError, SavepointsNotSupportedError, TransactionAbortedError } from '@keelson/core'
import { sql, type Kysely } from 'kysely'
import { expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { open } from '../fixture.ts'
import { collect, file, kyselyWithTables, names, recorder, type Schema } from './fixture.ts'

const failing = sql`insert into person (id, name) values (1, 'again')`

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

test('S5: keeps a read-only transaction from writing, and the next one may write again', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 1 } })
  const error = await rejection(
    db
      .transaction()
      .setAccessMode('read only')
      .execute((trx) => trx.insertInto('person').values({ name: 'Ada' }).execute()),
  )
  expect(describeError(error)?.category).toBe('readOnly')
  await db
    .transaction()
    .setAccessMode('read write')
    .execute((trx) => trx.insertInto('person').values({ name: 'Alan' }).execute())
  expect(await names(db)).toEqual(['Alan'])
})

test('S5: refuses every isolation level but the one that DuckDB has', async () => {
  const db = await kyselyWithTables()
  for (const level of [
    'read uncommitted',
    'read committed',
    'repeatable read',
    'serializable',
  ] as const) {
    let called = false
    const error = await rejection(
      db
        .transaction()
        .setIsolationLevel(level)
        .execute(async () => {
          called = true
        }),
    )
    expect(error).toMatchObject({
      name: 'OptionError',
      code: 'INVALID_OPTION',
      option: 'isolationLevel',
      message: `DuckDB cannot use "${level}" as \`isolationLevel\`. It takes 'snapshot', which all its transactions are.`,
    })
    expect(called).toBe(false)
  }
  await db
    .transaction()
    .setIsolationLevel('snapshot')
    .execute((trx) => names(trx))
})

test('lets others read and write meanwhile, and goes on seeing its snapshot', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
    expect(await names(db)).toEqual([])
    await db.insertInto('person').values({ name: 'Alan' }).execute()
    expect(await names(trx)).toEqual(['Ada'])
    await db.transaction().execute((other) => names(other))
  })
  expect((await names(db)).toSorted()).toEqual(['Ada', 'Alan'])
})

test('S6: reports the error of the statement that failed, and rolls back', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: file() }, { log })
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
      await failing.execute(trx)
    }),
  )
  expect(describeError(error)?.category).toBe('unique')
  expect(lines.at(-1)).toBe('rollback')
  expect(await names(db)).toEqual([])
})

test('S6b: a commit after a failure that was caught throws, keeps nothing, and sends no rollback', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: file() }, { log })
  let first: unknown
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
      first = await rejection(failing.execute(trx))
    }),
  )
  expect(error).toBeInstanceOf(TransactionAbortedError)
  expect(error.cause).toBe(first)
  expect(Symbol.for('kysely.AbortedTransactionError') in error).toBe(true)
  expect(lines.at(-1)).toBe('error: commit')
  expect(await names(db)).toEqual([])
  await db.insertInto('person').values({ name: 'Alan' }).execute()
})

test('S6b: refuses further statements and streams after a failure, each naming the first', async () => {
  const db = await kyselyWithTables()
  let first: unknown
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
      first = await rejection(failing.execute(trx))
      const streamed = await rejection(collect(trx.selectFrom('person').selectAll().stream()))
      expect(streamed).toBeInstanceOf(TransactionAbortedError)
      await trx.insertInto('person').values({ id: 2, name: 'after' }).execute()
    }),
  )
  expect(error).toBeInstanceOf(TransactionAbortedError)
  expect(error.cause).toBe(first)
  expect(await names(db)).toEqual([])
})

test('a controlled transaction that is doomed counts as rolled back', async () => {
  const db = await kyselyWithTables()
  const trx = await db.startTransaction().execute()
  await trx.insertInto('person').values({ id: 1, name: 'Ada' }).execute()
  await rejection(failing.execute(trx))
  await expect(trx.commit().execute()).rejects.toBeInstanceOf(TransactionAbortedError)
  expect(trx.isRolledBack).toBe(true)
  await trx.rollback().execute()
  await db.insertInto('person').values({ name: 'Alan' }).execute()
  expect(await names(db)).toEqual(['Alan'])
})

test('a commit that DuckDB refuses because of another rolls back, says so, and can be retried', async () => {
  const db = await kyselyWithTables()
  const add = (trx: Kysely<any>) =>
    sql`insert into person (id, name) values (7, 'Ada')`.execute(trx)
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await add(trx)
      await add(db)
    }),
  )
  expect(describeError(error)).toMatchObject({ category: 'serialization', retryable: true })
  expect(await names(db)).toEqual(['Ada'])

  await db.updateTable('person').set({ age: 1 }).execute()
  const conflict = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.updateTable('person').set({ age: 2 }).execute()
      await db.updateTable('person').set({ age: 3 }).execute()
    }),
  )
  expect(describeError(conflict)).toMatchObject({ category: 'serialization', retryable: true })
})

test('the error of the callback survives a database that was closed meanwhile', async () => {
  const database = await open()
  const db = await kyselyWithTables({ database })
  const mine = new Error('mine')
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ name: 'Ada' }).execute()
      await database.close({ deadlineMs: 0 })
      throw mine
    }),
  )
  expect(error).toBe(mine)
})

test('savepoints are refused before anything is sent, and the transaction goes on', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: file() }, { log })
  const trx = await db.startTransaction().execute()
  await trx.insertInto('person').values({ name: 'Ada' }).execute()
  lines.length = 0
  const commands = {
    'The savepoint "s"': () => trx.savepoint('s').execute(),
    'Rolling back to the savepoint "s"': () => trx.rollbackToSavepoint('s' as never).execute(),
    'Releasing the savepoint "s"': () => trx.releaseSavepoint('s' as never).execute(),
  }
  for (const [what, command] of Object.entries(commands)) {
    const error = await rejection(command)
    expect(error).toBeInstanceOf(SavepointsNotSupportedError)
    expect(error.message).toMatch(`${what} is not possible: DuckDB has no savepoints`)
    expect(error.message).toMatch(
      /ON CONFLICT DO NOTHING, TRY_CAST.*or use a transaction of its own\.$/,
    )
  }
  expect(lines).toEqual([])
  await trx.insertInto('person').values({ name: 'Alan' }).execute()
  await trx.commit().execute()
  expect(await names(db)).toEqual(['Ada', 'Alan'])
})

test('savepoints as plain SQL are refused the same way, and so are BEGIN, COMMIT and ROLLBACK', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
    for (const statement of ['savepoint s', 'rollback to s', 'release s'])
      expect(await rejection(sql.raw(statement).execute(trx))).toBeInstanceOf(
        SavepointsNotSupportedError,
      )
    for (const statement of ['begin', 'commit', 'rollback'])
      expect(await rejection(sql.raw(statement).execute(trx))).toMatchObject({
        code: 'TRANSACTION_CONTROL',
      })
  })
  expect(await names(db)).toEqual(['Ada'])
})

test("shows in Kysely's log every statement, transaction commands included", async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables({ path: file() }, { log })
  lines.length = 0
  const trx = await db.startTransaction().execute()
  await trx.commit().execute()
  await db
    .transaction()
    .setAccessMode('read only')
    .execute((it) => names(it))
  await db
    .transaction()
    .setAccessMode('read write')
    .execute(async () => {})
  await rejection(db.transaction().execute(() => Promise.reject(new Error('mine'))))
  expect(lines).toEqual([
    'begin transaction',
    'commit',
    'begin transaction read only',
    'select "name" from "person" order by "id"',
    'commit',
    'begin transaction',
    'commit',
    'begin transaction',
    'rollback',
  ])
})

test('shows the failure of a begin, and begins the next time', async () => {
  const { log, lines } = recorder()
  const db = await kyselyWithTables(
    { path: file(), pool: { max: 1, acquireTimeoutMs: 300 } },
    { log },
  )
  lines.length = 0
  await db.transaction().execute(async () => {
    const error = await rejection(db.transaction().execute(async () => {}))
    expect(error.name).toBe('PoolAcquireTimeoutError')
  })
  await db.transaction().execute(async () => {})
  expect(lines).toEqual([
    'begin transaction',
    'error: begin transaction',
    'commit',
    'begin transaction',
    'commit',
  ])
})

test('S8, S9: with every connection in a transaction that waits for another, all fail instead of waiting for ever', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 2, acquireTimeoutMs: 300 } })
  const outcomes = await Promise.allSettled(
    ['a', 'b'].map((name) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('person').values({ name }).execute()
        await db.transaction().execute((inner) => names(inner))
      }),
    ),
  )
  expect(outcomes.map(({ status }) => status)).toContain('rejected')
  await db.insertInto('person').values({ name: 'after' }).execute()
  expect(await names(db)).toContain('after')
})

test('S9: the db of db.connection() inside a transaction of its own fails instead of waiting for ever', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 2, acquireTimeoutMs: 300 } })
  await db.connection().execute(async (connection) => {
    const error = await rejection(connection.transaction().execute(async () => names(connection)))
    expect(error).toMatchObject({ code: 'CONNECTION_BUSY' })
    expect(error.message).toMatch(
      /Gave up after 300 ms \(pool\.acquireTimeoutMs\).* on `trx` and not on the `db` of `db\.connection\(\)`/,
    )
  })
})

test('the db of db.connection() beside a transaction of its own that ends in time only waits', async () => {
  const db = await kyselyWithTables()
  await db.connection().execute(async (connection) => {
    const [, found] = await Promise.all([
      connection
        .transaction()
        .execute((trx) => trx.insertInto('person').values({ name: 'Ada' }).execute()),
      names(connection),
    ])
    expect(found).toEqual(['Ada'])
  })
})

test('S20: an abandoned controlled transaction keeps nobody else from working', async () => {
  const db = await kyselyWithTables()
  const trx = await db.startTransaction().execute()
  await trx.insertInto('person').values({ name: 'Ada' }).execute()
  await db.insertInto('person').values({ name: 'Alan' }).execute()
  expect(await names(db)).toEqual(['Alan'])
  await trx.rollback().execute()
})

test('a query on a transaction or connection that has ended fails', async () => {
  const db = await kyselyWithTables()
  let escaped = db
  await db.transaction().execute(async (trx) => {
    escaped = trx
  })
  await expect(names(escaped)).rejects.toThrow('Transaction is already committed')
  await db.connection().execute(async (connection) => {
    await names(connection)
    escaped = connection
  })
  await expect(names(escaped)).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
})

for (const ending of ['commits', 'rolls back']) {
  test(`Z2: nothing that comes late is kept of a transaction that ${ending}, unless it takes part`, async () => {
    const db = await kyselyWithTables()
    for (let depth = 0; depth < 60; depth++) {
      const late: Promise<unknown>[] = []
      const add = (trx: Kysely<any>) =>
        trx
          .insertInto('person')
          .values({ name: `late ${depth}` })
          .returning('id')
      const outcome = await Promise.resolve(
        db.transaction().execute(async (trx) => {
          const after = (async () => {
            for (let n = 0; n < depth; n++) await Promise.resolve()
            return depth % 2 === 0 ? add(trx).execute() : collect(add(trx).stream())
          })()
          late.push(after)
          after.catch(() => {})
          if (ending === 'rolls back') throw new Error('mine')
        }),
      ).then(
        () => 'committed',
        () => 'rolled back',
      )
      const [sent] = await Promise.allSettled(late)
      const isKept = (await names(db)).includes(`late ${depth}`)
      expect({ depth, isKept }).toEqual({
        depth,
        isKept: outcome === 'committed' && sent?.status === 'fulfilled',
      })
    }
  })
}

// Kysely logs a command before it tells the Transaction of its end: nothing can come later and still get through.
for (const kind of ['a query', 'a stream']) {
  test(`Z2: ${kind} that comes between the commit or rollback and the end of the Transaction is refused`, async () => {
    const late: Promise<unknown>[] = []
    let escaped: Kysely<Schema> | undefined
    const db = await kyselyWithTables(
      { path: file() },
      {
        log: ({ query }) => {
          if (escaped === undefined || !/^(commit|rollback)$/.test(query.sql)) return
          const insert = escaped.insertInto('person').values({ name: query.sql }).returning('id')
          late.push(rejection(kind === 'a query' ? insert.execute() : collect(insert.stream())))
        },
      },
    )
    await db.transaction().execute(async (trx) => {
      escaped = trx
    })
    await rejection(
      db.transaction().execute(async (trx) => {
        escaped = trx
        throw new Error('mine')
      }),
    )
    await db.connection().execute(async (connection) => {
      await connection.transaction().execute(async (trx) => {
        escaped = trx
      })
    })
    escaped = undefined
    expect(late).toHaveLength(3)
    for (const error of await Promise.all(late))
      expect(error).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    expect(await names(db)).toEqual([])
  })
}

test('the error of the callback survives a database that is being closed while it rolls back', async () => {
  for (let delay = 0; delay < 12; delay++) {
    const database = await open({ path: ':memory:' })
    const db = await kyselyWithTables({ database })
    const mine = new Error('mine')
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await trx.insertInto('person').values({ name: 'Ada' }).execute()
        void database.close({ deadlineMs: 0 })
        for (let n = 0; n < delay; n++) await new Promise(setImmediate)
        throw mine
      }),
    )
    expect(error).toBe(mine)
  }
})

test('Z2: on db.connection(), what comes late is refused, and the next caller goes on in autocommit', async () => {
  const db = await kyselyWithTables()
  await db.connection().execute(async (connection) => {
    await connection.transaction().execute((trx) => names(trx))
    await connection.insertInto('person').values({ name: 'autocommit' }).execute()
  })
  expect(await names(db)).toEqual(['autocommit'])
})
