import {
  createSequenceTable,
  MissingTableError,
  nextSequence,
  type SequenceOptions,
  type SequenceRange,
  SequenceRangeError,
  WriteConflictError,
} from '@keelson/bulk-insert/kysely'
import { describeError } from '@keelson/core'
import { outside, transaction, withTransactions } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect, sql } from 'kysely'
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { duckdb, mysql, postgresql, sqliteOurs } from '../../transactions/kysely/engines.ts'
import { describeVariants, open, type Opened, type Variant } from './fixture.ts'

async function openWithTable(variant: Omit<Variant, 'name'>): Promise<Opened> {
  const opened = await open(variant)
  await createSequenceTable(opened.db)
  opened.sent()
  return opened
}

const undo = new Error('undo')

describeVariants((variant) => {
  const { engine } = variant

  test('a counter counts from 1, each name and each scope by itself', async () => {
    const { db } = await openWithTable(variant)
    expect(await nextSequence(db, 'invoice')).toBe(1)
    expect(await nextSequence(db, 'invoice')).toBe(2)
    expect(await nextSequence(db, 'Invoice')).toBe(1)
    expect(await nextSequence(db, 'invoice', { scope: 'é' })).toBe(1)
    expect(await nextSequence(db, 'invoice', { scope: 2026 })).toBe(1)
    expect(await nextSequence(db, 'invoice', { scope: '2026' })).toBe(2)
    expect(await nextSequence(db, 'invoice', { scope: 2026n })).toBe(3)
    expect(await nextSequence(db, `it's "so" \`named\``)).toBe(1)
    expect(await nextSequence(db, 'invoice')).toBe(3)
  })

  test('a count takes a range, and start is where a new counter begins', async () => {
    const { db } = await openWithTable(variant)
    expect(await nextSequence(db, 'a', { count: 5 })).toEqual({ first: 1, last: 5 })
    expect(await nextSequence(db, 'a', { count: 1 })).toEqual({ first: 6, last: 6 })
    expect(await nextSequence(db, 'a', { start: 100 })).toBe(7)
    expect(await nextSequence(db, 'b', { start: 100 })).toBe(100)
    expect(await nextSequence(db, 'c', { start: 0, count: 3 })).toEqual({ first: 0, last: 2 })
  })

  test('a rollback gives the numbers back', async () => {
    const { db, inTransaction } = await openWithTable(variant)
    expect(await nextSequence(db, 'a')).toBe(1)
    const taken: number[] = []
    const rolledBack = inTransaction(async (tx) => {
      taken.push(await nextSequence(tx, 'a'), await nextSequence(tx, 'a'))
      taken.push(await nextSequence(tx, 'new'))
      throw undo
    })
    expect(await rejection(rolledBack)).toBe(undo)
    expect(taken).toEqual([2, 3, 1])
    expect(await inTransaction((tx) => nextSequence(tx, 'a'))).toBe(2)
    expect(await nextSequence(db, 'new')).toBe(1)
  })

  test.skipIf(!engine.hasSavepoints)(
    'a savepoint that is rolled back gives its numbers back, and the transaction goes on',
    async () => {
      const { db, inTransaction, nested } = await openWithTable(variant)
      const numbers = await inTransaction(async (tx) => {
        const first = await nextSequence(tx, 'a')
        const failed = nested(tx, async (inner) => {
          expect(await nextSequence(inner, 'a')).toBe(2)
          throw undo
        })
        expect(await rejection(failed)).toBe(undo)
        return [first, await nextSequence(tx, 'a')]
      })
      expect(numbers).toEqual([1, 2])
      expect(await nextSequence(db, 'a')).toBe(3)
    },
  )

  test('calls at the same time, of which some are rolled back, leave no gap and no duplicate', async () => {
    const { db, inTransaction } = await openWithTable(variant)
    const calls = Array.from({ length: 24 }, async (_, at) => {
      if (at % 3 > 0) return nextSequence(db, 'a')
      // DuckDB's conflict is the transaction's to repeat.
      for (;;) {
        const error = await rejection(
          inTransaction(async (tx) => {
            await nextSequence(tx, 'a')
            throw undo
          }),
        )
        if (error === undo) return undefined
        expect(error).toBeInstanceOf(WriteConflictError)
        expect(engine.kind).toBe('duckdb')
      }
    })
    const numbers = (await Promise.all(calls)).filter((each) => each !== undefined)
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, at) => at + 1))
  })

  test('no digit is lost: beyond 2^53 it throws, and has not counted', async () => {
    const { db, select } = await openWithTable(variant)
    await nextSequence(db, 'a')
    await sql`update keelson_sequence set value = 9007199254740990`.execute(db)
    expect(await nextSequence(db, 'a')).toBe(9007199254740991)
    const error = await rejection(nextSequence(db, 'a'))
    expect(error).toBeInstanceOf(SequenceRangeError)
    expect(error['value']).toBe(9007199254740992n)
    expect(
      await select('select count(*) as n from keelson_sequence where value = 9007199254740991'),
    ).toEqual([{ n: 1 }])
  })

  test('a counter at the end of 64 bits stays there', async () => {
    const { db, select } = await openWithTable(variant)
    await nextSequence(db, 'a')
    await sql`update keelson_sequence set value = 9223372036854775807`.execute(db)
    const { category } = describeError(await rejection(nextSequence(db, 'a')))
    expect(['value', 'check']).toContain(category)
    expect(
      await select('select count(*) as n from keelson_sequence where value = 9223372036854775807'),
    ).toEqual([{ n: 1 }])
  })

  test('without a table the error says how to make it, and a savepoint keeps it to itself', async () => {
    const { db, inTransaction } = await open(variant)
    const error = await rejection(nextSequence(db, 'a'))
    expect(error).toBeInstanceOf(MissingTableError)
    expect(error.message).toContain('`await createSequenceTable(db)`')
    expect(describeError(error.cause).category).toBe('missingObject')
    if (!engine.hasSavepoints) return
    await inTransaction(async (tx) => {
      expect(await rejection(nextSequence(tx, 'a'))).toBeInstanceOf(MissingTableError)
      await sql`select 1`.execute(tx)
    })
  })

  test('several may create the table, at once and again, under any name', async () => {
    const { db } = await open(variant)
    const table = { table: 'say "hi" `there`' }
    await sql`drop table if exists ${sql.table(table.table)}`.execute(db)
    const creating = Array.from({ length: 6 }, () => createSequenceTable(db, table))
    await Promise.all(creating)
    await createSequenceTable(db, table)
    expect(await nextSequence(db, 'a', table)).toBe(1)
    expect(await nextSequence(db, 'a', table)).toBe(2)
  })

  test.skipIf(engine.kind === 'mysql')(
    'a table that is created inside a transaction is a part of it',
    async () => {
      const { db, inTransaction } = await open(variant)
      const rolledBack = inTransaction(async (tx) => {
        await createSequenceTable(tx)
        expect(await nextSequence(tx, 'a')).toBe(1)
        throw undo
      })
      expect(await rejection(rolledBack)).toBe(undo)
      expect(await rejection(nextSequence(db, 'a'))).toBeInstanceOf(MissingTableError)
    },
  )
})

