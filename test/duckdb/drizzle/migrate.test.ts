import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeError } from '@keelson/core'
import { drizzle, migrate, type KeelsonDuckDBDatabase } from '@keelson/duckdb/drizzle'
import { sql } from 'drizzle-orm'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeAfterTest, rejection, temporaryFile } from './fixture.ts'

const breakpoint = '--> statement-breakpoint\n'

/** As drizzle-kit writes it for PostgreSQL, where DuckDB can run that. */
const create = [
  'CREATE TABLE "users" (\n\t"id" integer PRIMARY KEY NOT NULL,\n\t"name" varchar(256) NOT NULL,\n\t"email" text,\n\t"created_at" timestamp with time zone DEFAULT now() NOT NULL,\n\t"balance" numeric(10, 2) DEFAULT \'0\' NOT NULL,\n\t"tags" text[],\n\tCONSTRAINT "users_email_unique" UNIQUE("email"),\n\tCONSTRAINT "balance_check" CHECK ("users"."balance" >= 0)\n);\n',
  'CREATE TABLE "posts" (\n\t"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,\n\t"user_id" integer,\n\t"meta" json\n);\n',
  'CREATE VIEW "names" AS (select "name" from "users");',
].join(breakpoint)

const change = [
  'ALTER TABLE "posts" ADD COLUMN "title" text;',
  'ALTER TABLE "posts" ALTER COLUMN "title" SET DEFAULT \'untitled\';',
  'ALTER TABLE "posts" RENAME COLUMN "title" TO "headline";',
  'ALTER TABLE "posts" DROP COLUMN "meta";',
  'CREATE SCHEMA "archive";\n',
  'CREATE TABLE "archive"."old" (\n\t"id" bigint\n);\n',
  'CREATE SEQUENCE "numbers" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1;',
].join(breakpoint)

/** A folder as `drizzle-kit generate` leaves it. */
function migrationsFolder(...migrations: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'meta'))
  const entries = migrations.map((statements, idx) => {
    const tag = `000${idx}_migration`
    writeFileSync(join(folder, `${tag}.sql`), statements)
    return { idx, version: '7', when: 1_700_000_000_000 + idx, tag, breakpoints: true }
  })
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  )
  return folder
}

function open(
  path: string = ':memory:',
  logger?: { logQuery(query: string): void },
): KeelsonDuckDBDatabase {
  const db = drizzle({ connection: path, ...(logger && { logger }) })
  closeAfterTest(db)
  return db
}

async function rows(db: Pick<KeelsonDuckDBDatabase, 'execute'>, query: string): Promise<unknown[]> {
  return (await db.execute(sql.raw(query))).rows
}

async function tables(db: KeelsonDuckDBDatabase): Promise<unknown[]> {
  const found = await rows(
    db,
    "select schema_name || '.' || table_name as name from duckdb_tables() order by name",
  )
  return (found as { name: string }[]).map(({ name }) => name)
}

