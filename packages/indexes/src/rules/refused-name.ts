import type { EngineName } from '@keelson/core'
import { UnsupportedByEngineError } from '../errors.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { hashedName } from '../names/cut-name.ts'
import { indexName } from '../names/index-name.ts'
import { columnsOfExpression } from '../sql/columns-of.ts'
import { canonicalText } from '../ir/canonical-text.ts'

/** The name of an index that may be none on the engine, whose own name is then made of what was asked for. */
export function refusedName(
  table: TableDefinition,
  index: IndexDefinition,
  engine: EngineName,
): string {
  try {
    return indexName(table, index, engine)
  } catch (error) {
    if (!(error instanceof UnsupportedByEngineError)) throw error
    const columns = index.keys.flatMap(({ expression }) => columnsOfExpression(expression))
    const parts = [index.unique ? 'ux' : 'ix', table.name, ...columns]
    return hashedName(parts, `${table.name} ${canonicalText(index)}`)
  }
}