test('it sends one statement, in a transaction of its own or in a savepoint', async () => {
  const { db, inTransaction, sent } = await openWithTable({ engine: sqliteOurs, isWrapped: false })
  const statement =
    'insert into "keelson_sequence" (name, scope, value) values (?, ?, cast(? as bigint)) ' +
    'on conflict (name, scope) do update set value = "keelson_sequence".value + cast(? as bigint) returning cast(value as text) as value'
  await nextSequence(db, 'a')
  expect(sent()).toEqual(['begin immediate', statement, 'commit'])
  await inTransaction((tx) => nextSequence(tx, 'a'))
  expect(sent().filter((text) => !/savepoint/.test(text))).toEqual([
    'begin immediate',
    statement,
    'commit',
  ])
})

test('options that are unknown or impossible are refused before anything is sent', async () => {
  const { db, inTransaction, sent } = await open({ engine: sqliteOurs, isWrapped: true })
  const message = async (promise: Promise<unknown>): Promise<string> =>
    (await rejection(promise)).message
  expect(await message(nextSequence(db, ''))).toBe(
    'nextSequence() cannot use "" as `name`. It takes text of 1 to 255 characters, with no NUL, no half surrogate pair and no space at the end.',
  )
  expect(await message(nextSequence(db, 'a '))).toContain('"a " as `name`')
  expect(await message(nextSequence(db, 'a'.repeat(256)))).toContain('`name`')
  expect(await message(nextSequence(db, 'a', { scope: '' }))).toContain('`scope`')
  expect(await message(nextSequence(db, 'a', { scope: 1.5 }))).toContain('1.5 as `scope`')
  expect(await message(nextSequence(db, 'a', { count: 0 }))).toContain('0 as `count`')
  expect(await message(nextSequence(db, 'a', { count: 2 ** 53 }))).toContain('`count`')
  expect(await message(nextSequence(db, 'a', { count: 10, start: 2 ** 53 - 3 }))).toContain(
    '`count`',
  )
  expect(await message(nextSequence(db, 'a', { start: -1 }))).toContain('-1 as `start`')
  expect(await message(nextSequence(db, 'a', { retryForMs: -1 }))).toContain('-1 as `retryForMs`')
  expect(await message(nextSequence(db, 'a', { scpe: 'b' } as object))).toContain(
    'no option `scpe`. Did you mean `scope`?',
  )
  expect(await message(nextSequence(db, 'a', { table: '' }))).toContain('identifier')
  expect(sent()).toEqual([])
  const inside = inTransaction((tx) => nextSequence(tx, 'a', { retryForMs: 100 }))
  expect(await message(inside)).toContain('can only run again as a whole')
})