describe.for([
  ['a file', (): string => temporaryFile()],
  ['memory', (): string => ':memory:'],
] as const)('on %s, migrate()', ([, path]) => {
  test('runs what drizzle-kit has written for PostgreSQL, where DuckDB can', async () => {
    const db = open(path())
    await migrate(db, { migrationsFolder: migrationsFolder(create) })
    await db.execute(sql`insert into users (id, name) values (1, 'Ada')`)
    expect(await rows(db, 'select name from names')).toEqual([{ name: 'Ada' }])
    await migrate(db, { migrationsFolder: migrationsFolder(create, change) })
    await db.execute(sql`insert into posts (user_id) values (1)`)
    expect(await rows(db, 'select headline from posts')).toEqual([{ headline: 'untitled' }])
    expect(await rows(db, "select nextval('numbers') as n")).toEqual([{ n: 1 }])
    expect(await tables(db)).toEqual([
      'archive.old',
      'drizzle.__drizzle_migrations',
      'main.posts',
      'main.users',
    ])
  })

  test('applies each migration once, in order, and keeps the record of Drizzle', async () => {
    const db = open(path())
    const folder = migrationsFolder(
      create,
      change,
      "insert into users (id, name) values (7, 'Grace')",
    )
    await migrate(db, { migrationsFolder: folder })
    await migrate(db, { migrationsFolder: folder })
    expect(await rows(db, 'select id, name from users')).toEqual([{ id: 7, name: 'Grace' }])
    expect(
      await rows(
        db,
        'select id, length(hash) as hash, created_at from drizzle.__drizzle_migrations order by id',
      ),
    ).toEqual(
      [0, 1, 2].map((index) => ({
        id: index + 1,
        hash: 64,
        created_at: 1_700_000_000_000 + index,
      })),
    )
    // Drizzle's migrator leaves a sequence for the ids behind.
    expect(
      await rows(db, "select sequence_name from duckdb_sequences() where schema_name = 'drizzle'"),
    ).toEqual([])
  })

  test('leaves nothing of any migration when one fails, and runs it once it is repaired', async () => {
    const db = open(path())
    await migrate(db, { migrationsFolder: migrationsFolder(create) })
    const broken = `CREATE TABLE half (id integer);${breakpoint}INSERT INTO nowhere VALUES (1);`
    const error = await rejection(
      migrate(db, { migrationsFolder: migrationsFolder(create, change, broken) }),
    )
    expect(error).toMatchObject({
      name: 'MigrationError',
      code: 'MIGRATION_FAILED',
      migration: '0002_migration',
      statement: expect.stringContaining('INSERT INTO nowhere VALUES (1);'),
      instead: undefined,
    })
    expect(error.message).toMatch(
      /^Migration 0002_migration fails at `INSERT INTO nowhere VALUES \(1\);`: .*nowhere does not exist! .*Edit 0002_migration\.sql; nothing was applied\.$/,
    )
    expect(error.cause).toBeInstanceOf(Error)
    expect(describeError(error)).toMatchObject({ engine: 'duckdb', category: 'missingObject' })
    expect(await tables(db)).toEqual(['drizzle.__drizzle_migrations', 'main.posts', 'main.users'])
    expect(await rows(db, 'select id from drizzle.__drizzle_migrations')).toEqual([{ id: 1 }])

    await migrate(db, {
      migrationsFolder: migrationsFolder(create, change, 'CREATE TABLE half (id integer);'),
    })
    expect(await tables(db)).toContain('main.half')
  })

  test('runs each migration once when two start at once', async () => {
    const db = open(path())
    await db.execute(sql`create table log (id integer)`)
    const folder = migrationsFolder(
      'insert into log values (1)',
      'insert into log values (2)',
      'CREATE TABLE third (id integer)',
    )
    await Promise.all([1, 2, 3].map(() => migrate(db, { migrationsFolder: folder })))
    expect(await rows(db, 'select id from log order by id')).toEqual([{ id: 1 }, { id: 2 }])
    expect(await rows(db, 'select count(*) as n from drizzle.__drizzle_migrations')).toEqual([
      { n: 3 },
    ])
  })
})

test('of two databases of one file that migrate at once each migration is applied once', async () => {
  const path = temporaryFile()
  const [one, other] = [open(path), open(path)]
  await one.execute(sql`create table log (id integer)`)
  const folder = migrationsFolder('insert into log values (1)', 'insert into log values (2)')
  await Promise.all([one, other, one, other].map((db) => migrate(db, { migrationsFolder: folder })))
  expect(await rows(other, 'select id from log order by id')).toEqual([{ id: 1 }, { id: 2 }])
})

