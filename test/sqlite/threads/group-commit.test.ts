import { statSync } from 'node:fs'
import { type SqliteDatabase, TransactionAbortedError } from '@keelson/sqlite'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { microtasks, nextTurn } from '../../support/event-loop.ts'
import { record, runs, seed } from '../../support/runs.ts'
import { column, open, otherProcess, plain, run } from '../fixture.ts'
import { functions, hold, type Mode, modes, openThreads, upTo } from './fixture.ts'

/** Schemas in which a statement can fail in every way there is. */
interface Schema {
  /** Foreign keys that are checked at COMMIT: two statements of one group would be judged together. */
  readonly deferrable: boolean
  readonly onDelete: 'cascade' | 'set null' | 'restrict' | 'no action'
}

const tables = ({ deferrable, onDelete }: Schema): string[] => [
  'create table parent (id integer primary key, name text not null unique check (length(name) < 4), n integer not null default 0 check (n < 6))',
  `create table child (id integer primary key autoincrement, parent integer references parent (id) on delete ${onDelete}, note text)`,
  'create table item (k text primary key, v integer not null check (v >= 0), w integer unique) without rowid',
  `create table pledge (id integer primary key, parent integer not null references parent (id)${deferrable ? ' deferrable initially deferred' : ''})`,
  'create table log (id integer primary key, line text)',
  "create trigger parent_insert after insert on parent begin insert into log (line) values ('parent ' || new.id); end",
  ...(['fail', 'abort', 'rollback'] as const).map(
    (how) =>
      `create trigger item_${how} after insert on item when new.k = '${how}' begin insert into log (line) values ('${how}'); select raise(${how}, 'no ${how}'); end`,
  ),
  "create trigger item_ignore before insert on item when new.k = 'ignore' begin insert into log (line) values ('ignore'); select raise(ignore); end",
  "create trigger item_update after update on item when new.v > 7 begin insert into log (line) values ('update'); select raise(fail, 'v is too much'); end",
  "create trigger child_delete after delete on child begin insert into log (line) values ('gone ' || old.id); end",
]

/** One call of `execute()`, or a transaction of several, whose last may be a statement that undoes it all. */
interface Write {
  readonly statements: readonly (readonly [sql: string, parameters: readonly unknown[]])[]
  readonly as: 'statement' | 'committed' | 'thrown'
}

type Statement = Write['statements'][number]

const conflict = fc.constantFrom(
  '',
  ' or ignore',
  ' or replace',
  ' or rollback',
  ' or abort',
  ' or fail',
)
const id = fc.integer({ min: 1, max: 5 }).map(BigInt)
const key = fc.constantFrom('a', 'b', 'c', 'd', 'fail', 'abort', 'rollback', 'ignore')
const name = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 60 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom(null, 'too long') },
)
const v = fc.integer({ min: -1, max: 9 }).map(BigInt)
const w = fc.option(fc.integer({ min: 1, max: 4 }).map(BigInt))
const returning = fc.constantFrom('', '', ' returning *', ' returning rowid, id')
const returningItem = fc.constantFrom('', '', ' returning k, v')

function statement(
  parts: fc.Arbitrary<readonly [string, readonly unknown[]]>,
): fc.Arbitrary<Statement> {
  return parts
}

/** Several rows, of which a later one may be refused when earlier ones are there. */
const itemRows = fc.array(fc.tuple(key, v, w), { minLength: 1, maxLength: 4 })