test('the type of the result follows from the options', () => {
  const db = {} as Kysely<any>
  const wide = {} as SequenceOptions
  expectTypeOf(() => nextSequence(db, 'a', { scope: 1 })).returns.resolves.toEqualTypeOf<number>()
  expectTypeOf(() =>
    nextSequence(db, 'a', { count: 2 }),
  ).returns.resolves.toEqualTypeOf<SequenceRange>()
  expectTypeOf(() => nextSequence(db, 'a', wide)).returns.resolves.toEqualTypeOf<
    number | SequenceRange
  >()
})

test('on SQLite a lock that somebody else holds for longer than the busy timeout is waited for', async () => {
  const path = temporaryFile()
  const other = new Database(path)
  onTestFinished(() => void other.close())
  const dialect = new SqliteDialect({ database: new Database(path, { timeout: 0 }) })
  const db = new Kysely<any>({ dialect })
  onTestFinished(() => db.destroy())
  await createSequenceTable(db)
  other.exec('begin immediate')
  const error = await rejection(nextSequence(db, 'a', { retryForMs: 50 }))
  expect(error).toBeInstanceOf(WriteConflictError)
  expect(describeError(error.cause)).toMatchObject({ engine: 'sqlite', category: 'busy' })
  setTimeout(() => other.exec('rollback'), 100)
  expect(await nextSequence(db, 'a')).toBe(1)
})

test('in another schema', async () => {
  const { db } = await open({ engine: postgresql, isWrapped: true })
  await sql`create schema billing`.execute(db)
  await createSequenceTable(db, { schema: 'billing' })
  expect(await nextSequence(db, 'a', { schema: 'billing' })).toBe(1)
  expect(await nextSequence(db, 'a', { schema: 'billing' })).toBe(2)
})

test('in another schema of DuckDB', async () => {
  const { db } = await open({ engine: duckdb, isWrapped: true })
  await sql`create schema billing`.execute(db)
  await createSequenceTable(db, { schema: 'billing' })
  expect(await nextSequence(db, 'a', { schema: 'billing' })).toBe(1)
  expect(await nextSequence(db, 'a', { schema: 'billing' })).toBe(2)
})

test('transactions that may not see the others change try again on their own', async () => {
  const { dialect } = await openWithTable({ engine: postgresql, isWrapped: false })
  const db = new Kysely<any>({ dialect })
  await sql`select set_config('search_path', 'public', false)`.execute(db)
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  await sql`alter database ${sql.ref(rows[0]!.name)} set default_transaction_isolation = 'serializable'`.execute(
    db,
  )
  const serializable = new Kysely<any>({ dialect })
  const numbers = await Promise.all(
    Array.from({ length: 20 }, () => nextSequence(serializable, 'a')),
  )
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
})

