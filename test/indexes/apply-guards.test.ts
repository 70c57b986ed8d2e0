import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { revertPlan } from '@keelson/indexes'
import { applyPlan, diffSchema, ensureTables } from '@keelson/indexes/kysely'
import { SqliteDialect as KeelsonSqliteDialect } from '@keelson/sqlite/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { databases, engines } from './schema-databases.ts'
import { adding, altering, index, posts, unique, users, without } from './tables.ts'

const note = { name: 'note', type: { kind: 'string' }, nullable: true } as const

describe.each(engines)('on %s', (_, open) => {
  it('refuses a schema that somebody has changed since', async () => {
    const database = await open()
    await database.ensureTables([users()])
    const plan = await database.diffSchema([adding(users(), note)])
    await database.sql('alter table users add column other integer')
    await expect(database.applyPlan(plan)).rejects.toMatchObject({
      code: 'SCHEMA_DRIFT',
      expected: plan.fingerprint,
    })
  })

  it('does a plan once, however often it is given', async () => {
    const database = await open()
    const plan = await database.diffSchema([users({ indexes: [index('age')] })])
    const reports = [await database.applyPlan(plan), await database.applyPlan(plan)]
    expect(reports.map(({ applied, skipped }) => [applied, skipped])).toEqual([
      [2, 0],
      [0, 2],
    ])
  })

  it('does a plan once when several ask for it at the same time', async () => {
    const database = await open()
    const plan = await database.diffSchema([users({ indexes: [index('age')] })])
    const reports = await Promise.all(Array.from({ length: 5 }, () => database.applyPlan(plan)))
    expect(reports.reduce((sum, { applied }) => sum + applied, 0)).toBe(2)
  })

  it('names rows that are in the way of a unique index', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(
      `insert into users (id, email) values (1, 'twice@b.c'), (2, 'once@b.c'), (3, 'twice@b.c')`,
    )
    const plan = await database.diffSchema([users({ indexes: [index('age'), unique('email')] })])
    const error = await database.applyPlan(plan).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ROWS_IN_THE_WAY', example: { email: 'twice@b.c' } })
    expect((error as Error).message).toContain('2 rows of "users" have the same "email"')
    // All of it is undone.
    expect((await database.diffSchema([users()])).steps).toEqual([])
    // Two NULLs are no duplicates.
    await database.applyPlan(await database.diffSchema([users({ indexes: [unique('name')] })]))
  })

  it('finds a row in the way that the driver refuses to give', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(`insert into users (id, email) values (9007199254740993, 'a')`)
    const name = {
      name: 'name',
      type: { kind: 'string', maxLength: 100 },
      nullable: false,
    } as const
    const plan = await database.diffSchema([altering(users(), name)])
    await expect(database.applyPlan(plan)).rejects.toMatchObject({ code: 'ROWS_IN_THE_WAY' })
  })

  it('names a row that is in the way of NOT NULL, and of a column without a value', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(`insert into users (id, email) values (1, 'a@b.c')`)
    const strict = altering(users(), { name: 'age', type: { kind: 'int32' }, nullable: false })
    const notNull = await database.diffSchema([strict])
    await expect(database.applyPlan(notNull)).rejects.toMatchObject({ code: 'ROWS_IN_THE_WAY' })
    const added = await database.diffSchema([adding(users(), { ...note, nullable: false })])
    await expect(database.applyPlan(added)).rejects.toMatchObject({ code: 'ROWS_IN_THE_WAY' })
    await database.sql('delete from users')
    await database.applyPlan(added)
  })

  it('leaves indexes alone that it has not created, and tables that it was not given', async () => {
    const database = await open()
    await database.ensureTables([users({ indexes: [index('age')] })])
    await database.sql(
      'create index by_hand on users (name)',
      'create table other (id integer)',
      'create index ix_other_id_0123456789 on other (id)',
    )
    const plan = await database.diffSchema([users()])
    expect(plan.unmanaged).toEqual(['by_hand'])
    expect(plan.steps).toMatchObject([{ kind: 'dropIndex', table: 'users', risk: 'safe' }])
    await database.applyPlan(plan)
    const tables = await database.introspect()
    expect(tables.map(({ name, indexes }) => [name, indexes.map((each) => each.name)])).toEqual([
      ['other', ['ix_other_id_0123456789']],
      ['users', ['by_hand']],
    ])
    // What somebody else has created serves as well.
    expect((await database.diffSchema([users({ indexes: [index('name')] })])).steps).toEqual([])
  })

  it('creates what is new before it drops what it replaces', async () => {
    const database = await open()
    await database.ensureTables([users({ indexes: [index('age')] })])
    const { steps } = await database.diffSchema([users({ indexes: [index('name')] })])
    expect(steps.map(({ kind }) => kind)).toEqual(['createIndex', 'dropIndex'])
  })

  it('refuses an index of somebody else under a name that was asked for', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql('create index mine on users (age)')
    const named = { ...index('name'), name: 'mine' }
    await expect(database.diffSchema([users({ indexes: [named] })])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CHANGE',
      object: 'mine',
    })
  })

  it('refuses to drop a column that an index of somebody else is over', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql('create index mine on users (age)')
    await expect(database.diffSchema([without(users(), 'age')])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CHANGE',
      object: 'mine',
    })
  })

  it('refuses to drop a column that an expression of somebody else quotes', async () => {
    const database = await open()
    const quoted = { name: 'say "hi"', type: { kind: 'string' }, nullable: true } as const
    await database.ensureTables([adding(users(), quoted)])
    await database.sql(`create index own on users (replace("say ""hi""", 'a', 'b'))`)
    await expect(database.diffSchema([users()])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CHANGE',
      object: 'own',
    })
  })

  it('refuses a change of type in which values would become others', async () => {
    const database = await open()
    await database.ensureTables([users()])
    const date = altering(users(), { name: 'age', type: { kind: 'date' }, nullable: true })
    await expect(database.diffSchema([date])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CHANGE',
      object: 'age',
    })
  })

  it('changes nothing when it only looks', async () => {
    const database = await open()
    const plan = await database.diffSchema([users({ indexes: [index('age')] })])
    expect(await database.applyPlan(plan, { dryRun: true })).toMatchObject({
      applied: 2,
      dryRun: true,
    })
    expect(await database.introspect()).toEqual([])
  })

  it('tells of each step, and stops between two of them when it is told to', async () => {
    const database = await open()
    const plan = await database.diffSchema([users({ indexes: [index('age')] })])
    const controller = new AbortController()
    const seen: string[] = []
    const applied = database.applyPlan(plan, {
      signal: controller.signal,
      onProgress: ({ step, index: at, count, state }) => {
        seen.push(`${state} ${step.kind} ${at + 1} of ${count}`)
        if (state === 'done') controller.abort(new Error('enough'))
      },
    })
    await expect(applied).rejects.toThrow('enough')
    expect(seen).toEqual(['started createTable 1 of 2', 'done createTable 1 of 2'])
    expect(await database.introspect()).toEqual([])
  })

  it('says what a step costs', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(
      database.engine === 'sqlite'
        ? `with recursive n(i) as (select 1 union all select i + 1 from n where i < 90000)
           insert into users (id, email) select i, 'a' from n`
        : database.engine === 'duckdb'
          ? `insert into users (id, email) select i, 'a' from range(90000) as n(i)`
          : `insert into users (id, email) select i, 'a' from generate_series(1, 90000) as n(i)`,
    )
    const { steps } = await database.diffSchema([users({ indexes: [index('age')] })])
    expect(steps).toMatchObject([
      { kind: 'createIndex', risk: 'locking', estimate: { rows: 90_000 } },
    ])
  })

  it('refuses to be called inside a transaction', async () => {
    const database = await open()
    const plan = await database.diffSchema([users()])
    const inside = database.db.transaction().execute((tx: Kysely<any>) => applyPlan(tx, plan))
    await expect(inside).rejects.toMatchObject({ code: 'OPEN_TRANSACTION' })
  })
})

