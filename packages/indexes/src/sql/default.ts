import type { EngineName } from '@keelson/core'
import { DefinitionError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import { canonicalLiteral } from './canonical-literal.ts'
import { dialects } from './dialects.ts'
import { literalSql } from './literal.ts'

/** What stands after DEFAULT; `undefined` for a DEFAULT that is NULL, which a column has anyway. */
export function defaultSql(column: ColumnDefinition, engine: EngineName): string | undefined {
  const { default: given, type } = column
  if (given === undefined) return undefined
  const dialect = dialects[engine]
  switch (given.kind) {
    case 'unsafeSql':
      return `(${given.sql})`
    case 'now': {
      const sql = dialect.now[type.kind]
      if (sql !== undefined) return sql
      throw new DefinitionError(
        `Column ${JSON.stringify(column.name)} has the type \`${type.kind}\`, of which the moment of the insert is no value. ` +
          'Use date or datetime.',
      )
    }
    case 'value': {
      if (given.value === null) return undefined
      if (type.kind === 'array' || type.kind === 'blob') {
        throw new DefinitionError(
          `Column ${JSON.stringify(column.name)} has the type \`${type.kind}\`, for which there is no constant. ` +
            'Use `unsafeSql`, or give each row its value.',
        )
      }
      const value = canonicalLiteral(given.value, type.kind, engine)
      const sql = literalSql(value, engine, dialect.booleans)
      // MySQL takes an expression for types that have no constants of their own, and any other in parentheses too.
      return sql.startsWith('-') || engine === 'mysql' ? `(${sql})` : sql
    }
  }
}
