import { type EngineName, quoteIdentifier } from '@keelson/core'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { IndexDefinition } from '../../ir/index-definition.ts'
import type { CheckDefinition, TableDefinition } from '../../ir/table-definition.ts'
import { checkName } from '../../names/constraint-name.ts'
import { expressionSql, predicateSql } from '../../sql/print-table.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import type { StepCheck } from '../schema-plan.ts'

/** What the number of rows of a key is called in what is found. */
export const duplicateCount = 'number of rows'

/** Rows that have the same key of an index that is to be unique. */
export function duplicateCheck(
  table: TableDefinition,
  { keys, where, nullsDistinct }: IndexDefinition,
  engine: EngineName,
): StepCheck {
  const expressions = keys.map(({ expression, collation }) => {
    const sql = expressionSql(expression, engine)
    return collation === undefined ? sql : `(${sql}) collate ${quoteIdentifier(collation, engine)}`
  })
  const conditions = [
    ...(where === undefined ? [] : [`(${predicateSql(where, engine)})`]),
    ...(nullsDistinct === false ? [] : expressions.map((sql) => `(${sql}) is not null`)),
  ]
  const columns = expressions.map(
    (sql, at) => `${sql} as ${quoteIdentifier(nameOf(keys[at]!, at), engine)}`,
  )
  const condition = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`
  return {
    finds: 'duplicates',
    of: expressions.join(', '),
    sql:
      `select ${columns.join(', ')}, count(*) as ${quoteIdentifier(duplicateCount, engine)} ` +
      `from ${tableNameSql(table, engine)}${condition} ` +
      `group by ${expressions.join(', ')} having count(*) > 1 limit 1`,
  }
}

export function nullCheck(table: TableDefinition, column: string, engine: EngineName): StepCheck {
  return {
    finds: 'nulls',
    of: column,
    sql: `select * from ${tableNameSql(table, engine)} where ${quoteIdentifier(column, engine)} is null limit 1`,
  }
}

export function violationCheck(
  table: TableDefinition,
  check: CheckDefinition,
  engine: EngineName,
): StepCheck {
  return {
    finds: 'violations',
    of: checkName(table, check, engine),
    sql: `select * from ${tableNameSql(table, engine)} where not (${predicateSql(check.predicate, engine)}) limit 1`,
  }
}

/** Rows would have no value of a column that is added and takes no NULL. */
export function newColumnChecks(
  table: TableDefinition,
  column: ColumnDefinition,
  engine: EngineName,
): readonly StepCheck[] {
  const { nullable, default: value, generated, identity, name } = column
  if (nullable || generated !== undefined || identity === true) return []
  const isNull = value?.kind === 'value' && value.value === null
  if (value !== undefined && !isNull) return []
  return [{ finds: 'rows', of: name, sql: `select * from ${tableNameSql(table, engine)} limit 1` }]
}

function nameOf({ expression }: IndexDefinition['keys'][number], at: number): string {
  return expression.kind === 'column' ? expression.name : `key_${at + 1}`
}