describe('a plan', () => {
  it('is for the engine that it was made on', async () => {
    const [sqlite, duckdb] = [await engines[0]![1](), await engines[1]![1]()]
    const plan = await sqlite.diffSchema([users()])
    await expect(duckdb.applyPlan(plan)).rejects.toMatchObject({ code: 'OTHER_ENGINE' })
  })

  it('says of options that it does not know that it does not', async () => {
    const database = await engines[0]![1]()
    const plan = await database.diffSchema([users()])
    await expect(database.applyPlan(plan, { alowDrop: true } as object)).rejects.toMatchObject({
      code: 'UNKNOWN_OPTION',
    })
    await expect(database.applyPlan(plan, { concurrently: true })).rejects.toMatchObject({
      option: 'concurrently',
    })
    for (const [, other] of [
      engines[0]!,
      engines[1]!,
      ['', databases["Keelson's SQLite under Drizzle"]!] as const,
    ]) {
      const { diffSchema: diff } = await other()
      await expect(diff([users()], { concurrently: true })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        option: 'concurrently',
      })
      expect((await diff([users()], { concurrently: false })).steps).toHaveLength(1)
    }
    await expect(database.applyPlan(plan, { lockTimeoutMs: -1 })).rejects.toMatchObject({
      option: 'lockTimeoutMs',
    })
  })
})

