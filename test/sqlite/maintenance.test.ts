import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { OptionError } from '@keelson/core'
import type { SqliteDatabase, SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { openFilesIn } from '../support/open-files.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { column, open, plain, run, value } from './fixture.ts'

describe('vacuum(), optimize() and size()', () => {
  async function withHoles(options: SqliteOptions = {}): Promise<SqliteDatabase> {
    const database = open(options)
    await run(
      database,
      'create table t (a integer primary key, b integer, filling text)',
      'create index i on t (b)',
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) insert into t select i, i % 10, printf('%.*c', 500, 'x') from n",
      'delete from t where a > 100',
    )
    return database
  }

  test('vacuum() gives free pages back', async () => {
    for (const path of [undefined, ':memory:'] as const) {
      const database = await withHoles(path && { path })
      const before = await database.maintenance.size()
      expect(before.freePages).toBeGreaterThan(100)
      expect(before.bytes).toBe(before.pages * before.pageSize)
      await database.maintenance.vacuum()
      const after = await database.maintenance.size()
      expect(after.freePages).toBe(0)
      expect(after.pages).toBeLessThan(before.pages / 2)
      expect(await value(database, 'select count(*) from t')).toBe(100)
    }
  })

  test('size() tells what is there, also while a transaction is open', async () => {
    const database = await withHoles()
    const size = await database.transaction(() => database.maintenance.size())
    expect(size.pageSize).toBe(4096)
    expect(size.walBytes).toBe(statSync(`${database.path}-wal`).size)
    await run(database, 'pragma wal_checkpoint(truncate)')
    const checkpointed = await database.maintenance.size()
    expect(checkpointed.walBytes).toBe(0)
    expect(checkpointed.bytes).toBe(statSync(database.path).size)
    expect((await open({ path: ':memory:' }).maintenance.size()).walBytes).toBe(0)
  })

  test('optimize() gathers statistics for the tables that changed', async () => {
    const database = await withHoles()
    await column(database, 'select a from t where b = 3')
    await database.maintenance.optimize()
    const tables = await column(
      database,
      "select name from sqlite_schema where name like 'sqlite_stat%'",
    )
    expect(tables.length).toBeLessThanOrEqual(2)
    expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
  })
})

describe('integrityCheck()', () => {
  async function damaged(damage: (bytes: Buffer) => void): Promise<SqliteDatabase> {
    const path = temporaryFile()
    const database = open({ path })
    await run(
      database,
      'create table t (a integer primary key, b integer, filling text)',
      'create index i on t (b)',
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) insert into t select i, i, printf('%.*c', 200, 'x') from n",
      'pragma wal_checkpoint(truncate)',
    )
    await database.close()
    const bytes = readFileSync(path)
    damage(bytes)
    writeFileSync(path, bytes)
    return open({ path })
  }

  test('finds nothing in a sound database', async () => {
    const database = await damaged(() => {})
    expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
  })

  test('finds damage, and does not throw for it', async () => {
    const damages: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.fill(0x5a, bytes.length / 2, bytes.length / 2 + 2000),
      (bytes) => bytes.fill(0, bytes.length - 8192),
      (bytes) => bytes.fill(0xff, 4096 * 3, 4096 * 3 + 100),
    ]
    for (const damage of damages) {
      const database = await damaged(damage)
      const { ok, problems } = await database.maintenance.integrityCheck()
      expect(ok).toBe(false)
      expect(problems.length).toBeGreaterThan(0)
      expect(problems.join()).not.toMatch(/^ok$/)
      await database.close()
      expect(openFilesIn(dirname(database.path))).toEqual([])
    }
  })
})