describe('on DuckDB, whose writers do not wait for each other', () => {
  const engine = duckdb

  test.for([true, false])(
    "a conflict inside the caller's transaction says that it has to run again (transactions wrapped: %s)",
    async (isWrapped) => {
      const { db, inTransaction } = await openWithTable({ engine, isWrapped })
      await nextSequence(db, 'a')
      const conflicted = inTransaction(async (tx) => {
        const other = new Promise<void>((resolve) => setTimeout(resolve, 50))
        await nextSequence(tx, 'a')
        const second = rejection(
          // Another connection: of the same database, outside of this transaction.
          isWrapped
            ? outside(db, () => transaction(db, () => nextSequence(db, 'a')))
            : db.transaction().execute((inner) => nextSequence(inner, 'a')),
        )
        await other
        return second
      })
      const error = await conflicted
      expect(error).toBeInstanceOf(WriteConflictError)
      expect(describeError(error)).toMatchObject({ category: 'serialization', retryable: true })
      expect(describeError(error.cause)).toMatchObject({ engine: 'duckdb', retryable: true })
      expect(error.message).toContain('Run the whole transaction again')
      expect(await nextSequence(db, 'a')).toBe(3)
    },
  )

  test('a transaction with retry runs again until it has its number', async () => {
    const { db } = await openWithTable({ engine, isWrapped: true })
    let attempts = 0
    const numbers = await Promise.all(
      Array.from({ length: 8 }, () =>
        transaction(
          db,
          async () => {
            attempts++
            return nextSequence(db, 'a')
          },
          { retry: { attempts: 200, minDelayMs: 1, maxDelayMs: 20 } },
        ),
      ),
    )
    expect(numbers.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(attempts).toBeGreaterThan(8)
  })

  test('a key that was committed after the transaction had begun is a conflict, too', async () => {
    const { db } = await openWithTable({ engine, isWrapped: false })
    const late = db.transaction().execute(async (tx) => {
      await sql`select * from keelson_sequence`.execute(tx)
      await nextSequence(db, 'new')
      return nextSequence(tx, 'new')
    })
    const error = await rejection(late)
    expect(error).toBeInstanceOf(WriteConflictError)
    expect(describeError(error).retryable).toBe(true)
  })

  test('when others are in the way for too long it gives up, and has not counted', async () => {
    const { db } = await openWithTable({ engine, isWrapped: false })
    await nextSequence(db, 'a')
    await db.transaction().execute(async (tx) => {
      await nextSequence(tx, 'a')
      const error = await rejection(nextSequence(db, 'a', { retryForMs: 100 }))
      expect(error).toBeInstanceOf(WriteConflictError)
      expect(error.message).toMatch(/for \d+ ms and \d+ attempts/)
      expect(await rejection(nextSequence(db, 'a', { retryForMs: 0 }))).toBeInstanceOf(
        WriteConflictError,
      )
    })
    expect(await nextSequence(db, 'a')).toBe(3)
  })
})

describe.skipIf(mysql.isMissing)('on MySQL, which commits before it creates a table', () => {
  test.for([true, false])(
    'the table is not created inside a transaction (transactions wrapped: %s)',
    async (isWrapped) => {
      const { inTransaction, sent } = await open({ engine: mysql, isWrapped })
      const error = await rejection(inTransaction((tx) => createSequenceTable(tx)))
      expect(error).toMatchObject({ code: 'TABLE_IN_TRANSACTION' })
      expect(sent().filter((text) => text.startsWith('create'))).toEqual([])
    },
  )
})

test('a transaction around a plain Kysely transaction is joined by its handle', async () => {
  const opened = await openWithTable({ engine: sqliteOurs, isWrapped: true })
  const db = new Kysely<any>({ dialect: withTransactions(opened.dialect) })
  expect(await db.transaction().execute((tx) => nextSequence(tx, 'a'))).toBe(1)
  const tx = await db.startTransaction().execute()
  expect(await nextSequence(tx, 'a')).toBe(2)
  await tx.rollback().execute()
  expect(await nextSequence(db, 'a')).toBe(2)
})
