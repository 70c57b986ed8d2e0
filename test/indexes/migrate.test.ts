import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { count, has, history, kinds, type TextMigration } from './migrating.ts'

const users: TextMigration = {
  name: '0001_users',
  up: [
    'create table users (id integer primary key, name varchar(40))',
    "insert into users values (1, 'Ada')",
  ],
  down: ['drop table users'],
}
const posts: TextMigration = {
  name: '0002_posts',
  up: ['create table posts (id integer primary key, user_id integer)'],
  down: ['drop table posts'],
}
const tags: TextMigration = {
  name: '0003_tags',
  up: ['create table tags (id integer)'],
  down: ['drop table tags'],
}
const broken: TextMigration = {
  name: '0002_broken',
  up: [
    'create table half (id integer)',
    'insert into half values (1)',
    'insert into missing values (1)',
  ],
}

describe.for(kinds)('$name', (kind) => {
  test('applies what is new, one after the other, and nothing twice', async () => {
    const target = await kind.open()
    const first = await target.migrate([users])
    expect(first.applied.map(({ name, transaction }) => [name, transaction])).toEqual([
      ['0001_users', true],
    ])
    expect(first).toMatchObject({
      skipped: [],
      pending: [],
      undone: [],
      adopted: [],
      backup: undefined,
    })
    const second = await target.migrate([users, posts, tags])
    expect(second.applied.map(({ name }) => name)).toEqual(['0002_posts', '0003_tags'])
    expect(second.skipped).toEqual(['0001_users'])
    const third = await target.migrate([users, posts, tags])
    expect([third.applied, third.skipped.length]).toEqual([[], 3])
    expect([await count(target, 'users'), await history(kind, target)]).toEqual([1, 3])
  })

  test('leaves nothing of a migration that fails, keeps those before it, and applies it once it is mended', async () => {
    const target = await kind.open()
    const error = await rejection(target.migrate([users, broken, tags]))
    expect(error).toMatchObject({
      code: 'MIGRATION_FAILED',
      migration: '0002_broken',
      statement: expect.stringContaining('insert into missing'),
      isRolledBack: true,
      report: { applied: [{ name: '0001_users' }], pending: ['0002_broken', '0003_tags'] },
    })
    expect(error.message).toMatch(
      /^Migration "0002_broken" failed at `insert into missing values \(1\)` \(applying\): .*missing.* It was rolled back; what came before it stays\. Correct it and migrate again\.$/s,
    )
    expect(error['cause']).toBeInstanceOf(Error)
    expect([await has(target, 'half'), await history(kind, target)]).toEqual([false, 1])
    const mended = { ...broken, up: broken.up.slice(0, 2) }
    const report = await target.migrate([users, mended, tags])
    expect(report.applied.map(({ name }) => name)).toEqual(['0002_broken', '0003_tags'])
    expect(await count(target, 'half')).toBe(1)
  })

  test('goes as far as `to`, and refuses a name that is not there', async () => {
    const target = await kind.open()
    const report = await target.migrate([users, posts, tags], { to: '0002_posts' })
    expect([report.applied.length, report.pending]).toEqual([2, ['0003_tags']])
    const again = await target.migrate([users, posts, tags], { to: '0001_users' })
    expect([again.applied, again.undone, again.pending]).toEqual([[], [], ['0003_tags']])
    const error = await rejection(target.migrate([users, posts, tags], { to: '0004' }))
    expect(error.message).toBe(
      'migrateSafely() cannot use "0004" as `to`: there is no migration of that name. Nothing was done.',
    )
  })

  test('tells in a dry run what it would send, and changes nothing', async () => {
    const target = await kind.open()
    const fresh = await target.migrate([users, posts], { dryRun: true })
    expect(fresh.plan?.map(({ name, statements }) => [name, statements?.length])).toEqual([
      ['0001_users', 2],
      ['0002_posts', 1],
    ])
    expect(fresh.plan![0]!.statements![1]).toContain("insert into users values (1, 'Ada')")
    expect([fresh.applied, fresh.pending]).toEqual([[], ['0001_users', '0002_posts']])
    expect([await has(target, 'users'), await has(target, 'keelson_migration')]).toEqual([
      false,
      false,
    ])
    await target.migrate([users])
    const second = await target.migrate([users, posts], { dryRun: true })
    expect([second.pending, second.skipped]).toEqual([['0002_posts'], ['0001_users']])
    expect([await has(target, 'posts'), await history(kind, target)]).toEqual([false, 1])
  })

  test('refuses what was edited after it had been applied, with both checksums and the lines', async () => {
    const target = await kind.open()
    await target.migrate([users])
    const edited = { ...users, up: [users.up[0]!, "insert into users values (1, 'Eve')"] }
    const error = await rejection(target.migrate([edited, posts]))
    expect(error).toMatchObject({ code: 'MIGRATION_EDITED', migrations: ['0001_users'] })
    expect(error.message).toMatch(
      /^Migration "0001_users" was edited after it had been applied: its checksum was \S+ and is \S+\. /,
    )
    if (kind.orm === 'drizzle') {
      expect(error.message).toContain(
        "- insert into users values (1, 'Ada')\n+ insert into users values (1, 'Eve')\n",
      )
    }
    expect(await has(target, 'posts')).toBe(false)
    await target.repair([edited, posts], '0001_users', 'edited')
    const report = await target.migrate([edited, posts])
    expect(report.applied.map(({ name }) => name)).toEqual(['0002_posts'])
  })

  test('refuses a history that has what is not among the migrations', async () => {
    const target = await kind.open()
    await target.migrate([users, posts])
    const error = await rejection(target.migrate([users, tags]))
    expect(error).toMatchObject({ code: 'MIGRATION_MISSING', migrations: ['0002_posts'] })
    expect(error.message).toBe(
      'The database has had "0002_posts", which is not among the migrations. Bring back what was deleted or renamed, or ' +
        'deploy the version that has it; to have the history forget one: ' +
        "repairMigration(db, { migrations, name: '0002_posts', as: 'undone' }).",
    )
    expect(await has(target, 'tags')).toBe(false)
    await target.repair([users, tags], '0002_posts', 'undone')
    expect((await target.migrate([users, tags])).applied.map(({ name }) => name)).toEqual([
      '0003_tags',
    ])
  })

  test('refuses what comes before something that has been applied, unless it is allowed', async () => {
    const target = await kind.open()
    await target.migrate([users, tags])
    const error = await rejection(target.migrate([users, posts, tags]))
    expect(error).toMatchObject({ code: 'MIGRATION_OUT_OF_ORDER', migrations: ['0002_posts'] })
    expect(error.message).toMatch(
      /^"0002_posts" comes before "0003_tags", which has been applied already/,
    )
    expect(await has(target, 'posts')).toBe(false)
    const report = await target.migrate([users, posts, tags], { allowOutOfOrder: true })
    expect(report.applied.map(({ name }) => name)).toEqual(['0002_posts'])
  })

  test('marks what failed without a transaction, and refuses everything until it is repaired', async () => {
    const target = await kind.open()
    const loose: TextMigration = { ...broken, transaction: false }
    const failed = await rejection(target.migrate([users, loose, tags]))
    expect(failed).toMatchObject({ code: 'MIGRATION_FAILED', isRolledBack: false })
    expect(failed.message).toContain(
      "Complete it or undo it by hand, then repairMigration(db, { migrations, name: '0002_broken', as: 'done' })",
    )
    expect(await count(target, 'half')).toBe(1)
    const error = await rejection(target.migrate([users, loose, tags]))
    expect(error).toMatchObject({ code: 'MIGRATION_DIRTY', migrations: ['0002_broken'] })
    expect(error.message).toMatch(
      new RegExp(
        `^Migration "0002_broken" was being applied without a transaction by process ${process.pid}@`,
      ),
    )
    await target.exec('drop table half')
    await target.repair([users, loose, tags], '0002_broken', 'undone')
    const mended: TextMigration = { ...loose, up: loose.up.slice(0, 2) }
    const report = await target.migrate([users, mended, tags])
    expect(report.applied.map(({ name, transaction }) => [name, transaction])).toEqual([
      ['0002_broken', false],
      ['0003_tags', true],
    ])
    expect([await count(target, 'half'), await history(kind, target)]).toEqual([1, 3])
  })

  test('takes a migration for applied when it is repaired as done', async () => {
    const target = await kind.open()
    await target.repair([users], '0001_users', 'done')
    const report = await target.migrate([users])
    expect([report.applied, report.skipped]).toEqual([[], ['0001_users']])
    expect(await has(target, 'users')).toBe(false)
    const error = await rejection(target.repair([users], '0009', 'done'))
    expect(error.message).toBe(
      'repairMigration() cannot repair "0009": it is not among the migrations. Nothing was changed.',
    )
  })

  test('migrates once when several ask at the same time, in one process', async () => {
    const target = await kind.open()
    const other = await kind.open(target.place)
    const grow = { name: '0002_grow', up: ["update users set name = name || '!'"] }
    const reports = await Promise.all([
      target.migrate([users, grow]),
      target.migrate([users, grow]),
      other.migrate([users, grow]),
    ])
    expect(reports.flatMap(({ applied }) => applied.map(({ name }) => name))).toEqual([
      '0001_users',
      '0002_grow',
    ])
    expect(await target.rows('select name from users')).toEqual([{ name: 'Ada!' }])
  })

  test('backs up before it migrates, into a file that does not exist, or says what else does', async () => {
    const target = await kind.open()
    await target.migrate([users])
    const path = join(temporaryDirectory(), 'backup.db')
    if (kind.engine === 'postgresql') {
      const error = await rejection(target.migrate([users, posts], { backup: path }))
      expect(error).toMatchObject({ code: 'BACKUP' })
      expect(error.message).toContain('Run pg_dump before')
      expect(await has(target, 'posts')).toBe(false)
      return
    }
    const unneeded = await target.migrate([users], { backup: path })
    expect([unneeded.backup, existsSync(path)]).toEqual([undefined, false])
    const { backup } = await target.migrate([users, posts], { backup: path })
    expect(backup).toMatchObject({ path, bytes: expect.any(Number) })
    const restored = await kind.open(path)
    expect([await count(restored, 'users'), await has(restored, 'posts')]).toEqual([1, false])
    expect((await restored.migrate([users, posts])).applied.length).toBe(1)
    const error = await rejection(target.migrate([users, posts, tags], { backup: path }))
    expect(error.message).toContain('there is a file already')
    expect(await has(target, 'tags')).toBe(false)
  })

  test('tells its progress, and is not disturbed by who listens', async () => {
    const target = await kind.open()
    const seen: string[] = []
    await target.migrate([users], {
      onProgress(event) {
        seen.push(event.kind)
      },
    })
    expect(seen).toEqual(['started', 'finished'])
  })

  test('refuses options that it does not have', async () => {
    const target = await kind.open()
    const error = await rejection(target.migrate([users], { dryrun: true } as never))
    expect(error.message).toBe('migrateSafely() has no option `dryrun`. Did you mean `dryRun`?')
    const both = await rejection(target.migrate([users], { down: 'last', to: '0001_users' }))
    expect(both).toMatchObject({ code: 'INVALID_OPTION', option: 'to' })
  })
})

