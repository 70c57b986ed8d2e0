import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type DuckDBAppender, type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { DatabaseClosedError, OptionError, TransactionAbortedError } from '@keelson/core'
import { type DuckDBDatabase, type DuckDBOptions, openDuckDB } from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { microtasks, nextTurn, watchingLoop } from '../support/event-loop.ts'
import { openFilesIn } from '../support/open-files.ts'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { column, open, run, signal, value } from './fixture.ts'
import { endless, leftovers } from './leftovers.ts'

async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open(options)
  await run(
    database,
    'create table if not exists t (a integer)',
    'insert into t values (1), (2), (3)',
  )
  return database
}

/** After close() nothing is open, and the file stands alone. */
function expectGone(database: DuckDBDatabase): void {
  expect(database.isOpen).toBe(false)
  expect(openFilesIn(dirname(database.path))).toEqual([])
  expect(readdirSync(dirname(database.path))).toEqual([basename(database.path)])
}

async function rowsIn({ path }: DuckDBDatabase): Promise<unknown[]> {
  const database = await openDuckDB(path)
  const rows = await column(database, 'select a from t order by a')
  await database.close()
  return rows
}

/** Every call that uses the database. */
const uses: [string, (database: DuckDBDatabase) => unknown][] = [
  ['execute', (database) => database.execute('select 1')],
  ['execute a write', (database) => database.execute('insert into t values (9)')],
  ['stream', (database) => database.stream('select 1').next()],
  ['transaction', (database) => database.transaction(async () => {})],
  ['connect', (database) => database.connect()],
  ['reserve', (database) => database.reserve()],
  ['use', (database) => database.use(async () => {})],
  ['checkpoint', (database) => database.checkpoint()],
]