const anyStatement = fc.oneof(
  statement(
    fc
      .tuple(conflict, fc.option(id), name, returning)
      .map(([or, first, second, tail]) => [
        `insert${or} into parent (id, name) values (?, ?)${tail}`,
        [first, second],
      ]),
  ),
  statement(
    fc
      .tuple(fc.array(fc.tuple(id, name), { minLength: 1, maxLength: 3 }), returning)
      .map(([rows, tail]) => [
        `insert into parent (id, name) values ${rows.map(() => '(?, ?)').join(', ')} on conflict (id) do update set n = n + 1${tail}`,
        rows.flat(),
      ]),
  ),
  statement(
    fc
      .tuple(name, returning)
      .map(([each, tail]) => [
        `insert into parent (name) values (?) on conflict (name) do nothing${tail}`,
        [each],
      ]),
  ),
  statement(
    fc
      .tuple(conflict, fc.option(id), returning)
      .map(([or, parent, tail]) => [
        `insert${or} into child (parent, note) values (?, 'new')${tail}`,
        [parent],
      ]),
  ),
  statement(
    fc
      .tuple(conflict, itemRows, returningItem)
      .map(([or, rows, tail]) => [
        `insert${or} into item (k, v, w) values ${rows.map(() => '(?, ?, ?)').join(', ')}${tail}`,
        rows.flat(),
      ]),
  ),
  statement(
    fc
      .tuple(itemRows, returningItem)
      .map(([rows, tail]) => [
        `insert into item (k, v, w) values ${rows.map(() => '(?, ?, ?)').join(', ')} on conflict (k) do update set v = v + excluded.v where excluded.v <> 3${tail}`,
        rows.flat(),
      ]),
  ),
  statement(
    fc
      .tuple(conflict, v, w, key)
      .map(([or, by, unique, which]) => [
        `update${or} item set v = v + ?, w = ? where k >= ?`,
        [by, unique, which],
      ]),
  ),
  statement(
    fc
      .tuple(conflict, id, id)
      .map(([or, from, to]) => [
        `update${or} parent set id = ? where id = ? returning id`,
        [to, from],
      ]),
  ),
  statement(
    fc
      .tuple(id, returning)
      .map(([which, tail]) => [`delete from parent where id = ?${tail}`, [which]]),
  ),
  statement(fc.tuple(key).map(([which]) => ['delete from item where k > ?', [which]])),
  // The parent may come with a later write.
  statement(
    fc
      .tuple(conflict, id)
      .map(([or, parent]) => [`insert${or} into pledge (parent) values (?)`, [parent]]),
  ),
  statement(fc.tuple(id).map(([parent]) => ['delete from pledge where parent = ?', [parent]])),
  statement(
    fc.constantFrom<Statement>(
      ['insert into missing values (1)', []],
      ['inset into parent', []],
      ['insert into parent (id) values (?)', []],
      ['insert into log (line) values (abs(-9223372036854775807 - 1))', []],
    ),
  ),
)

/** Statements that are not rows, and change what the next ones may do. */
const schemaStatement = fc.constantFrom<Statement>(
  ['create unique index if not exists item_v on item (v)', []],
  ['drop index if exists item_v', []],
  [
    'create table if not exists late (parent integer references parent (id) deferrable initially deferred)',
    [],
  ],
  ['insert into late values (5)', []],
  ['drop table if exists late', []],
  ['drop trigger if exists item_rollback', []],
)

function changesSchema({ statements }: Write): boolean {
  return /^(create|drop)/.test(statements[0]![0])
}

const alone = (statement: fc.Arbitrary<Statement>): fc.Arbitrary<Write> =>
  statement.map((each) => ({ as: 'statement' as const, statements: [each] }))

/** A child, perhaps before its parent: what only a commit of its own can refuse. */
const family = fc.oneof(
  statement(fc.tuple(id).map(([parent]) => ['insert into pledge (parent) values (?)', [parent]])),
  statement(
    fc
      .tuple(id, name)
      .map(([which, each]) => ['insert into parent (id, name) values (?, ?)', [which, each]]),
  ),
  statement(fc.tuple(id).map(([which]) => ['delete from parent where id = ?', [which]])),
  statement(fc.tuple(id).map(([parent]) => ['delete from pledge where parent = ?', [parent]])),
)

const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 20, arbitrary: alone(anyStatement) },
  { weight: 10, arbitrary: alone(family) },
  { weight: 1, arbitrary: alone(schemaStatement) },
  { weight: 1, arbitrary: alone(fc.constant(['pragma defer_foreign_keys = on', []])) },
)

/** They keep those behind them from being sent together. */
const transaction: fc.Arbitrary<Write> = fc.record({
  as: fc.constantFrom('committed', 'thrown'),
  statements: fc.array(anyStatement, { minLength: 1, maxLength: 4 }),
})

