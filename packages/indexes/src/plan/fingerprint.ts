import { hash } from 'node:crypto'
import type { TableDefinition } from '../ir/table-definition.ts'
import { canonicalText } from '../ir/canonical-text.ts'
import { withoutWords } from './table-difference.ts'

/** The tables by their `tableKey()`; undefined for one that is not there. */
export type TableModel = ReadonlyMap<string, TableDefinition | undefined>

/**
 * A hash of what tables have, whatever the order of their parts: a column that is added comes last, wherever it stands in
 * the definition. It is the sum of a hash of each table, so that a change of one among thousands costs that one.
 */
export class Fingerprint {
  #sum = 0n

  constructor(tables: TableModel) {
    for (const [key, table] of tables) this.#sum += hashOfTable(key, table)
  }

  replace(
    key: string,
    before: TableDefinition | undefined,
    after: TableDefinition | undefined,
  ): void {
    this.#sum += hashOfTable(key, after) - hashOfTable(key, before)
  }

  get text(): string {
    return BigInt.asUintN(128, this.#sum).toString(16).padStart(32, '0')
  }
}

function hashOfTable(key: string, table: TableDefinition | undefined): bigint {
  const text = `${key}\0${table === undefined ? '' : partsOf(table)}`
  return BigInt(`0x${hash('sha256', text).slice(0, 32)}`)
}

/** Definitions do not change, and each is asked for more than once. */
const known = new WeakMap<TableDefinition, string>()

/** A text that is the same for tables that have the same, in whichever order. */
export function partsOf(table: TableDefinition): string {
  const text = known.get(table) ?? textOf(table)
  known.set(table, text)
  return text
}

function textOf({ columns, primaryKey, indexes, foreignKeys, checks }: TableDefinition): string {
  return [
    sorted(columns.map(withoutWords)),
    canonicalText(primaryKey),
    sorted(indexes),
    sorted(foreignKeys),
    sorted(checks),
  ].join('\n')
}

/** A canonical text has no line breaks. */
function sorted(values: readonly unknown[]): string {
  return values.map(canonicalText).toSorted().join('\0')
}