describe('foreign keys', () => {
  /** Every shape of a reference, each with orphans. */
  async function withOrphans(): Promise<SqliteDatabase> {
    const database = open({ foreignKeys: false })
    await run(
      database,
      'create table parent (id integer primary key, code text collate nocase unique)',
      'create table pair (x, y, primary key (x, y)) without rowid',
      'create table child (id integer primary key, parent integer references parent)',
      'create table twin (a integer references parent, b integer references parent (id))',
      'create table coded (k text primary key, code text references parent (code)) without rowid',
      'create table paired (k integer primary key, x, y, foreign key (x, y) references pair) without rowid',
      'create table grandchild (id integer primary key, child integer references child on delete cascade)',
      'create table "odd ""name""" ("a b" integer references parent)',
      'create table hidden (rowid text, _rowid_ text, oid text, parent integer references parent)',
      'create table lost (k primary key, m references missing) without rowid',
      'create table p (k primary key, id references parent (id)) without rowid',
      "insert into parent values (1, 'One'), (2, 'Two')",
      "insert into pair values ('x', 1)",
      'insert into child values (1, 1), (2, 77), (3, null), (4, 88)',
      'insert into twin values (1, 2), (1, 9), (8, 9), (null, 9)',
      "insert into coded values ('a', 'one'), ('b', 'three'), ('c', null)",
      "insert into paired values (1, 'x', 1), (2, 'x', 2), (3, 'X', 1), (4, 'x', null)",
      'insert into grandchild values (1, 1), (2, 2), (3, 4), (4, 99)',
      'insert into "odd ""name""" values (1), (5)',
      'insert into hidden values (1, 2, 3, 4), (1, 2, 3, 1)',
      'insert into lost values (1, 2), (2, null)',
      'insert into p values (1, 1), (2, 77)',
    )
    return database
  }

  const orphans = [
    { table: 'child', parent: 'parent', rows: 2 },
    { table: 'coded', parent: 'parent', rows: 1 },
    { table: 'grandchild', parent: 'child', rows: 1 },
    { table: 'hidden', parent: 'parent', rows: 1 },
    { table: 'lost', parent: 'missing', rows: 1 },
    { table: 'odd "name"', parent: 'parent', rows: 1 },
    { table: 'p', parent: 'parent', rows: 1 },
    { table: 'paired', parent: 'pair', rows: 2 },
    { table: 'twin', parent: 'parent', rows: 3 },
  ]
  const byTable = <T extends { table: string }>(found: readonly T[]): T[] =>
    found.toSorted((a, b) => (a.table < b.table ? -1 : 1))

  test('foreignKeyCheck() names each row that lacks its parent', async () => {
    const database = await withOrphans()
    const violations = await database.maintenance.foreignKeyCheck()
    expect(violations.filter(({ table }) => table === 'child')).toEqual([
      { table: 'child', rowid: 2n, parent: 'parent', foreignKey: 0 },
      { table: 'child', rowid: 4n, parent: 'parent', foreignKey: 0 },
    ])
    expect(violations.filter(({ table }) => table === 'coded')).toEqual([
      { table: 'coded', rowid: undefined, parent: 'parent', foreignKey: 0 },
    ])
    expect(violations.filter(({ table }) => table === 'twin')).toHaveLength(4)
  })

  test('findOrphans() counts rows, once each, and changes nothing', async () => {
    const database = await withOrphans()
    expect(byTable(await database.maintenance.findOrphans())).toEqual(orphans)
    expect(byTable(await database.maintenance.findOrphans())).toEqual(orphans)
    expect(await open().maintenance.findOrphans()).toEqual([])
  })

  test('deleteOrphans() deletes them, with those that thereby lost their parent', async () => {
    const database = await withOrphans()
    const deleted = await database.maintenance.deleteOrphans({ tables: 'all' })
    expect(byTable(deleted)).toEqual([
      ...orphans.slice(0, 2),
      { table: 'grandchild', parent: 'child', rows: 3 },
      ...orphans.slice(3),
    ])
    expect(await database.maintenance.foreignKeyCheck()).toEqual([])
    expect(await column(database, 'select id from child')).toEqual([1, 3])
    expect(await column(database, 'select k from coded')).toEqual(['a', 'c'])
    expect(await column(database, 'select k from paired')).toEqual([1, 4])
    expect(await column(database, 'select id from grandchild')).toEqual([1])
    expect(await column(database, 'select count(*) from twin')).toEqual([1])
    expect(await column(database, 'select k from lost')).toEqual([2])
    expect(await column(database, 'select k from p')).toEqual([1])
    expect(await database.maintenance.deleteOrphans({ tables: 'all' })).toEqual([])
  })

  test('deleteOrphans() leaves other tables alone', async () => {
    const database = await withOrphans()
    const deleted = await database.maintenance.deleteOrphans({ tables: ['coded', 'odd "name"'] })
    expect(byTable(deleted)).toEqual([
      { table: 'coded', parent: 'parent', rows: 1 },
      { table: 'odd "name"', parent: 'parent', rows: 1 },
    ])
    expect(await database.maintenance.deleteOrphans({ tables: [] })).toEqual([])
    const left = byTable(await database.maintenance.findOrphans())
    expect(left).toEqual(orphans.filter(({ table }) => table !== 'coded' && table !== 'odd "name"'))
  })

  test('deleteOrphans() refuses a table that is not there, and whatever is no list', async () => {
    const database = await withOrphans()
    for (const tables of [
      ['childs'],
      ['child', 'CHILD'],
      ['x"; drop table child; --'],
      'grandchild',
      undefined,
      null,
      5,
      [5],
      {},
    ]) {
      const error = await rejection(
        database.maintenance.deleteOrphans({ tables } as { tables: string[] }),
      )
      expect(error).toBeInstanceOf(OptionError)
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'tables' })
    }
    const unknown = await rejection(
      database.maintenance.deleteOrphans({ tables: 'all', table: 'child' } as { tables: 'all' }),
    )
    expect(unknown).toMatchObject({ code: 'UNKNOWN_OPTION', option: 'table' })
    expect(byTable(await database.maintenance.findOrphans())).toEqual(orphans)
  })

  test('deleteOrphans() is one transaction: a row that cannot go keeps all of them', async () => {
    const database = await withOrphans()
    await run(
      database,
      "create trigger keep before delete on paired begin select raise(abort, 'kept'); end",
    )
    expect((await rejection(database.maintenance.deleteOrphans({ tables: 'all' }))).message).toBe(
      'kept',
    )
    expect(byTable(await database.maintenance.findOrphans())).toEqual(orphans)
    await run(database, 'insert into parent (id) values (50)')
    expect(plain(database.path).prepare('select count(*) as n from parent').get()).toEqual({ n: 3 })
  })

  test('deleteOrphans() under enforcement cascades as the keys say', async () => {
    const path = (await withOrphans()).path
    const database = open({ path })
    const deleted = await database.maintenance.deleteOrphans({ tables: ['child'] })
    expect(deleted).toEqual([{ table: 'child', parent: 'parent', rows: 2 }])
    expect(await column(database, 'select id from grandchild')).toEqual([1, 4])
  })

  test('rowids beyond 2^53 are told and deleted exactly', async () => {
    const database = open({ foreignKeys: false })
    await run(
      database,
      'create table parent (id integer primary key)',
      'create table child (id integer primary key, parent integer references parent)',
      'insert into child values (9007199254740993, 5), (9007199254740992, null)',
    )
    expect(await database.maintenance.foreignKeyCheck()).toEqual([
      { table: 'child', rowid: 9007199254740993n, parent: 'parent', foreignKey: 0 },
    ])
    await database.maintenance.deleteOrphans({ tables: ['child'] })
    expect(await column(database, 'select cast(id as text) from child')).toEqual([
      '9007199254740992',
    ])
  })
})

describe('checks', () => {
  test('run beside an open transaction, and see what is committed', async () => {
    const database = open({ foreignKeys: false })
    await run(
      database,
      'create table parent (id integer primary key)',
      'create table child (p references parent)',
    )
    await database.transaction(async (tx) => {
      await tx.execute('insert into child values (5)')
      expect(await database.maintenance.findOrphans()).toEqual([])
      expect((await database.maintenance.integrityCheck()).ok).toBe(true)
    })
    expect(await database.maintenance.findOrphans()).toEqual([
      { table: 'child', parent: 'parent', rows: 1 },
    ])
  })
})