const plans = fc.record({
  schema: fc.record({
    deferrable: fc.boolean(),
    onDelete: fc.constantFrom('cascade', 'set null', 'restrict', 'no action'),
  }),
  /** How many are sent at once, and how many microtasks pass between two of them. */
  bursts: fc.array(
    fc.record({
      writes: fc.oneof(
        { weight: 3, arbitrary: fc.array(write, { minLength: 1, maxLength: 60, size: 'max' }) },
        {
          weight: 1,
          arbitrary: fc.array(
            fc.oneof({ weight: 5, arbitrary: write }, { weight: 1, arbitrary: transaction }),
            { minLength: 1, maxLength: 20, size: 'max' },
          ),
        },
      ),
      gap: fc.constantFrom(0, 0, 0, 1, 5),
    }),
    { minLength: 1, maxLength: 10, size: 'max' },
  ),
})

const undo = new Error('undo')

/** What a write came to, in a form that can be compared. */
async function outcome(writing: () => Promise<unknown>): Promise<unknown> {
  try {
    return await writing()
  } catch (error) {
    if (error === undo) return 'undone'
    const { name: className, code, message, cause } = error as Error & { code: string }
    // Its message tells the place from which it was begun.
    if (error instanceof TransactionAbortedError)
      return { className, code, cause: (cause as Error | undefined)?.message }
    return { className, code, message }
  }
}

function perform(database: SqliteDatabase, { as, statements }: Write): Promise<unknown> {
  const one = async (
    session: Pick<SqliteDatabase, 'execute'>,
    [sql, parameters]: Statement,
  ): Promise<unknown> => {
    const { rows, changes, insertId } = await session.execute(sql, parameters)
    return { rows, changes, insertId }
  }
  if (as === 'statement') return outcome(() => one(database, statements[0]!))
  return outcome(() =>
    database.transaction(async (tx) => {
      const results: unknown[] = []
      // Inside a transaction a failed statement is caught, and the rest goes on.
      for (const each of statements) results.push(await outcome(() => one(tx, each)))
      if (as === 'thrown') throw undo
      return results
    }),
  )
}

async function contents(database: SqliteDatabase): Promise<unknown> {
  const found: Record<string, unknown> = {}
  for (const table of await column(
    database,
    "select name from sqlite_schema where type = 'table' order by name",
  ))
    found[String(table)] = (
      await database.execute(`select * from "${String(table)}" order by 1`)
    ).rows
  return found
}

