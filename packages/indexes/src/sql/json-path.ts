import { quoteIdentifier, type EngineName } from '@keelson/core'
import { DefinitionError } from '../errors.ts'
import type { JsonPath } from '../ir/expression.ts'
import { textSql } from './literal.ts'

/**
 * A path as Kysely prints `eb.ref(column, '->>').key(...)`: an arrow for each step, of which the last gives text.
 * SQLite finds an index over an expression only by the same arrows and keys.
 *
 * @example
 * arrowPath({ column: 'data', path: ['address', 0, 'city'], ... }, 'sqlite') // "data"->'address'->0->>'city'
 */
export function arrowPath({ column, path }: JsonPath, engine: EngineName): string {
  checkPath(path)
  const steps = path.map((step, at) => {
    const arrow = at === path.length - 1 ? '->>' : '->'
    return arrow + (typeof step === 'number' ? String(step) : textSql(step, engine))
  })
  return quoteIdentifier(column, engine) + steps.join('')
}

/** A path as Kysely prints `eb.ref(column, '->>$').key(...)`, which is the one that MySQL understands. */
export function dollarPath({ column, path }: JsonPath, engine: EngineName): string {
  checkPath(path)
  const steps = path.map((step) =>
    typeof step === 'number' ? `[${step}]` : `.${JSON.stringify(step)}`,
  )
  return `${quoteIdentifier(column, engine)}->>${textSql(`$${steps.join('')}`, engine)}`
}

function checkPath(path: JsonPath['path']): void {
  const isPath =
    path.length > 0 &&
    path.every((step) => typeof step === 'string' || (Number.isSafeInteger(step) && step >= 0))
  if (isPath) return
  throw new DefinitionError(
    `Cannot follow the path ${JSON.stringify(path)} into JSON. A path has at least one step; ` +
      'each is a key, or the index of an element from 0.',
  )
}