describe.for(kinds.filter(({ orm }) => orm === 'kysely'))('undoing ($name)', (kind) => {
  test('undoes only when it is asked to, the last first', async () => {
    const target = await kind.open()
    await target.migrate([users, posts, tags])
    const last = await target.migrate([users, posts, tags], { down: 'last' })
    expect([last.undone.map(({ name }) => name), last.applied]).toEqual([['0003_tags'], []])
    expect([await has(target, 'tags'), await has(target, 'posts')]).toEqual([false, true])
    const planned = await target.migrate([users, posts, tags], { down: 'all', dryRun: true })
    expect(planned.plan?.map(({ statements }) => statements)).toEqual([
      ['drop table posts'],
      ['drop table users'],
    ])
    const rest = await target.migrate([users, posts, tags], { down: { to: '0001_users' } })
    expect(rest.undone.map(({ name }) => name)).toEqual(['0002_posts'])
    expect(await history(kind, target)).toBe(1)
    expect((await target.migrate([users, posts, tags])).applied.length).toBe(2)
  })

  test('refuses to undo what has no down, before anything is undone', async () => {
    const target = await kind.open()
    const oneWay = { name: posts.name, up: posts.up }
    await target.migrate([users, oneWay, tags])
    const error = await rejection(target.migrate([users, oneWay, tags], { down: 'all' }))
    expect(error).toMatchObject({ code: 'MIGRATION_NO_DOWN', migrations: ['0002_posts'] })
    expect(await has(target, 'tags')).toBe(true)
  })
})