describe.for(modes)('writes that are sent at once: %s', (mode) => {
  test('come to what they come to one after the other', async () => {
    let writes = 0
    const kinds = new Map<string, number>()
    const start = performance.now()
    await fc.assert(
      fc.asyncProperty(plans, async ({ schema, bursts }) => {
        const concurrent = openThreads({ mode, readers: 1 })
        const serial = open()
        await run(concurrent, ...tables(schema))
        await run(serial, ...tables(schema))
        for (const burst of bursts) {
          const sent: Promise<unknown>[] = []
          // A statement that waits for a transaction may be compiled before it waits.
          const mayCompileEarly = burst.writes.some(({ as }) => as !== 'statement')
          for (const each of burst.writes) {
            const isBarrier = mayCompileEarly && changesSchema(each)
            if (isBarrier) await Promise.all(sent)
            sent.push(perform(concurrent, each))
            if (isBarrier) await sent.at(-1)
            await microtasks(burst.gap)
          }
          const actual = await Promise.all(sent)
          for (const [index, each] of burst.writes.entries()) {
            const expected = await perform(serial, each)
            expect(actual[index], `${index}: ${JSON.stringify(each, withBigints)}`).toEqual(
              expected,
            )
            const kind = (expected as { code?: string } | null)?.code ?? each.as
            kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
            writes += each.statements.length
          }
          // A read is the commit that ends what this PRAGMA has begun, on the connection that it runs on: inline that is the
          // one that writes.
          for (const each of [concurrent, serial])
            await run(each, 'pragma defer_foreign_keys = off')
          expect(await contents(concurrent)).toEqual(await contents(serial))
        }
        expect(plain(concurrent.path).pragma('integrity_check', { simple: true })).toBe('ok')
        await concurrent.close()
        await serial.close()
      }),
      { seed, numRuns: runs(10, 180) },
    )
    // Each way to fail was there, else the statements have drifted away from the schema.
    for (const kind of ['UNIQUE', 'PRIMARYKEY', 'CHECK', 'NOTNULL', 'FOREIGNKEY', 'TRIGGER'])
      expect(kinds.keys()).toContain(`SQLITE_CONSTRAINT_${kind}`)
    record('sqlite-group-commit', {
      [mode]: { writes, differences: 0, durationMs: Math.round(performance.now() - start) },
    })
  })

  test('are in the file before any of them is acknowledged', async () => {
    const database = openThreads({ mode })
    await run(database, 'create table t (a integer primary key)')
    const other = plain(database.path)
    const isThere = other.prepare('select count(*) from t where a = ?').pluck()
    await Promise.all(
      upTo(300).map(async (a) => {
        await database.execute('insert into t values (?)', [a])
        expect(isThere.get(a)).toBe(1)
      }),
    )
    expect(other.prepare('select count(*) from t').pluck().get()).toBe(300)
  })

  test('are acknowledged in the order in which they were sent', async () => {
    const database = openThreads({ mode })
    await run(database, 'create table t (a integer primary key)')
    const order: number[] = []
    await Promise.all(
      upTo(300).map(async (a) => {
        // Every seventh fails, and does not come before its turn for that.
        const sql = a % 7 === 0 ? 'insert into t values (1)' : 'insert into t values (?)'
        await database.execute(sql, a % 7 === 0 ? [] : [a]).catch(() => {})
        order.push(a)
      }),
    )
    expect(order).toEqual(upTo(300))
  })

  test('fail alone, also when one of them rolls its transaction back', async () => {
    const database = openThreads({ mode })
    await run(database, 'create table t (a integer primary key, b not null)')
    const results = await Promise.allSettled([
      database.execute('insert into t values (1, 1)'),
      database.execute('insert or rollback into t values (1, 2)'),
      database.execute('insert into t values (2, 2)'),
      database.execute('insert or rollback into t values (3, null)'),
      database.execute('insert into t values (4, 4) returning a'),
      database.execute('insert or fail into t values (5, 5), (1, 1), (6, 6)'),
      database.execute('insert into t values (7, 7)'),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(Database.SqliteError)
    // OR FAIL keeps the rows that came before the one that failed.
    expect(await column(database, 'select a from t order by a')).toEqual([1, 2, 4, 5, 7])
  })

  test('find the file full at the same statement, whose error is its own', async () => {
    const sizes = [40, 4_000, 10, 60_000, 30, 200_000, 20, 9_000, 300_000, 50, 2_000]
    const fill = async (database: SqliteDatabase, atOnce: boolean): Promise<unknown> => {
      await run(database, 'create table t (a integer primary key, b)', 'pragma max_page_count = 60')
      const results: unknown[] = []
      const sending = sizes.map(
        (size) => (): Promise<unknown> =>
          perform(database, {
            as: 'statement',
            statements: [['insert into t (b) values (zeroblob(?))', [BigInt(size)]]],
          }),
      )
      if (atOnce) results.push(...(await Promise.all(sending.map((send) => send()))))
      else for (const send of sending) results.push(await send())
      return { results, sizes: await column(database, 'select length(b) from t order by a') }
    }
    const expected = await fill(open(), false)
    expect(JSON.stringify(expected, withBigints)).toContain('SQLITE_FULL')
    expect(await fill(openThreads({ mode }), true)).toEqual(expected)
  })

  test('wait together for a lock of another process, and are all kept then', async () => {
    const database = openThreads({ mode, busyTimeoutMs: 60_000 })
    await run(database, 'create table t (a integer primary key)')
    const other = await otherProcess(database.path)
    expect(await other.run('begin immediate')).toBe('ok')
    let settled = 0
    const all = Promise.all(
      upTo(50).map((a) =>
        database.execute('insert into t values (?)', [a]).finally(() => settled++),
      ),
    )
    expect(await other.run('insert into t values (1000)')).toBe('ok')
    await nextTurn()
    expect(settled).toBe(0)
    expect(await other.run('commit')).toBe('ok')
    await all
    expect(await column(database, 'select count(*) from t')).toEqual([51])
  })

  test('are refused when the other process does not give it up, and none of them is kept', async () => {
    const database = openThreads({ mode, busyTimeoutMs: 30 })
    await run(database, 'create table t (a integer primary key)')
    const other = await otherProcess(database.path)
    expect(await other.run('begin immediate')).toBe('ok')
    const results = await Promise.allSettled(
      upTo(20).map((a) => database.execute('insert into t values (?)', [a])),
    )
    for (const result of results)
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: expect.stringMatching(/BUSY$/) },
      })
    expect(await other.run('commit')).toBe('ok')
    expect(await column(database, 'select count(*) from t')).toEqual([0])
    await run(database, 'insert into t values (1)')
  })
})

