import type { SqliteDatabase } from '@keelson/sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { column, open, run } from './fixture.ts'

/**
 * Random statements on a few tables, whose counts and ids must be those that follow from `count(*)`, `max(id)` and the
 * keys that were there: computed here, without SQLite's own counters.
 */
class Model {
  /** Rows of `item` by key. */
  readonly items = new Map<string, { id: number; v: number }>()
  readonly tags = new Map<string, number>()
  others = 0

  nextId(): number {
    return this.items.size === 0
      ? 1
      : Math.max(...Array.from(this.items.values(), ({ id }) => id)) + 1
  }
}

interface Outcome {
  readonly changes: number
  readonly insertId: number | undefined
}

type Row = readonly [key: string, v: number]

type Command =
  | {
      readonly kind: 'insert' | 'ignore' | 'nothing' | 'upsert' | 'upsertIfMore' | 'replace'
      readonly rows: readonly Row[]
      readonly returning: boolean
    }
  | { readonly kind: 'tag' | 'tagUpsert'; readonly key: string }
  | { readonly kind: 'update' | 'delete'; readonly key: string; readonly returning: boolean }
  | { readonly kind: 'other' | 'vacuum' | 'view' }

const heads: Readonly<Record<string, readonly [string, string]>> = {
  insert: ['insert into', ''],
  ignore: ['insert or ignore into', ''],
  nothing: ['insert into', 'on conflict (k) do nothing'],
  upsert: ['insert into', 'on conflict (k) do update set v = excluded.v'],
  upsertIfMore: [
    'insert into',
    'on conflict (k) do update set v = excluded.v where excluded.v > v',
  ],
  replace: ['replace into', ''],
}

/** What the statement is expected to report; `undefined` for one that fails and changes nothing. */
function expected(model: Model, command: Command): Outcome | undefined {
  const nothing = { changes: 0, insertId: undefined }
  switch (command.kind) {
    case 'other':
      model.others++
      return { changes: 1, insertId: model.others }
    case 'vacuum':
      return nothing
    case 'view':
      model.others++
      return nothing
    case 'tag':
      if (model.tags.has(command.key)) return undefined
      model.tags.set(command.key, 1)
      return { changes: 1, insertId: undefined }
    case 'tagUpsert':
      model.tags.set(command.key, (model.tags.get(command.key) ?? 0) + 1)
      return { changes: 1, insertId: undefined }
    case 'update': {
      const item = model.items.get(command.key)
      if (item !== undefined) item.v++
      return { changes: item === undefined ? 0 : 1, insertId: undefined }
    }
    case 'delete':
      return { changes: model.items.delete(command.key) ? 1 : 0, insertId: undefined }
    default:
      return inserted(model, command.kind, command.rows)
  }
}

function inserted(model: Model, kind: string, rows: readonly Row[]): Outcome | undefined {
  const keys = rows.map(([key]) => key)
  const breaks = new Set(keys).size < keys.length || keys.some((key) => model.items.has(key))
  if (kind === 'insert' && breaks) return undefined
  let changes = 0
  let insertId: number | undefined
  for (const [key, v] of rows) {
    const item = model.items.get(key)
    if (item === undefined || kind === 'replace') {
      insertId = model.nextId()
      model.items.delete(key)
      model.items.set(key, { id: insertId, v })
      changes++
    } else if (kind === 'upsert' || (kind === 'upsertIfMore' && v > item.v)) {
      item.v = v
      changes++
    }
  }
  return { changes, insertId }
}

function statement(command: Command): [string, unknown[]] {
  switch (command.kind) {
    case 'other':
      return ["insert into other (line) values ('x')", []]
    case 'vacuum':
      return ['vacuum', []]
    case 'view':
      return ["insert into other_lines values ('x')", []]
    case 'tag':
      return ['insert into tag (k) values (?)', [command.key]]
    case 'tagUpsert':
      return [
        'insert into tag (k) values (?) on conflict do update set uses = uses + 1',
        [command.key],
      ]
    case 'update':
      return [`update item set v = v + 1 where k = ?${tail(command)}`, [command.key]]
    case 'delete':
      return [`delete from item where k = ?${tail(command)}`, [command.key]]
    default: {
      const [head, conflict] = heads[command.kind]!
      const values = command.rows.map(() => '(?, ?)').join(', ')
      return [
        `${head} item (k, v) values ${values} ${conflict}${tail(command)}`,
        command.rows.flat(),
      ]
    }
  }
}