const sqliteDatabases = Object.entries(databases).filter(([name]) => /sqlite/i.test(name))

describe.each(sqliteDatabases)('a backup on %s', (_, open) => {
  it('is a whole copy of the database before the plan', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(`insert into users (id, email) values (1, 'a@b.c')`)
    const plan = await database.diffSchema([without(users(), 'age')])
    const backup = join(temporaryDirectory(), "it's.db")
    expect(await database.applyPlan(plan, { allowDrop: true, backup })).toMatchObject({ backup })
    const copy = new BetterSqlite3(backup)
    onTestFinished(() => void copy.close())
    expect(copy.prepare('select * from users').all()).toEqual([
      { id: 1, email: 'a@b.c', name: null, age: null },
    ])
  })

  it('is not made for a plan that does not fit, or that leaves nothing to do', async () => {
    const database = await open()
    const plan = await database.diffSchema([users()])
    await database.applyPlan(plan)
    const backup = temporaryFile('unneeded.db')
    const { backup: made } = await database.applyPlan(plan, { backup })
    await database.sql('alter table users add column other integer')
    await expect(database.applyPlan(plan, { backup })).rejects.toMatchObject({
      code: 'SCHEMA_DRIFT',
    })
    expect([made, existsSync(backup)]).toEqual([undefined, false])
  })

  it('is refused, and leaves no file, where the database is damaged', async () => {
    const database = await open()
    await database.sql('create table damaged (n integer check (n > 0))')
    await database.sql(
      'pragma ignore_check_constraints = on',
      'insert into damaged values (-1)',
      'pragma ignore_check_constraints = off',
    )
    const plan = await database.diffSchema([users()])
    const backup = temporaryFile('damaged.db')
    const error = await database.applyPlan(plan, { backup }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'BACKUP' })
    expect((error as Error).message).toContain('integrity_check says CHECK constraint failed')
    expect([existsSync(backup), await database.introspect()]).toMatchObject([
      false,
      [{ name: 'damaged' }],
    ])
  })

  it('does not take the place of a file', async () => {
    const database = await open()
    const plan = await database.diffSchema([users()])
    const backup = temporaryFile('taken.db')
    writeFileSync(backup, 'something')
    await expect(database.applyPlan(plan, { backup })).rejects.toMatchObject({ code: 'BACKUP' })
    expect(await database.introspect()).toEqual([])
  })
})

describe.each(Object.entries(databases).filter(([name]) => name.startsWith('DuckDB')))(
  'a backup of %s',
  (_, open) => {
    it('is a whole copy of the database before the plan', async () => {
      const database = await open()
      await database.ensureTables([users()])
      await database.sql(`insert into users (id, email) values (1, 'a@b.c')`)
      const plan = await database.diffSchema([adding(users(), note)])
      const backup = join(temporaryDirectory(), "it's.db")
      expect(await database.applyPlan(plan, { backup })).toMatchObject({ backup })
      await database.sql(`attach '${backup.replaceAll("'", "''")}' as copied`)
      const copied = await database.sql('select * from copied.users')
      expect(copied).toEqual([{ id: 1, email: 'a@b.c', name: null, age: null }])
    })
  },
)

describe.each(engines.slice(1))('on %s', (_, open) => {
  it("plans tables of a schema that is not the connection's own", async () => {
    const database = await open()
    await database.sql('create schema app')
    const table = users({ schema: 'app', indexes: [index('age')] })
    const plan = await database.diffSchema([table, users()])
    await database.applyPlan(plan)
    expect((await database.diffSchema([table, users()])).steps).toEqual([])
    await database.sql(`insert into app.users (id, email) values (1, 'a')`)
    const altered = { ...adding(table, note), checks: [], primaryKey: ['id'] }
    const strict = altering(altered, { name: 'name', type: { kind: 'string' }, nullable: true })
    const change = await database.diffSchema([strict, users()])
    await database.applyPlan(change)
    expect((await database.diffSchema([strict, users()])).steps).toEqual([])
    expect(await database.sql('select id from app.users')).toHaveLength(1)
    await database.applyPlan(revertPlan(change), { allowDrop: true })
    expect((await database.diffSchema([table, users()])).steps).toEqual([])
  })
})

