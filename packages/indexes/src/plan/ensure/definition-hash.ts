import { createHash } from 'node:crypto'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { canonicalText } from '../../ir/canonical-text.ts'

/** The same for definitions that say the same. */
export function hashOf(table: TableDefinition): string {
  return createHash('sha256').update(canonicalText(table)).digest('base64')
}
