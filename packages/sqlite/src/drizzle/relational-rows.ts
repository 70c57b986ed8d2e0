import { Int64RangeError } from '@keelson/core'
import { decoderOf, exactNumber } from '@keelson/core/drizzle'
import { Column, is } from 'drizzle-orm'
import type { Int64Policy } from '../contract.ts'
import type { RelationalSelection, SqliteDrizzleDialect } from './dialect.ts'
import { arrivesAsNumber } from './field-decoder.ts'

/** Makes array rows of a relational query ready for Drizzle's mapper; changes them in place. */
export type RelationalRows = (rows: unknown[][]) => void

/**
 * Keeps the digits of integers in relational queries.
 *
 * SQLite hands the rows of a relation over as JSON text, and `JSON.parse` rounds what a number cannot hold. Such a
 * value follows the database's `int64` policy here: `'number'` throws, naming the relation and the column. Smaller
 * integers of related rows are numbers under every policy, since that is what JSON has.
 *
 * @returns undefined where Drizzle's mapper can have the rows as they are
 */
export function relationalRows(
  selection: RelationalSelection,
  dialect: SqliteDrizzleDialect,
  int64: Int64Policy,
): RelationalRows | undefined {
  if (int64 === 'lossyNumber') return undefined
  const steps: { readonly index: number; readonly step: (value: unknown) => unknown }[] = []
  for (const [index, item] of selection.entries()) {
    const column = int64 === 'number' ? undefined : numberColumn(item)
    if (item.isJson)
      steps.push({ index, step: (value) => related(value, item, item.tsKey, dialect, int64) })
    else if (column !== undefined)
      steps.push({ index, step: (value) => exactNumber(value, column) })
  }
  if (steps.length === 0) return undefined
  return (rows) => {
    for (const row of rows) {
      for (const { index, step } of steps) row[index] = step(row[index])
    }
  }
}

type Item = RelationalSelection[number]

/** The least integer that a number may not hold has 16 digits. */
const mayRound = /\d{16}/

/** Parses the JSON of a relation where Drizzle's parsing would round, and applies the policy to what it would round. */
function related(
  value: unknown,
  item: Item,
  path: string,
  dialect: SqliteDrizzleDialect,
  int64: Int64Policy,
): unknown {
  if (typeof value === 'string' && !mayRound.test(value)) return value
  // A relation inside a relation is text once more, inside the text of the outer one.
  const parsed: unknown =
    typeof value === 'string' ? JSON.parse(value, keepDigits as Reviver) : value
  if (!Array.isArray(parsed)) return parsed
  for (const row of dialect.isList(item.selection) ? (parsed as unknown[][]) : [parsed]) {
    for (const [index, child] of item.selection.entries()) {
      const childPath = `${path}.${child.tsKey}`
      if (child.isJson) row[index] = related(row[index], child, childPath, dialect, int64)
      else if (typeof row[index] === 'bigint')
        row[index] = byPolicy(row[index], child, childPath, int64)
    }
  }
  return parsed
}

type Reviver = (key: string, value: unknown) => unknown

// The third argument is not in TypeScript's library yet: https://github.com/tc39/proposal-json-parse-with-source
function keepDigits(
  _key: string,
  value: unknown,
  { source = '' }: { readonly source?: string },
): unknown {
  const isRounded =
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
  return isRounded ? BigInt(source) : value
}

function byPolicy(value: bigint, item: Item, path: string, int64: Int64Policy): bigint | string {
  if (int64 === 'number' || numberColumn(item) !== undefined) throw new Int64RangeError(path, value)
  return int64 === 'string' ? value.toString() : value
}

function numberColumn({ field }: Item): string | undefined {
  const decoder = decoderOf(field)
  return is(decoder, Column) && arrivesAsNumber(decoder) ? decoder.name : undefined
}