describe('a backup of a server', () => {
  it('is refused, with what to use', async () => {
    const database = await databases['pg under Kysely']!()
    const plan = await database.diffSchema([users()])
    const backup = temporaryFile('copy.db')
    await expect(database.applyPlan(plan, { backup })).rejects.toThrow('pg_dump')
    expect(existsSync(backup)).toBe(false)
  })
})

describe.each(sqliteDatabases)('a rebuild on %s', (_, open) => {
  it('leaves the connection as it was when it fails', async () => {
    const database = await open()
    await database.ensureTables([users()])
    await database.sql(`insert into users (id, email, name) values (1, 'a', 'too long')`)
    const name = { name: 'name', type: { kind: 'string', maxLength: 3 }, nullable: true } as const
    const plan = await database.diffSchema([altering(users(), name)])
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['rebuildTable'])
    // Drizzle puts the statement in front of what the engine says.
    await expect(database.applyPlan(plan)).rejects.toThrow(/CHECK constraint|insert into "users"/)
    expect(await database.sql('pragma legacy_alter_table')).toEqual([{ legacy_alter_table: 0 }])
    expect(await database.sql('pragma foreign_keys')).toEqual([{ foreign_keys: 1 }])
    expect((await database.diffSchema([users()])).steps).toEqual([])
  })
})

