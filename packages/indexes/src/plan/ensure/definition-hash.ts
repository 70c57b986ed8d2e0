import { createHash } from 'node:crypto'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { canonicalText } from '../../ir/canonical-text.ts'

/** Definitions do not change, and each is asked for more than once. */
const known = new WeakMap<TableDefinition, string>()

/** The same for definitions that say the same. */
export function hashOf(table: TableDefinition): string {
  let hash = known.get(table)
  if (hash === undefined) {
    hash = createHash('sha256').update(canonicalText(table)).digest('base64')
    known.set(table, hash)
  }
  return hash
}
