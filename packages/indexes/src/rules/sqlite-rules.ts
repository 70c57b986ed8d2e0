import type { Expression } from '../ir/expression.ts'
import { isTextDecimal } from '../sql/check-predicate.ts'
import type { IndexedTable } from './indexed-table.ts'
import { type EngineRules, type Objection, unsupported } from './objection.ts'

const collations: readonly string[] = ['BINARY', 'NOCASE', 'RTRIM']

/** @see https://www.sqlite.org/lang_createindex.html */
export const sqliteRules: EngineRules = {
  title: 'SQLite',
  maxKeys: 2_000,
  readsInOrder: true,

  objectionTo(index, table) {
    for (const { expression, collation } of index.keys) {
      if (collation !== undefined && !collations.includes(collation.toUpperCase())) {
        return unsupported(
          `SQLite has no collation ${JSON.stringify(collation)}`,
          `Use one of ${collations.join(', ')}`,
        )
      }
      // An index that is declared for its order or for ranges looks like one for equality; decimals are for the former.
      if (!index.unique && isOverTextDecimal(expression, table))
        return ofTextDecimal(expression, table)
    }
    return undefined
  },

  objectionToPattern({ ranges, sort }, table) {
    const compared = [...ranges, ...sort.map((key) => key.expression)]
    const decimal = compared.find((expression) => isOverTextDecimal(expression, table))
    return decimal === undefined ? undefined : ofTextDecimal(decimal, table)
  },
}

function isOverTextDecimal(expression: Expression, table: IndexedTable): boolean {
  const column = expression.kind === 'column' ? table.columnOf(expression) : undefined
  return column !== undefined && isTextDecimal(column, table.engine)
}

function ofTextDecimal(expression: Expression, table: IndexedTable): Objection {
  const name = JSON.stringify(table.columnOf(expression)?.name)
  return {
    code: 'TEXT_DECIMAL_RANGE',
    why: `SQLite keeps the decimals of ${name} as text, which puts '10.5' before '9.5'`,
    instead:
      'Keep the amount as a whole number of its smallest unit, in a column of the type bigint',
  }
}
