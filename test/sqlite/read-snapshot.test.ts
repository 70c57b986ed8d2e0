import { symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../support/event-loop.ts'
import { column, open, otherProcess, plain, run, value } from './fixture.ts'

async function withTable(): Promise<SqliteDatabase> {
  const database = open()
  await run(database, 'create table t (a)', 'insert into t values (1)')
  return database
}

const count = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown> =>
  value(database, 'select count(*) from t')

/** Whether nobody reads: only then can the log be written back and emptied. */
function isUnread(path: string): boolean {
  const [result] = plain(path).pragma('wal_checkpoint(truncate)') as { busy: number }[]
  return result!.busy === 0
}

describe('the reads of one macrotask', () => {
  test('see one state, whatever another program commits in between', async () => {
    const database = await withTable()
    const other = plain(database.path)
    await nextTurn()
    const seen = [await count(database), await count(database)]
    other.exec('insert into t values (2)')
    seen.push(await count(database), await count(database))
    expect(seen).toEqual([1, 1, 1, 1])
    await nextTurn()
    expect(await count(database)).toBe(2)
  })

  test('see the newest state with the first of them', async () => {
    const database = await withTable()
    const other = plain(database.path)
    for (let rows = 2; rows < 20; rows++) {
      other.exec('insert into t values (2)')
      await nextTurn()
      expect(await Promise.all([count(database), count(database)])).toEqual([rows, rows])
    }
  })

  // A single read needs no snapshot, so it is the second that opens one: between these two a commit may come.
  test('see one state from the second on, also when another process writes all the time', async () => {
    const database = await withTable()
    const other = await otherProcess(database.path)
    for (let round = 0; round < 20; round++) {
      const writing = other.run('insert into t values (2)')
      const seen = await Promise.all(Array.from({ length: 50 }, () => count(database)))
      expect(new Set(seen.slice(1)).size).toBe(1)
      expect([seen[1], Number(seen[1]) - 1]).toContain(seen[0])
      await writing
    }
  })

  test('renew what they see after many, so that a long chain of awaits does not read the past', async () => {
    const database = await withTable()
    const other = plain(database.path)
    await nextTurn()
    await count(database)
    await count(database)
    other.exec('insert into t values (2)')
    let reads = 0
    while ((await count(database)) === 1 && reads < 2000) reads++
    expect(reads).toBeGreaterThan(100)
    expect(reads).toBeLessThan(1000)
  })
})

describe('what this process writes', () => {
  test('is seen by the next read at once', async () => {
    const database = await withTable()
    for (let rows = 2; rows < 300; rows++) {
      await Promise.all([count(database), count(database)])
      await database.execute('insert into t values (?)', [rows])
      expect(await count(database)).toBe(rows)
    }
  })

  test('is seen by reads that were started right behind it', async () => {
    const database = await withTable()
    const [, before, , after] = await Promise.all([
      count(database),
      count(database),
      database.execute('insert into t values (2)'),
      count(database),
    ])
    expect([before, after]).toEqual([1, 2])
  })

  test('through another database on the file is seen at once', async () => {
    const database = await withTable()
    const second = open({ path: database.path })
    await Promise.all([count(database), count(database), count(second), count(second)])
    await second.execute('insert into t values (2)')
    expect(await count(database)).toBe(2)
    await Promise.all([count(database), count(database)])
    await second.transaction(async (tx) => tx.execute('insert into t values (3)'))
    expect(await count(database)).toBe(3)
    await Promise.all([count(database), count(database)])
    for await (const _ of second.stream('insert into t values (4) returning a'));
    expect(await count(database)).toBe(4)
    await Promise.all([count(second), count(second)])
    await second.close()
    await database.execute('insert into t values (5)')
    expect(await count(database)).toBe(5)
  })

  test('is seen at once also when the two have the file by different names', async () => {
    const database = await withTable()
    const directory = dirname(database.path)
    symlinkSync(directory, join(directory, 'way'))
    symlinkSync(database.path, join(directory, 'link.db'))
    const seconds = [
      open({ path: join(directory, 'link.db') }),
      open({ path: join(directory, 'way', 'test.db') }),
      open({ path: 'way/test.db', directory }),
    ]
    let rows = 1
    for (const second of seconds) {
      await Promise.all([count(database), count(database), count(second), count(second)])
      await second.execute('insert into t values (2)')
      expect(await count(database)).toBe(++rows)
      await Promise.all([count(second), count(second)])
      await database.execute('insert into t values (2)')
      expect(await count(second)).toBe(++rows)
    }
  })

  test('in a transaction is seen there at once, and elsewhere with the commit', async () => {
    const database = await withTable()
    await Promise.all([count(database), count(database)])
    await database.transaction(async (tx) => {
      expect(await count(tx)).toBe(1)
      await tx.execute('insert into t values (2)')
      expect(await count(tx)).toBe(2)
      expect(await count(database)).toBe(1)
      await tx.execute('insert into t values (3)')
      expect(await Promise.all([count(tx), count(database), count(tx)])).toEqual([3, 1, 3])
    })
    expect(await count(database)).toBe(3)
  })
})

describe('a transaction', () => {
  test('begins with the newest state, not with that of the reads before it', async () => {
    const database = await withTable()
    const other = plain(database.path)
    for (const behavior of ['deferred', 'immediate', 'exclusive'] as const) {
      await nextTurn()
      const before = await count(database)
      await count(database)
      other.exec('insert into t values (2)')
      expect(await database.transaction(count, { behavior })).toBe(Number(before) + 1)
    }
  })

  test('can be begun although reads of the same macrotask went before', async () => {
    const database = await withTable()
    await Promise.all([
      count(database),
      count(database),
      database.transaction(async (tx) => tx.execute('insert into t values (2)')),
      count(database),
    ])
    expect(await count(database)).toBe(2)
  })
})

describe('nothing stays open', () => {
  test('behind the macrotask in which reads ran', async () => {
    const database = await withTable()
    for (const reads of [1, 2, 3, 300]) {
      for (let each = 0; each < reads; each++) await count(database)
      await nextTurn()
      expect(isUnread(database.path)).toBe(true)
      await Promise.all(Array.from({ length: reads }, () => count(database)))
      await sleep(1)
      expect(isUnread(database.path)).toBe(true)
    }
  })

  test('when a macrotask is left by an error, or a read fails', async () => {
    const database = await withTable()
    const reads = Promise.allSettled([
      count(database),
      count(database),
      database.execute('select * from missing'),
      database.execute('select abs(-9223372036854775807 - 1) from t'),
      count(database),
    ])
    expect((await reads).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ])
    await nextTurn()
    expect(isUnread(database.path)).toBe(true)
  })

  test('when the reads are not awaited', async () => {
    const database = await withTable()
    for (let each = 0; each < 100; each++) void count(database)
    await nextTurn()
    expect(isUnread(database.path)).toBe(true)
  })

  test('when one read follows the other from timers, ticks and microtasks', async () => {
    const database = await withTable()
    for (let round = 0; round < 20; round++) {
      process.nextTick(() => void count(database))
      queueMicrotask(() => void count(database))
      setImmediate(() => void count(database))
      setTimeout(() => void count(database), 0)
      await Promise.all([count(database), count(database)])
      await nextTurn()
    }
    await sleep(5)
    expect(isUnread(database.path)).toBe(true)
  })
})

test('a database in memory reads its own writes', async () => {
  const database = open({ path: ':memory:' })
  await run(database, 'create table t (a)')
  for (let rows = 1; rows < 50; rows++) {
    await Promise.all([
      count(database),
      database.execute('insert into t values (1)'),
      count(database),
    ])
    expect(await column(database, 'select count(*) from t')).toEqual([rows])
  }
})

describe('the snapshot of a macrotask', () => {
  test('is ended by a transaction that another database of this process commits', async () => {
    const a = await withTable()
    const b = open({ path: a.path })
    await a.transaction(async (tx) => {
      await run(tx, 'insert into t values (2)')
      expect([await count(b), await count(b), await count(b)]).toEqual([1, 1, 1])
    })
    expect(await count(b)).toBe(2)
  })

  test('does not keep a PRAGMA from taking effect', async () => {
    const database = await withTable()
    await count(database)
    await count(database)
    await run(database, 'pragma foreign_keys = off')
    expect(await value(database, 'pragma foreign_keys')).toBe(0)
  })
})