test('a migration that fails lets the one that waited for it begin', async () => {
  const db = open()
  const outcomes = await Promise.allSettled([
    migrate(db, { migrationsFolder: migrationsFolder('selct 1') }),
    migrate(db, { migrationsFolder: migrationsFolder('CREATE TABLE a (id integer)') }),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(await tables(db)).toEqual(['drizzle.__drizzle_migrations', 'main.a'])
})

test('a first migration that fails leaves not even the table of migrations', async () => {
  const db = open()
  await rejection(
    migrate(db, { migrationsFolder: migrationsFolder('CREATE TABLE a (id integer', create) }),
  )
  expect(await tables(db)).toEqual([])
  expect(await rows(db, "select 1 from duckdb_schemas() where schema_name = 'drizzle'")).toEqual([])
})

test('keeps its record in the table and schema it is told, whatever their names', async () => {
  const db = open()
  const options = {
    migrationsFolder: migrationsFolder(create),
    migrationsTable: 'my "migrations"',
    migrationsSchema: 'the schema',
  }
  await migrate(db, options)
  await migrate(db, options)
  expect(await tables(db)).toEqual(['main.posts', 'main.users', 'the schema.my "migrations"'])
  expect(await rows(db, 'select count(*) as n from "the schema"."my ""migrations"""')).toEqual([
    { n: 1 },
  ])
  await migrate(db, {
    migrationsFolder: options.migrationsFolder.slice(),
    migrationsSchema: 'main',
  }).catch(() => {})
})

test('skips a custom migration that has not been written yet, and the end of a file behind its last breakpoint', async () => {
  const db = open()
  const empty = '-- Custom SQL migration file, put your code below! --'
  await migrate(db, {
    migrationsFolder: migrationsFolder(empty, `CREATE TABLE a (id integer);${breakpoint}\n;\n`),
  })
  expect(await tables(db)).toEqual(['drizzle.__drizzle_migrations', 'main.a'])
  expect(await rows(db, 'select count(*) as n from drizzle.__drizzle_migrations')).toEqual([
    { n: 2 },
  ])
})

test('says which statements stand without a breakpoint between them', async () => {
  const db = open()
  const error = await rejection(
    migrate(db, {
      migrationsFolder: migrationsFolder(
        'CREATE TABLE a (id integer); CREATE TABLE b (id integer);',
      ),
    }),
  )
  expect(error).toMatchObject({ code: 'MIGRATION_FAILED', cause: { code: 'MULTIPLE_STATEMENTS' } })
  expect(error.message).toContain('statement-breakpoint')
})

/** As drizzle-kit writes them for PostgreSQL; each needs the table `users` with a column `name`. */
const different: readonly [what: string, statement: string, reason: string, instead: string][] = [
  [
    'a foreign key',
    'ALTER TABLE "posts" ADD CONSTRAINT "posts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;',
    'adds no foreign key to a table that exists',
    'Put it into the CREATE TABLE of the referencing table',
  ],
  [
    'an index',
    'CREATE INDEX "name_idx" ON "users" USING btree ("name");',
    'has one kind of index',
    'Leave out the USING: `CREATE INDEX "posts_author" ON "posts" ("author_id");`.',
  ],
  [
    'a unique index',
    'CREATE UNIQUE INDEX "name_idx" ON "users" USING btree (lower("name"));',
    'has one kind of index',
    'Leave out the USING',
  ],
  [
    'a partial index',
    'CREATE INDEX "name_idx" ON "users" ("name") WHERE "users"."id" > 0;',
    'has no partial indexes',
    'Leave out the WHERE',
  ],
  [
    'a serial column',
    'CREATE TABLE "a" (\n\t"id" serial PRIMARY KEY NOT NULL\n);',
    'has no serial types',
    "DEFAULT nextval('users_id')",
  ],
  [
    'an identity column',
    'CREATE TABLE "a" (\n\t"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "a_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1)\n);',
    'has no identity columns',
    "DEFAULT nextval('users_id')",
  ],
  [
    'a jsonb column',
    'CREATE TABLE "a" (\n\t"meta" jsonb DEFAULT \'{}\'::jsonb\n);',
    'has no type jsonb',
    'Write json. Or keep what drizzle-kit writes, and let a migration before it begin with `CREATE TYPE jsonb AS json;`.',
  ],
  [
    'an enum',
    `CREATE TYPE "public"."mood" AS ENUM('sad', 'ok', 'happy');`,
    'has no schema "public"',
    'Leave out `"public".`.',
  ],
  [
    'a value of an enum',
    `ALTER TYPE "public"."mood" ADD VALUE 'glad';`,
    'changes no enum that exists',
    'Create one of another name',
  ],
  [
    'a unique constraint',
    'ALTER TABLE "users" ADD CONSTRAINT "users_name_unique" UNIQUE("name");',
    'adds no unique constraint',
    'CREATE UNIQUE INDEX',
  ],
  [
    'a check',
    'ALTER TABLE "users" ADD CONSTRAINT "name_check" CHECK ("users"."name" <> \'\');',
    'adds a primary key alone',
    'Put it into the CREATE TABLE',
  ],
  [
    'a column that must not be null',
    'ALTER TABLE "users" ADD COLUMN "age" integer DEFAULT 0 NOT NULL;',
    'adds columns without constraints',
    'ALTER COLUMN "age" SET NOT NULL',
  ],
  [
    'an action of a foreign key',
    'CREATE TABLE "a" (\n\t"id" integer REFERENCES "users" ("id") ON DELETE cascade\n);',
    'does nothing but refuse',
    'Leave out ON DELETE',
  ],
  [
    'a materialized view',
    'CREATE MATERIALIZED VIEW "v" AS (select 1 as one);',
    'has no materialized views',
    'Write CREATE VIEW',
  ],
  [
    'row level security',
    'ALTER TABLE "users" ENABLE ROW LEVEL SECURITY;',
    'has no roles',
    'Delete the statement',
  ],
  [
    'the cache of a sequence',
    'CREATE SEQUENCE "s" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;',
    'knows no CACHE',
    'Leave it out',
  ],
  [
    'a stored column',
    'CREATE TABLE "a" (\n\t"x" integer,\n\t"y" integer GENERATED ALWAYS AS ("x" + 1) STORED\n);',
    'stores none',
    'Leave out STORED',
  ],
]

describe('what DuckDB lacks of PostgreSQL is refused with what to write instead', () => {
  test.for(different)('%s', async ([, statement, reason, instead]) => {
    const db = open()
    const before = 'CREATE TABLE "users" (\n\t"id" integer PRIMARY KEY NOT NULL,\n\t"name" text\n);'
    const error = await rejection(
      migrate(db, { migrationsFolder: migrationsFolder(before, statement) }),
    )
    expect(error).toMatchObject({
      code: 'MIGRATION_FAILED',
      migration: '0001_migration',
      statement,
    })
    expect(error.message).toContain(reason)
    expect(error.message).toContain(instead)
    expect(error.cause).toBeInstanceOf(Error)
    expect(describeError(error).engine).toBe('duckdb')
    expect(await tables(db)).toEqual([])
  })

  test('and works as the advice says', async () => {
    const db = open()
    await migrate(db, {
      migrationsFolder: migrationsFolder(
        [
          'CREATE TYPE jsonb AS json;',
          `CREATE TYPE "mood" AS ENUM('sad', 'ok');`,
          'CREATE SEQUENCE "users_id";',
          `CREATE TABLE "users" ("id" integer PRIMARY KEY DEFAULT nextval('users_id') NOT NULL, "meta" jsonb DEFAULT '{}'::jsonb, "mood" "mood");`,
          'CREATE TABLE "posts" ("id" integer, "user_id" integer, FOREIGN KEY ("user_id") REFERENCES "users" ("id"));',
          'CREATE INDEX "posts_user" ON "posts" ("user_id");',
          'CREATE UNIQUE INDEX "posts_id" ON "posts" ("id");',
        ].join(breakpoint),
        [
          'CREATE TABLE "ages" ("id" integer);',
          'ALTER TABLE "ages" ADD COLUMN "age" integer DEFAULT 0;',
          'ALTER TABLE "ages" ALTER COLUMN "age" SET NOT NULL;',
          `CREATE TYPE "mood_2" AS ENUM('sad', 'ok', 'happy');`,
          'CREATE TABLE "moods" ("mood" "mood");',
          'ALTER TABLE "moods" ALTER COLUMN "mood" SET DATA TYPE "mood_2";',
        ].join(breakpoint),
      ),
    })
    await db.execute(sql`insert into users (mood) values ('ok')`)
    expect(await rows(db, 'select * from users')).toEqual([{ id: 1, meta: {}, mood: 'ok' }])
    await rejection(db.execute(sql`insert into posts values (1, 9)`))
  })

  test('but a word in a string is no reason', async () => {
    const db = open()
    const error = await rejection(
      migrate(db, {
        migrationsFolder: migrationsFolder(
          `insert into nowhere values ('USING serial jsonb "public".')`,
        ),
      }),
    )
    expect(error).toMatchObject({ instead: undefined })
    expect(error.message).toContain('nowhere does not exist')
  })
})

test('tells the logger of its statements, and publishes one transaction', async () => {
  const log: string[] = []
  const db = open(':memory:', { logQuery: (query) => void log.push(query) })
  await migrate(db, { migrationsFolder: migrationsFolder(create) })
  expect(log.filter((query) => query.trim().startsWith('CREATE TABLE "'))).toHaveLength(2)
  expect(log[0]).toBe('create schema if not exists "drizzle"')
})

test('refuses what it cannot use before it touches the database', async () => {
  const db = open()
  const folder = migrationsFolder(create)
  const run = (options: object, target: unknown = db): Promise<Error> =>
    rejection(migrate(target as never, options as never))
  expect((await run({ migrationsFolder: folder, migrationTable: 'x' })).message).toContain(
    'Did you mean `migrationsTable`?',
  )
  expect((await run({})).message).toContain('cannot use undefined as `migrationsFolder`')
  expect((await run({ migrationsFolder: folder, migrationsTable: '' })).message).toContain(
    'is empty',
  )
  expect((await run({ migrationsFolder: folder, migrationsSchema: '' })).message).toContain(
    'is empty',
  )
  expect((await run({ migrationsFolder: join(folder, 'nowhere') })).message).toContain(
    "Can't find meta/_journal.json",
  )
  expect((await run({ migrationsFolder: folder }, nodePostgresDrizzle.mock())).message).toContain(
    'as `db`',
  )
  expect((await run({ migrationsFolder: folder }, drizzle.mock())).message).toContain('as `db`')
  await db.transaction(async (tx) =>
    expect((await run({ migrationsFolder: folder }, tx)).message).toContain('as `db`'),
  )
  expect(await tables(db)).toEqual([])
})