describe('on SQLite', () => {
  it('plans for a table whose numbers are beyond those of JavaScript', async () => {
    const database = await databases["Keelson's SQLite under Kysely"]!()
    await database.ensureTables([users()])
    await database.sql(`insert into users (id, email) values (9007199254740993, 'a')`)
    const { steps } = await database.diffSchema([users({ indexes: [index('age')] })])
    expect(steps[0]?.estimate?.rows).toBe(1)
  })

  it('refuses a column that is there in other letters', async () => {
    const database = await databases["Keelson's SQLite under Kysely"]!()
    await database.ensureTables([users()])
    const renamed = adding(without(users(), 'age'), { ...users().columns[3]!, name: 'Age' })
    await expect(database.diffSchema([renamed])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CHANGE',
      object: 'Age',
    })
  })

  const open = engines[0]![1]

  it('keeps a text that was written by hand when a change is undone', async () => {
    const database = await open()
    const text =
      'CREATE TABLE  hand (id integer primary key, -- the key\n a TEXT DEFAULT (1+1), b int)'
    await database.sql(
      text,
      'create index "by hand" on hand(a)',
      'create trigger noted after insert on hand begin select 1; end',
      'create view seen as select a from hand',
    )
    const [live] = await database.introspect()
    const changed = altering(without(live!, 'b'), { ...live!.columns[1]!, nullable: false })
    const schema = await database.sql('select type, name, sql from sqlite_schema order by name')
    const plan = await database.diffSchema([changed])
    expect(plan.steps).toMatchObject([{ kind: 'rebuildTable' }])
    await database.applyPlan(plan, { allowDrop: true })
    expect((await database.diffSchema([changed])).steps).toEqual([])
    await database.applyPlan(revertPlan(plan), { allowDrop: true })
    expect(await database.sql('select type, name, sql from sqlite_schema order by name')).toEqual(
      schema,
    )
  })

  it('goes on numbering where it was after a table was rebuilt', async () => {
    const database = await open()
    const numbered = (nullable: boolean) =>
      ({
        ...users(),
        columns: [
          { name: 'id', type: { kind: 'integer' }, nullable: false, identity: true },
          { name: 'a', type: { kind: 'int32' }, nullable },
          { name: 'b', type: { kind: 'int32' }, nullable },
        ],
      }) as const
    await database.ensureTables([numbered(true)])
    await database.sql('insert into users (id, a, b) values (7, 1, 1)', 'delete from users')
    const plan = await database.diffSchema([numbered(false)])
    expect(plan.steps).toMatchObject([{ kind: 'rebuildTable' }])
    await database.applyPlan(plan)
    await database.sql('insert into users (a, b) values (1, 1)')
    expect(await database.sql('select id from users')).toEqual([{ id: 8 }])
  })

  it.each([
    '(id text primary key, a text collate nocase)',
    '(id text primary key, a text) without rowid',
    '(id text primary key, a text references t (id) deferrable initially deferred)',
    '(id text primary key on conflict replace, a text)',
  ])('refuses to rebuild a table with what a definition cannot say: %s', async (parts) => {
    const database = await open()
    await database.sql(`create table t ${parts}`)
    const [live] = await database.introspect()
    const changed = {
      ...live!,
      columns: live!.columns.map((each) => ({
        ...each,
        default: { kind: 'value', value: 'x' } as const,
      })),
    }
    await expect(database.diffSchema([changed])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CHANGE',
    })
  })

  it('undoes a rebuild that leaves rows without a parent', async () => {
    const database = await open()
    await database.ensureTables([users(), posts({ foreignKeys: [] })])
    await database.sql('insert into posts (id, author) values (1, 42)')
    const plan = await database.diffSchema([users(), posts()])
    await expect(database.applyPlan(plan)).rejects.toMatchObject({ code: 'REBUILD' })
    expect((await database.diffSchema([posts({ foreignKeys: [] })])).steps).toEqual([])
    expect(await database.sql('select foreign_keys as on_ from pragma_foreign_keys')).toEqual([
      { on_: 1 },
    ])
  })

  it('fails with what failed the plan when the lock of the dialect is not given back either', async () => {
    const later = new Error('not given back')
    class Dialect extends KeelsonSqliteDialect {
      override createAdapter(): ReturnType<KeelsonSqliteDialect['createAdapter']> {
        const adapter = super.createAdapter()
        const release = adapter.releaseMigrationLock.bind(adapter)
        adapter.releaseMigrationLock = async (...args) => {
          await release(...args)
          throw later
        }
        return adapter
      }
    }
    const db = new Kysely<any>({ dialect: new Dialect({ path: ':memory:' }) })
    onTestFinished(() => db.destroy())
    await ensureTables(db, [users(), posts({ foreignKeys: [] })])
    await db.insertInto('posts').values({ id: 1, author: 42 }).execute()
    const error = await rejection(applyPlan(db, await diffSchema(db, [users(), posts()])))
    expect(error).toMatchObject({ code: 'REBUILD', suppressed: [later] })
  })

  it('tells the planner of a new index where the table has statistics', async () => {
    const database = await open()
    await database.ensureTables([users(), posts()])
    await database.sql(`insert into users (id, email) values (1, 'a')`, 'analyze')
    await database.applyPlan(await database.diffSchema([users({ indexes: [index('age')] })]))
    await database.applyPlan(await database.diffSchema([posts({ indexes: [index('author')] })]))
    expect(
      await database.sql(`select tbl, idx from sqlite_stat1 where idx like 'ix%'`),
    ).toHaveLength(1)
  })

  it("takes the write lock first under Kysely's own dialect, whose transactions begin without it", async () => {
    const path = temporaryFile()
    const databaseOf = (): Kysely<any> => {
      const database = new BetterSqlite3(path, { timeout: 0 })
      database.pragma('journal_mode = wal')
      const db = new Kysely<any>({ dialect: new SqliteDialect({ database }) })
      onTestFinished(() => db.destroy())
      return db
    }
    const plans = Array.from({ length: 6 }, databaseOf)
    const tables = [users({ indexes: [index('age')] })]
    const plan = await diffSchema(plans[0]!, tables)
    const reports = await Promise.all(plans.map((db) => applyPlan(db, plan)))
    expect(reports.reduce((sum, { applied }) => sum + applied, 0)).toBe(2)
  })

  it('waits no longer for the lock than it was told', async () => {
    const path = temporaryFile()
    const holder = new BetterSqlite3(path)
    onTestFinished(() => void holder.close())
    const db = new Kysely<any>({
      dialect: new SqliteDialect({ database: new BetterSqlite3(path, { timeout: 0 }) }),
    })
    onTestFinished(() => db.destroy())
    const plan = await diffSchema(db, [users()])
    holder.exec('begin immediate')
    await expect(applyPlan(db, plan, { lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'SCHEMA_LOCK_TIMEOUT',
      cause: { code: 'SQLITE_BUSY' },
    })
    holder.exec('rollback')
    await applyPlan(db, plan)
  })
})
