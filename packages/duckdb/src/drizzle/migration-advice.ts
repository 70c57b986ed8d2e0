/** What DuckDB has instead of something that `drizzle-kit generate --dialect postgresql` writes. */
export interface MigrationAdvice {
  readonly reason: string
  readonly instead: string
}

/**
 * Tells why DuckDB cannot run a statement that it has refused, where that is one of the ways in which it differs from
 * PostgreSQL. Only the message depends on it: no statement is changed.
 */
export function adviceFor(statement: string): MigrationAdvice | undefined {
  // What stands in a string is no part of the language.
  const text = statement.replaceAll(/'(?:[^']|'')*'/g, "''")
  return differences.find(({ pattern }) => pattern.test(text))
}

const sequence =
  'Create a sequence before the table, `CREATE SEQUENCE "users_id";`, and declare the column ' +
  '`"id" integer PRIMARY KEY DEFAULT nextval(\'users_id\')`.'

/** The first that matches; those of a whole statement stand before those of a part of it. */
const differences: readonly (MigrationAdvice & { readonly pattern: RegExp })[] = [
  {
    pattern: /\badd\s+constraint\b[^]*\bforeign\s+key\b/i,
    reason: 'DuckDB adds no foreign key to a table that exists.',
    instead:
      'Put it into the CREATE TABLE of the referencing table, behind that of the table it refers to: ' +
      '`FOREIGN KEY ("author_id") REFERENCES "users" ("id")`, without ON DELETE and ON UPDATE.',
  },
  {
    pattern: /\badd\s+constraint\b[^]*\bunique\b/i,
    reason: 'DuckDB adds no unique constraint to a table that exists.',
    instead: 'Write `CREATE UNIQUE INDEX "users_email_unique" ON "users" ("email");`.',
  },
  {
    pattern: /\badd\s+constraint\b/i,
    reason: 'Of all constraints DuckDB adds a primary key alone to a table that exists.',
    instead: 'Put it into the CREATE TABLE.',
  },
  {
    pattern: /^\s*create\s+(unique\s+)?index\b[^]*\bwhere\b/i,
    reason: 'DuckDB has no partial indexes.',
    instead: 'Leave out the WHERE, or the index.',
  },
  {
    pattern: /^\s*create\s+(unique\s+)?index\b[^]*\busing\b/i,
    reason: 'DuckDB has one kind of index, which goes by another name than those of PostgreSQL.',
    instead: 'Leave out the USING: `CREATE INDEX "posts_author" ON "posts" ("author_id");`.',
  },
  {
    pattern: /\badd\s+column\b[^]*\b(not\s+null|primary\s+key|unique|references|check)\b/i,
    reason: 'DuckDB adds columns without constraints.',
    instead:
      'Add the column with its DEFAULT alone, then write `ALTER TABLE "users" ALTER COLUMN "age" SET NOT NULL;`.',
  },
  {
    pattern: /\balter\s+type\b/i,
    reason: 'DuckDB changes no enum that exists.',
    instead:
      'Create one of another name, and write `ALTER TABLE "users" ALTER COLUMN "mood" SET DATA TYPE "mood_2";`.',
  },
  {
    pattern: /\bmaterialized\s+view\b/i,
    reason: 'DuckDB has no materialized views.',
    instead: 'Write CREATE VIEW, or CREATE TABLE ... AS.',
  },
  {
    pattern: /\b(row\s+level\s+security|create\s+policy|alter\s+policy|drop\s+policy|role)\b/i,
    reason: 'DuckDB has no roles, and no policies for them.',
    instead: 'Delete the statement.',
  },
  {
    pattern: /\bcreate\s+sequence\b[^]*\bcache\b/i,
    reason: 'DuckDB knows no CACHE of a sequence.',
    instead: 'Leave it out.',
  },
  {
    pattern: /\b(small|big)?serial\b/i,
    reason: 'DuckDB has no serial types.',
    instead: sequence,
  },
  {
    pattern: /\bgenerated\s+(always|by\s+default)\s+as\s+identity\b/i,
    reason: 'DuckDB has no identity columns.',
    instead: sequence,
  },
  {
    pattern: /\bgenerated\s+always\s+as\b[^]*\bstored\b/i,
    reason: 'DuckDB computes generated columns when they are read, and stores none.',
    instead: 'Leave out STORED.',
  },
  {
    pattern: /\bjsonb\b/i,
    reason: 'DuckDB has no type jsonb.',
    instead:
      'Write json. Or keep what drizzle-kit writes, and let a migration before it begin with `CREATE TYPE jsonb AS json;`.',
  },
  {
    pattern: /\bon\s+(delete|update)\s+(cascade|set\s+null|set\s+default)\b/i,
    reason: 'A foreign key of DuckDB does nothing but refuse.',
    instead: 'Leave out ON DELETE and ON UPDATE.',
  },
  {
    pattern: /"public"\./,
    reason: 'DuckDB has no schema "public"; its own is called main.',
    instead: 'Leave out `"public".`.',
  },
]