describe('close()', () => {
  test('of an idle database leaves the file alone', async () => {
    const database = await withTable()
    await database.transaction((tx) => column(tx, 'select a from t'))
    expect(existsSync(`${database.path}.wal`)).toBe(true)
    expect(await database.close()).toEqual({ forced: [] })
    expectGone(database)
  })

  test('of a database in which all sorts of things went wrong leaves the file alone, too', async () => {
    const database = await withTable()
    await rejection(database.execute('nonsense'))
    await rejection(database.execute('insert into t values ($1)', [Symbol('no')]))
    await rejection(database.execute("select error('no')"))
    await rejection(database.transaction(async (tx) => tx.execute('select * from missing')))
    for await (const _ of database.stream('select range from range(100000)')) break
    for await (const _ of database.stream('select range from range($1::integer)', [100_000])) break
    const kept: AsyncIterable<unknown>[] = []
    await database.transaction(async (tx) => {
      // Their transaction goes on, so nothing closes them but garbage collection.
      kept.push(tx.stream('select range from range(100000)'))
      kept.push(tx.stream('select range from range($1::integer)', [100_000]))
      for (const stream of kept) for await (const _ of stream) break
      await tx.execute('insert into t values (4)')
    })
    await rejection(database.execute(endless, [], { signal: AbortSignal.timeout(20) }))
    await rejection(database.use(async (connection) => connection.run('nonsense')))
    expect(await database.close()).toEqual({ forced: [] })
    expectGone(database)
    expect(kept).toHaveLength(2)
    expect(await rowsIn(database)).toEqual([1, 2, 3, 4])
  })

  test('called twice, and at once, is one close', async () => {
    const database = await withTable()
    const [first, second] = await Promise.all([database.close(), database.close()])
    expect(second).toBe(first)
    expect(await database.close()).toBe(first)
    expectGone(database)
  })

  test('refuses everything new from the moment it is called', async () => {
    const database = await withTable()
    const session = database.connect()
    const closing = database.close()
    expect(database.isOpen).toBe(false)
    const all: typeof uses = [
      ...uses,
      ['execute of a session', () => session.execute('select 1')],
      ['stream of a session', () => session.stream('select 1').next()],
      ['begin of a session', () => session.begin()],
    ]
    for (const [name, use] of all) {
      const error = await rejection(() => use(database))
      expect(error, name).toBeInstanceOf(DatabaseClosedError)
      expect(error.message).toMatch(/is closed\. Close it only after the last code that uses it/)
    }
    await closing
    for (const [name, use] of all)
      expect(await rejection(() => use(database)), name).toBeInstanceOf(DatabaseClosedError)
    expectGone(database)
  })

  test('lets an open transaction, a statement, a stream and a session finish', async () => {
    const database = await withTable()
    const { wait, go } = signal()
    const transaction = database.transaction(async (tx) => {
      await tx.execute('insert into t values (4)')
      await wait
      await tx.execute('insert into t values (5)')
      for await (const _ of tx.stream('select a from t'));
      return value(tx, 'select count(*) from t')
    })
    const session = await database.reserve()
    await run(session, 'create temp table u (a integer)')
    const stream = database.stream('select range from range(10000)')
    await stream.next()
    const statement = value(database, 'select count(*) from range(30000000) r(i) where i % 7 = 1')
    await sleep(20)
    const closing = database.close({ deadlineMs: 30_000 })
    await sleep(20)
    go()
    expect(await transaction).toBe(5)
    expect(await statement).toBeGreaterThan(0)
    await run(session, 'insert into u values (1)')
    await session.release()
    let rows = 0
    for await (const chunk of stream) rows += chunk.length
    expect(rows).toBe(10_000 - 2_048)
    expect(await closing).toEqual({ forced: [] })
    expectGone(database)
    expect(await rowsIn(database)).toEqual([1, 2, 3, 4, 5])
  })

  test('ends a transaction that does not finish, and names its line and its SQL', async () => {
    const database = await withTable()
    const { wait, go } = signal()
    const inserted = signal()
    const transaction = rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (4)')
        inserted.go()
        await wait
        const error = await rejection(tx.execute('insert into t values (5)'))
        expect(error).toBeInstanceOf(DatabaseClosedError)
      }),
    )
    await inserted.wait
    const { forced } = await database.close({ deadlineMs: 30 })
    expect(forced).toEqual([
      expect.stringMatching(
        /^a transaction, open for \d+ ms, begun at \S*closing\.test\.ts:\d+:\d+, last statement: `insert into t values \(4\)`$/,
      ),
    ])
    expectGone(database)
    go()
    const error = await transaction
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(error.message).toMatch(
      /The database was closed while the transaction was open, which rolled it back\. Nothing of it was kept\./,
    )
    expect(error.cause).toBeInstanceOf(DatabaseClosedError)
    expect(await rowsIn(database)).toEqual([1, 2, 3])
  })

  test('ends statements that run, wherever they run, and names them', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    const reserved = await database.reserve()
    const running = [
      database.execute(endless),
      session.execute(endless),
      reserved.execute(endless),
      database.stream(endless).next(),
      // Of three threads none is left for these, which wait.
      database.execute(endless),
      database.stream(endless).next(),
    ].map((each) => rejection(each))
    await waitUntil(() => database.poolStats.inUse === 6)
    await sleep(50)
    const { forced } = await database.close({ deadlineMs: 0 })
    for (const each of running) expect(await each).toBeInstanceOf(DatabaseClosedError)
    const kinds = forced.map((each) => /^a(?:n)? \w+/.exec(each)![0]).toSorted()
    expect(kinds).toEqual([
      'a session',
      'a statement',
      'a statement',
      'a statement',
      'a statement',
      'a stream',
      'a stream',
      'a transaction',
    ])
    for (const each of forced) {
      if (each.startsWith('a statement'))
        expect(each).toMatch(/^a statement that ran for \d+ ms: `select count/)
      else expect(each).toMatch(/, begun at \S*closing\.test\.ts:\d+:\d+, /)
    }
    expectGone(database)
  })

  test('refuses those who wait for a connection at once', async () => {
    const database = await withTable({ pool: { max: 2 } })
    const { wait, go } = signal()
    const holder = database.transaction(async (tx) => {
      await wait
      await tx.execute('insert into t values (4)')
    })
    const session = await database.reserve()
    await nextTurn()
    const waiters = uses
      .filter(([name]) => name !== 'connect')
      .map(([name, use]) => [name, rejection(() => use(database))] as const)
    const begin = rejection(database.connect().begin())
    await sleep(20)
    const closing = database.close()
    for (const [name, waiter] of waiters)
      expect(await waiter, name).toBeInstanceOf(DatabaseClosedError)
    expect(await begin).toBeInstanceOf(DatabaseClosedError)
    expect(database.poolStats.inUse).toBe(2)
    go()
    await holder
    await session.release()
    expect(await closing).toEqual({ forced: [] })
    expectGone(database)
    expect(await rowsIn(database)).toEqual([1, 2, 3, 4])
  })

  test('in a transaction of its own caller does not wait for itself for ever', async () => {
    const database = await withTable()
    const error = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (4)')
        const { forced } = await database.close({ deadlineMs: 20 })
        expect(forced).toHaveLength(1)
      }),
    )
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expectGone(database)
    expect(await rowsIn(database)).toEqual([1, 2, 3])
  })

  test('ends a transaction that begins after the deadline as well', async () => {
    for (let depth = 0; depth < 40; depth++) {
      const database = await withTable()
      const session = database.connect()
      const beginning = session.begin().then(
        () => 'begun',
        (error: Error) => error.name,
      )
      await microtasks(depth)
      await database.close({ deadlineMs: 0 })
      if ((await beginning) === 'begun') {
        const error = await rejection(session.execute('insert into t values (4)'))
        expect(error).toBeInstanceOf(DatabaseClosedError)
        expect(await rejection(session.commit())).toBeInstanceOf(TransactionAbortedError)
      }
      await session.release()
      expectGone(database)
    }
  })

  test.for([3000, 0])(
    'at whatever moment of a beginning ends it or lets it finish, within %i ms',
    async (deadlineMs) => {
      const path = temporaryFile('app.duckdb')
      for (let depth = 0; depth < 30; depth++) {
        const database = await withTable({ path })
        const outcomes = [
          database.transaction(async (tx) => {
            await tx.execute('insert into t values (4)')
            await nextTurn()
            await tx.execute('insert into t values (5)')
          }),
          database.transaction((tx) => tx.execute('insert into t values (6)')),
          database.transaction((tx) => column(tx, 'select a from t'), { accessMode: 'read only' }),
          database.execute('insert into t values (7)'),
          (async () => {
            for await (const _ of database.stream('select range from range(5000)'));
          })(),
          (async () => {
            for await (const _ of database.stream('select a from t where a > $1', [0])) break
          })(),
          database.reserve().then(async (session) => {
            await session.execute('select a from t')
            await session.release()
          }),
          database.use(async (connection) => connection.run('select a from t')),
          database.checkpoint(),
        ].map((each) =>
          each.then(
            () => 'done',
            (error: Error) => error.name,
          ),
        )
        if (depth < 15) await microtasks(depth * 3)
        else for (let turn = 15; turn < depth; turn++) await nextTurn()
        const { forced } = await database.close({ deadlineMs })
        if (deadlineMs > 0) expect(forced).toEqual([])
        for (const outcome of await Promise.all(outcomes))
          expect(['done', 'DatabaseClosedError', 'TransactionAbortedError', 'Error']).toContain(
            outcome,
          )
        expectGone(database)
      }
    },
  )

  test('refuses options that mean nothing, and can be called properly then', async () => {
    const database = await withTable()
    for (const options of [
      { deadline: 5 },
      { deadlineMs: -1 },
      { deadlineMs: Number.NaN },
      { deadlineMs: Infinity },
      { deadlineMs: '5' },
    ]) {
      expect(
        await rejection(() => database.close(options as { deadlineMs: number })),
      ).toBeInstanceOf(OptionError)
    }
    expect(database.isOpen).toBe(true)
    expect(await database.close({ deadlineMs: 2 ** 31 - 1 })).toEqual({ forced: [] })
    expectGone(database)
  })

  test('many times over leaves nothing behind', async () => {
    const path = temporaryFile('app.duckdb')
    for (let round = 0; round < 30; round++) {
      const database = await withTable({ path })
      await Promise.all([
        database.execute('insert into t values (1)'),
        column(database, 'select a from t'),
        database.transaction((tx) => column(tx, 'select a from t')),
      ])
      await database.stream('select range from range(100000)').next()
      await database.close({ deadlineMs: 0 })
      expectGone(database)
    }
  })

  test('of a database in memory ends it', async () => {
    const database = await withTable({ path: ':memory:' })
    const stream = database.stream('select range from range(100000)')
    await stream.next()
    expect((await database.close({ deadlineMs: 0 })).forced).toHaveLength(1)
    expect(await rejection(stream.next())).toBeInstanceOf(DatabaseClosedError)
    expect(await rejection(database.execute('select 1'))).toBeInstanceOf(DatabaseClosedError)
  })

  test('leaves an instance open that was handed in, and closes what it opened on it', async () => {
    const path = temporaryFile('app.duckdb')
    const instance = await DuckDBInstance.create(path)
    const database = await withTable({ instance })
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (4)')
    const stream = database.stream('select range from range(100000)')
    await stream.next()
    expect((await database.close({ deadlineMs: 0 })).forced).toHaveLength(2)
    const connection = await instance.connect()
    expect((await connection.run('select count(*) from t')).getChunk(0).getRows()).toEqual([[3n]])
    connection.closeSync()
    instance.closeSync()
    expect(openFilesIn(dirname(path))).toEqual([])
  })

  test('of one database does not wait for the statements of another', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (4)')
    const other = await open({ path: ':memory:' })
    const abort = new AbortController()
    // As many as there are threads for.
    const running = [1, 2, 3].map(() =>
      rejection(other.execute(endless, [], { signal: abort.signal })),
    )
    await sleep(50)
    const start = performance.now()
    await database.close({ deadlineMs: 100 })
    expect(performance.now() - start).toBeLessThan(20_000)
    expectGone(database)
    abort.abort()
    await Promise.all(running)
    expect(await rowsIn(database)).toEqual([1, 2, 3])
  })
})

describe('an open loan', () => {
  test('with a statement is ended', async () => {
    const database = await withTable()
    const lent = signal()
    const loan = rejection(
      database.use(async (connection) => {
        lent.go()
        return connection.run(endless)
      }),
    )
    await lent.wait
    await sleep(50)
    expect((await database.close({ deadlineMs: 0 })).forced).toEqual([
      expect.stringMatching(/^a loan, open for \d+ ms, begun at \S*closing\.test\.ts/),
    ])
    expect((await loan).message).toMatch(/Interrupted/)
    expectGone(database)
  })

  test('that never ends keeps the file, as the report says, until it does', async () => {
    const database = await withTable()
    const { wait, go } = signal()
    const loan = database.use(async (connection) => {
      await wait
      return connection.run('insert into t values (4)')
    })
    await nextTurn()
    const start = performance.now()
    const { forced } = await database.close({ deadlineMs: 0 })
    expect(performance.now() - start).toBeLessThan(20_000)
    expect(forced).toEqual([
      expect.stringMatching(/^a loan, open for \d+ ms, begun at \S*closing\.test\.ts/),
      expect.stringMatching(
        /test\.duckdb itself, which stays open until whatever holds it is gone/,
      ),
    ])
    expect((await rejection(openDuckDB({ path: database.path, threads: 1 }))).code).toBe(
      'INVALID_OPTION',
    )
    go()
    await loan
    await waitUntil(() => openFilesIn(dirname(database.path)).length === 0)
    expect(await rowsIn(database)).toEqual([1, 2, 3, 4])
  })

  test('whose connection is kept does not keep the file', async () => {
    const database = await withTable()
    let kept: DuckDBConnection | undefined
    await database.use(async (connection) => {
      kept = connection
    })
    expect(await database.close()).toEqual({ forced: [] })
    expectGone(database)
    expect((await rejection(kept!.run('select 1'))).message).toMatch(/disconnected/)
  })

  test('whose results and streams are kept keeps the file, and the report says so', async () => {
    const database = await withTable()
    const kept = await database.use(async (connection) => ({
      result: await connection.run('select 1'),
      stream: await connection.stream('select range from range(100000)'),
    }))
    const { forced } = await database.close()
    expect(forced).toEqual([
      expect.stringMatching(
        /itself, which stays open until .*: work that cannot be interrupted, or an appender, a result or a connection of the client$/,
      ),
    ])
    expect(openFilesIn(dirname(database.path))).not.toEqual([])
    const error = await rejection(openDuckDB(database.path))
    expect(error.code).toBe('OPEN_IN_THIS_PROCESS')
    expect(kept.result.rowCount).toBe(1)
  })
})

describe('T4: a connection is not closed under its query', () => {
  test('and whatever is left open, close() settles, nothing spins, and the process ends', async () => {
    for (const names of pairs(Object.keys(leftovers))) await Promise.all(names.map(closes))
  })

  test('as the bare client does, which spins for ever then', async () => {
    const program = startProgram(
      new URL('./programs/bare-closer.ts', import.meta.url),
      temporaryFile('app.duckdb'),
      'running',
    )
    expect(await program.line()).toBe('spins')
    expect(await Promise.race([program.line(), sleep(300, 'neither settled nor ended')])).toBe(
      'neither settled nor ended',
    )
    await program.kill()
  })
})

describe('T5: a file is not opened again while something of it is open', () => {
  test('but refused at once, and works as soon as that is gone', async () => {
    const database = await withTable()
    let kept: { stream: unknown } | undefined = await database.use(async (connection) => ({
      stream: await connection.stream('select range from range(100000)'),
    }))
    await database.close()
    const before = process.cpuUsage()
    expect((await rejection(openDuckDB(database.path))).code).toBe('OPEN_IN_THIS_PROCESS')
    await sleep(300)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1_000).toBeLessThan(150)
    expect(kept.stream).toBeDefined()
    kept = undefined
    await nextTurn()
    await collectGarbage()
    expect(await rowsIn(database)).toEqual([1, 2, 3])
  })

  test('as the bare client does, which spins for ever then', async () => {
    const program = startProgram(
      new URL('./programs/bare-closer.ts', import.meta.url),
      temporaryFile('app.duckdb'),
      'reopened',
    )
    expect(await program.line()).toBe('spins')
    expect(await Promise.race([program.line(), sleep(300, 'neither settled nor ended')])).toBe(
      'neither settled nor ended',
    )
    await program.kill()
  })
})

test('T6: an appender that was forgotten writes nothing later, and the bare client does', async () => {
  const fill = async (connection: DuckDBConnection): Promise<DuckDBAppender> => {
    const appender = await connection.createAppender('t')
    for (let row = 0; row < 10; row++) {
      appender.appendInteger(row)
      appender.endRow()
    }
    return appender
  }
  const instance = await DuckDBInstance.create(':memory:')
  onTestFinished(() => instance.closeSync())
  const connection = await instance.connect()
  await connection.run('create table t (a integer)')
  // In a function of its own, so that nothing keeps it.
  await (async () => void (await fill(connection)))()
  await nextTurn()
  await collectGarbage()
  expect((await connection.run('select count(*) from t')).getChunk(0).getRows()).toEqual([[10n]])
  connection.closeSync()

  const database = await withTable()
  await database.use(async (each) => void (await fill(each)))
  const session = database.connect()
  await session.begin()
  await nextTurn()
  await collectGarbage()
  expect(await column(session, 'select a from t order by a')).toEqual([1, 2, 3])
  await session.commit()
  let kept: DuckDBAppender | undefined = await database.use(fill)
  expect(await database.close()).toEqual({ forced: [] })
  expect(kept.columnCount).toBe(1)
  kept = undefined
  await nextTurn()
  await collectGarbage()
  expectGone(database)
  expect(await rowsIn(database)).toEqual([1, 2, 3])
})

test('a large WAL is written into the file without the event loop standing still', async () => {
  const fill = async (execute: (sql: string) => Promise<unknown>): Promise<void> => {
    await execute('create table big (a integer, b varchar)')
    for (let part = 0; part < 20; part++)
      await execute('insert into big select range, md5(range::varchar) from range(50000)')
  }
  const settings = { wal_autocheckpoint: '1TB' }
  const path = temporaryFile('bare.duckdb')
  const instance = await DuckDBInstance.create(path, settings)
  const connection = await instance.connect()
  await fill((sql) => connection.run(sql))
  expect(statSync(`${path}.wal`).size).toBeGreaterThan(30_000_000)
  connection.closeSync()
  const bare = await watchingLoop(async () => instance.closeSync())
  // It stands still for as long as it takes.
  expect(bare.longestGapMs).toBeGreaterThan(bare.workedMs / 2)

  const database = await open({ settings })
  await fill((sql) => database.execute(sql))
  expect(statSync(`${database.path}.wal`).size).toBeGreaterThan(30_000_000)
  const report = await watchingLoop(() => database.close())
  expect(report.result).toEqual({ forced: [] })
  expectGone(database)
  expect(report.longestGapMs).toBeLessThan(report.workedMs / 2)
})

/** Leaves something open in another process, and sees how it is closed. */
async function closes(name: string): Promise<void> {
  const path = temporaryFile('app.duckdb')
  const deadlineMs = name.length % 2 === 0 ? '0' : '100'
  const closer = new URL('./programs/closer.ts', import.meta.url)
  const program = startProgram(closer, path, name, deadlineMs)
  const line = await program.line()
  const forced: unknown = JSON.parse(line ?? (await program.end()).stderr)
  expect(forced, name).not.toEqual([])
  expect(String(forced), name).not.toMatch(/stays open/)
  expect(Number(await program.line()), name).toBeLessThan(150)
  expect(await program.line()).toBeUndefined()
  expect(await program.end(), name).toEqual({ code: 0, stderr: '' })
  expect(readdirSync(dirname(path)), name).toEqual(['app.duckdb'])
}

function pairs<T>(items: readonly T[]): T[][] {
  const numPairs = Math.ceil(items.length / 2)
  return Array.from({ length: numPairs }, (_, pair) => items.slice(pair * 2, pair * 2 + 2))
}

async function waitUntil(isDone: () => boolean): Promise<void> {
  while (!isDone()) await sleep(5)
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  for (let round = 0; round < 3; round++) {
    collect()
    await sleep(10)
  }
}
