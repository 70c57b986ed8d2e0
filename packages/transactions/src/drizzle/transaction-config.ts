import { describeValue } from '@keelson/core'
import { TransactionOptionsError } from '../errors.ts'
import { noOptions, type TransactionOptions } from '../options.ts'

const known = ['isolationLevel', 'accessMode', 'behavior'] as const

/** Of Drizzle's configuration, what no option stands for, unless it asks for what happens anyway. */
const otherwise: Readonly<Record<string, string>> = {
  deferrable:
    'a transaction that waits for a safe moment has no option here; send `set transaction deferrable` as its first statement',
  withConsistentSnapshot:
    "the snapshot of a transaction is taken with its first statement; use isolationLevel: 'repeatable read' and read first",
}

/**
 * Drizzle's configuration of a transaction, as options.
 *
 * @throws {TransactionOptionsError} for what cannot be had, naming it
 */
export function optionsOf(config: object | undefined): TransactionOptions<any> {
  if (config === undefined) return noOptions
  const options: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(config ?? {}) as [string, unknown][]) {
    if (value === undefined) continue
    if ((known as readonly string[]).includes(name)) options[name] = value
    else if (!(name in otherwise && value === false)) throw unknownError(name, value)
  }
  return options as TransactionOptions<any>
}

function unknownError(name: string, value: unknown): TransactionOptionsError {
  return new TransactionOptionsError(
    name,
    `db.transaction() cannot have \`${name}\` ${describeValue(value)}: ` +
      `${otherwise[name] ?? `it takes ${known.join(', ')}; for more, use transaction(db, fn, options)`}. Nothing was sent.`,
  )
}