function tail(command: { readonly returning: boolean }): string {
  return command.returning ? ' returning id, k' : ''
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const rows = fc.array(fc.tuple(key, fc.nat(9)), { minLength: 1, maxLength: 4 })
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('insert', 'ignore', 'nothing', 'upsert', 'upsertIfMore', 'replace'),
      rows,
      returning: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('tag', 'tagUpsert'), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('update', 'delete'),
      key,
      returning: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('other', 'view') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('vacuum') }) },
)

const plans = fc.record({
  triggers: fc.boolean(),
  inTransaction: fc.boolean(),
  commands: fc.array(command, { minLength: 1, maxLength: 30 }),
})

test('counts and ids of random statements are those that follow from the rows', async () => {
  let statements = 0
  const start = performance.now()
  await fc.assert(
    fc.asyncProperty(plans, async ({ triggers, inTransaction, commands }) => {
      const database = await withTables(triggers)
      const model = new Model()
      const check = async (session: Pick<SqliteDatabase, 'execute'>): Promise<void> => {
        for (const each of commands) {
          if (inTransaction && each.kind === 'vacuum') continue
          await checkOne(session, model, each)
          statements++
        }
      }
      if (inTransaction) await database.transaction(check)
      else await check(database)
      expect(await column(database, 'select count(*) from item')).toEqual([model.items.size])
      expect(
        await column(database, "select k || ' ' || id || ' ' || v from item order by k"),
      ).toEqual(Array.from(model.items, ([k, { id, v }]) => `${k} ${id} ${v}`).toSorted())
      expect(await column(database, 'select k || uses from tag order by k')).toEqual(
        Array.from(model.tags, ([k, uses]) => `${k}${uses}`).toSorted(),
      )
      expect(await column(database, 'select count(*) from other')).toEqual([model.others])
      await database.close()
    }),
    { seed, numRuns: runs(400, 20_000) },
  )
  record('sqlite-counts-model', { statements, durationMs: Math.round(performance.now() - start) })
})

async function checkOne(
  session: Pick<SqliteDatabase, 'execute'>,
  model: Model,
  each: Command,
): Promise<void> {
  const [sql, parameters] = statement(each)
  const outcome = expected(model, each)
  const actual = await session.execute(sql, parameters).then(
    ({ changes, insertId, rows: returned }) => ({ changes, insertId, returned }),
    (error: { code: string }) => error.code,
  )
  if (outcome === undefined) {
    expect(actual, sql).toMatch(/^SQLITE_CONSTRAINT_/)
    return
  }
  const { changes, insertId } = outcome
  const id = insertId === undefined ? undefined : BigInt(insertId)
  expect(actual, sql).toMatchObject({
    changes: each.kind === 'vacuum' ? undefined : changes,
    insertId: id,
  })
  if ('returning' in each && each.returning)
    expect((actual as { returned: unknown[] }).returned).toHaveLength(changes)
}

async function withTables(triggers: boolean): Promise<SqliteDatabase> {
  const database = open({ path: ':memory:' })
  await run(
    database,
    'create table item (id integer primary key, k text unique, v integer)',
    'create table tag (k text primary key, uses integer default 1) without rowid',
    'create table other (id integer primary key, line text)',
    'create table log (id integer primary key, line text)',
    'create view other_lines as select line from other',
    'create trigger v instead of insert on other_lines begin insert into other (line) values (new.line); end',
  )
  if (triggers) {
    await run(
      database,
      "create trigger i after insert on item begin insert into log (line) values ('i'), ('j'); end",
      "create trigger u after update on item begin insert into log (line) values ('u'); delete from log where line = 'i'; end",
      'create trigger d before delete on item begin insert into log (line) values (last_insert_rowid()); end',
      "create trigger t after insert on tag begin insert into log (line) values ('t'); end",
    )
  }
  return database
}
