import { type EngineName, quoteIdentifier } from '@keelson/core'
import { DefinitionError, UnsupportedByEngineError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { sequenceName, typeCheckName } from '../names/constraint-name.ts'
import { checkType } from './check-type.ts'
import { defaultSql } from './default.ts'
import { dialects } from './dialects.ts'
import { textSql } from './literal.ts'
import { checkNativeType } from './native-type.ts'
import { tableNameSql } from './table-name.ts'

/** The type of a column on an engine: the portable one's, or what the column has in place of it. */
export function columnTypeSql(column: ColumnDefinition, engine: EngineName): string {
  const native = column.override?.[engine]
  if (native !== undefined) return checkNativeType(native, column.name, engine)
  checkType(column)
  return dialects[engine].typeSql(column.type)
}

/**
 * A column as it stands in CREATE TABLE and in ALTER TABLE ADD COLUMN: its name, type, DEFAULT and NOT NULL, and the
 * CHECK of its type where the engine's type does not say all of it.
 *
 * @throws {UnsupportedByEngineError} for a generated or numbered column that the engine does not have
 */
export function columnSql(
  column: ColumnDefinition,
  table: TableDefinition,
  engine: EngineName,
): string {
  const dialect = dialects[engine]
  const isKey = table.primaryKey.includes(column.name)
  const words = [quoteIdentifier(column.name, engine), columnTypeSql(column, engine)]
  if (column.generated !== undefined) {
    const { sql, stored } = column.generated
    checkGenerated(column, table, engine)
    words.push(`generated always as (${sql}) ${stored ? 'stored' : 'virtual'}`)
    if (!dialect.generated.constrained) return words.join(' ')
  }
  if (column.identity === true) words.push(identitySql(column, table, engine))
  else if (column.default !== undefined) {
    const value = defaultSql(column, engine)
    if (value !== undefined) words.push(`default ${value}`)
  }
  if (!(column.nullable && !isKey)) words.push('not null')
  const check = typeCheckSql(column, engine)
  if (check !== undefined) words.push(check)
  return words.filter((word) => word !== '').join(' ')
}

/** The constraint that says what the engine's type does not of the column's. */
export function typeCheckSql(column: ColumnDefinition, engine: EngineName): string | undefined {
  if (column.override?.[engine] !== undefined) return undefined
  const dialect = dialects[engine]
  const condition = dialect.typeCheck(column.name, column.type)
  if (condition === undefined) return undefined
  const name = typeCheckName(column, engine)
  const named = dialect.constraintNames && name !== undefined
  return `${named ? `constraint ${quoteIdentifier(name, engine)} ` : ''}check (${condition})`
}

function checkGenerated(
  column: ColumnDefinition,
  table: TableDefinition,
  engine: EngineName,
): void {
  const { generated } = dialects[engine]
  const stored = column.generated?.stored === true
  if (column.default !== undefined || column.identity === true) {
    throw new DefinitionError(
      `Column ${JSON.stringify(column.name)} of ${JSON.stringify(table.name)} is generated and has a DEFAULT or is numbered. ` +
        'Only one of them can say what its value is.',
    )
  }
  if (stored ? generated.stored : generated.virtual) return
  throw new UnsupportedByEngineError(
    engine,
    `Cannot create column ${JSON.stringify(column.name)} of ${JSON.stringify(table.name)} on ${engine}: ` +
      `it has no generated columns that are ${stored ? 'stored' : 'computed on every read'}. ` +
      `Set \`generated.stored\` to ${String(!stored)} there.`,
  )
}

function identitySql(column: ColumnDefinition, table: TableDefinition, engine: EngineName): string {
  const dialect = dialects[engine]
  const where = `${JSON.stringify(column.name)} of ${JSON.stringify(table.name)}`
  if (column.default !== undefined) {
    throw new DefinitionError(
      `Column ${where} is numbered and has a DEFAULT. Leave out one of them.`,
    )
  }
  if (!['int32', 'integer', 'bigint'].includes(column.type.kind)) {
    throw new DefinitionError(
      `Column ${where} is numbered and has the type \`${column.type.kind}\`. Use int32, integer or bigint.`,
    )
  }
  if (dialect.identityIsPrimaryKey) {
    if (table.primaryKey.length !== 1 || table.primaryKey[0] !== column.name) {
      throw new UnsupportedByEngineError(
        engine,
        `Cannot number column ${where} on ${engine}: it numbers only the column that is the whole primary key. ` +
          'Make it the primary key, or number it in the application.',
      )
    }
    return `primary key ${dialect.identity}`
  }
  return dialect.identityFromSequence
    ? `default ${nextNumberSql(table, column, engine)}`
    : dialect.identity
}

/** The next number of the sequence that is created with the table. */
export function nextNumberSql(
  table: Pick<TableDefinition, 'name' | 'schema'>,
  column: Pick<ColumnDefinition, 'name'>,
  engine: EngineName,
): string {
  const sequence = { ...table, name: sequenceName(table, column) }
  return `nextval(${textSql(tableNameSql(sequence, engine), engine)})`
}