describe('a group', () => {
  /** The frames that were written to the log meanwhile: a commit writes at least one. */
  async function frames(
    database: SqliteDatabase,
    writing: () => Promise<unknown>,
  ): Promise<number> {
    const size = (): number => statSync(`${database.path}-wal`).size
    const earlier = size()
    await writing()
    return (size() - earlier) / (4_096 + 24)
  }

  async function framesOf64(mode: Mode, ...schema: readonly string[]): Promise<number> {
    const database = openThreads({ mode })
    await run(database, 'create table t (a integer primary key)', ...schema)
    return frames(database, () =>
      Promise.all(upTo(64).map((a) => database.execute('insert into t values (?)', [a]))),
    )
  }

  test('is one commit', async () => {
    expect(await framesOf64('inline')).toBeGreaterThanOrEqual(64)
    expect(await framesOf64('threads')).toBeLessThan(32)
  })

  test('is not joined by a statement that reads what those before it have left, also where the group is undone', async () => {
    const reads = 'insert into log values (last_insert_rowid(), changes())'
    const ran = await Promise.all(
      modes.map(async (mode) => {
        const database = open({ mode })
        await run(
          database,
          'create table log (id, n)',
          'create table t (a integer primary key)',
          'insert into t values (500)',
        )
        const results = await Promise.allSettled(
          [
            reads,
            'insert into t values (1)',
            'insert into t values (10), (11), (12)',
            'insert or rollback into t values (1)',
            reads,
          ].map((sql) => database.execute(sql)),
        )
        expect(results.map(({ status }) => status)).toEqual([
          ...upTo(3).map(() => 'fulfilled'),
          'rejected',
          'fulfilled',
        ])
        return (await database.execute('select id, n from log')).rows
      }),
    )
    expect(ran[1]).toEqual(ran[0])
    expect(ran[1]).toEqual([
      { id: 500, n: 1 },
      { id: 12, n: 0 },
    ])
  })

  test('is not made where a foreign key is checked at COMMIT', async () => {
    expect(
      await framesOf64('threads', 'create table c (a references t deferrable initially deferred)'),
    ).toBeGreaterThanOrEqual(64)
    expect(
      await framesOf64('threads', 'create table "c" (a REFERENCES t DEFERRABLE)', 'drop table c'),
    ).toBeLessThan(32)
  })

  test('is not made either when another process has just added such a key', async () => {
    const database = openThreads()
    await run(
      database,
      'create table parent (id integer primary key)',
      'create table child (id integer primary key, parent integer references parent (id))',
      'insert into parent values (1)',
    )
    const other = await otherProcess(database.path)
    expect(
      await other.run(
        'drop table child; create table child (id integer primary key, parent integer references parent (id) deferrable initially deferred)',
      ),
    ).toBe('ok')
    const results = await Promise.allSettled([
      database.execute('insert into child (parent) values (1)'),
      database.execute('insert into child (parent) values (2)'),
      database.execute('insert into parent values (2)'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  test('is not joined by a statement whose caller has given up before it ran', async () => {
    const database = openThreads({ connectionModule: functions })
    await run(database, 'create table t (a)')
    const held = hold()
    const first = database.execute(`insert into t select ${held.sql}`)
    await held.begun()
    const controller = new AbortController()
    const writes = upTo(20).map((a) =>
      database.execute(
        'insert into t values (?)',
        [a + 100],
        a % 2 === 0 ? { signal: controller.signal } : {},
      ),
    )
    const settled = Promise.allSettled(writes)
    await nextTurn()
    controller.abort(new Error('enough'))
    held.go()
    await first
    const results = await settled
    expect(results.map(({ status }) => status)).toEqual(
      upTo(20).map((a) => (a % 2 === 0 ? 'rejected' : 'fulfilled')),
    )
    expect(await column(database, 'select a from t where a > 100 order by a')).toEqual(
      upTo(20)
        .filter((a) => a % 2 === 1)
        .map((a) => a + 100),
    )
  })
})

function withBigints(_: string, each: unknown): unknown {
  return typeof each === 'bigint' ? Number(each) : each
}
