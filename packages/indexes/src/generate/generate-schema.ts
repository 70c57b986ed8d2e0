import { checkOptionNames, type EngineName, engineTraits, invalidOption } from '@keelson/core'
import type { Refusal } from '../ir/refusal.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { checkTables } from '../names/check-tables.ts'
import { checkName, foreignKeyName } from '../names/constraint-name.ts'
import { indexName } from '../names/index-name.ts'
import { resolveIndexes } from '../rules/resolve-indexes.ts'
import { drizzleSchemaCode } from './schema-for-drizzle.ts'
import { kyselyMigrationCode } from './migration-for-kysely.ts'
import { kyselyTypesCode } from './types-for-kysely.ts'
import { schemaSql } from './schema-sql.ts'
import { tableKey } from '../ir/table-key.ts'
import { inOrderOfReference } from '../ir/table-order.ts'

/** What `generateSchema()` can write. */
export type Emit = 'sql' | 'kysely-migration' | 'drizzle' | 'kysely-types'

export interface GenerateOptions {
  readonly dialect: EngineName
  /** In any order; each is a file. */
  readonly emit: readonly Emit[]
  /** Name of the migration, which Kysely runs in the order of names. @default '0001_create_tables' */
  readonly migrationName?: string
  /**
   * Create the indexes in a migration of its own with CREATE INDEX CONCURRENTLY, which lets others write meanwhile and cannot
   * be done in a transaction. PostgreSQL. @default false
   */
  readonly concurrently?: boolean
}

export interface GeneratedFile {
  /** Relative, with `/`: `migrations/0001_create_tables.ts`. */
  readonly path: string
  readonly text: string
}

export interface GeneratedSchema {
  readonly files: readonly GeneratedFile[]
  /** Indexes that the engine does not get, with the reason. */
  readonly refused: readonly Refusal[]
}

/**
 * Writes tables as code. The text is the same for the same tables, whatever the order in which they are given; tables come after
 * those that they refer to.
 *
 * | emit | file | for |
 * | --- | --- | --- |
 * | `sql` | `schema.sql` | the engine's own client |
 * | `kysely-migration` | `migrations/<migrationName>.ts` | Kysely's `Migrator` |
 * | `drizzle` | `schema.ts` | `drizzle(..., { schema })`; on DuckDB that of `@keelson/duckdb/drizzle` |
 * | `kysely-types` | `database.ts` | `new Kysely<Database>(...)` |
 *
 * @throws {OptionError} for an option that is not there
 * @throws {DefinitionError} {NameCollisionError} {IdentifierError} for tables that mean nothing on the engine
 * @throws {UnsupportedByEngineError} for what the engine does not have, but for indexes
 *
 * @example
 * const { files, refused } = generateSchema([users], { dialect: 'sqlite', emit: ['sql', 'drizzle'] })
 */
export function generateSchema(
  tables: readonly TableDefinition[],
  options: GenerateOptions,
): GeneratedSchema {
  const { dialect, emit, migrationName, concurrently } = checked(options)
  const refused: Refusal[] = []
  const ordered = inOrderOfReference(tables.toSorted(byKey))
  // Of two with one name it has only one; this says which.
  if (ordered.length < tables.length)
    checkTables(
      tables.map((table) => ({ ...table, indexes: [] })),
      dialect,
    )
  const resolved = ordered.map((table): TableDefinition => {
    const { indexes, refused: ofTable } = resolveIndexes(table, dialect)
    refused.push(...ofTable)
    return withNames({ ...table, indexes }, dialect)
  })
  checkTables(resolved, dialect)
  const printers: Readonly<Record<Emit, () => readonly GeneratedFile[]>> = {
    sql: () => [{ path: 'schema.sql', text: schemaSql(resolved, dialect, concurrently) }],
    'kysely-migration': () => kyselyMigrationCode(resolved, dialect, migrationName, concurrently),
    drizzle: () => [{ path: 'schema.ts', text: drizzleSchemaCode(resolved, dialect) }],
    'kysely-types': () => [{ path: 'database.ts', text: kyselyTypesCode(resolved, dialect) }],
  }
  return {
    files: emits.filter((name) => emit.includes(name)).flatMap((name) => printers[name]()),
    refused,
  }
}

/** Each name is a hash, which every printer asks for again. */
function withNames(table: TableDefinition, engine: EngineName): TableDefinition {
  return {
    ...table,
    indexes: table.indexes.map((index) => ({ ...index, name: indexName(table, index, engine) })),
    checks: table.checks.map((check) => ({ ...check, name: checkName(table, check, engine) })),
    foreignKeys: table.foreignKeys.map((key) => ({ ...key, name: foreignKeyName(table, key) })),
  }
}

const emits: readonly Emit[] = ['sql', 'kysely-migration', 'drizzle', 'kysely-types']

function checked(options: GenerateOptions): Required<GenerateOptions> {
  const where = 'generateSchema()'
  checkOptionNames(where, options, ['dialect', 'emit', 'migrationName', 'concurrently'])
  const { dialect, emit, migrationName = '0001_create_tables', concurrently = false } = options
  if (!Object.hasOwn(engineTraits, dialect)) {
    const known = Object.keys(engineTraits).map((name) => `'${name}'`)
    invalidOption(where, 'dialect', dialect, known.join(' | '))
  }
  if (!Array.isArray(emit) || emit.length === 0)
    invalidOption(where, 'emit', emit, `an array of ${emits.join(', ')}`)
  for (const name of emit) {
    if (!emits.includes(name)) invalidOption(where, 'emit', name, emits.join(', '))
  }
  if (!/^\w[\w.-]*$/.test(migrationName))
    invalidOption(where, 'migrationName', migrationName, 'letters, digits, -, _ and .')
  if (concurrently && dialect !== 'postgresql')
    invalidOption(where, 'concurrently', concurrently, 'false, since only PostgreSQL has it')
  return { dialect, emit, migrationName, concurrently }
}

function byKey(a: TableDefinition, b: TableDefinition): number {
  return tableKey(a) < tableKey(b) ? -1 : 1
}
