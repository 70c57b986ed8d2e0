import { type EngineTraits, type Steps, takeSteps } from '@keelson/core'
import { SequenceRangeError } from '../errors.ts'
import type { Host, HostSession } from '../host/host.ts'
import { checkName } from './check-name.ts'
import { advance, type Counter } from './counter.ts'
import { explainingMissing } from './missing-table.ts'
import {
  checkSequenceOptions,
  type SequenceOptions,
  type SequenceRange,
} from './sequence-options.ts'
import { defaultSequenceTable } from './sequence-table.ts'
import { tableName } from './table-name.ts'
import { throughConflicts } from './write-conflict.ts'

const where = 'nextSequence()'

/** Takes the next numbers of a counter: one, or with `count` a range. */
export async function runNextSequence(
  host: Host,
  name: string,
  options: SequenceOptions,
): Promise<number | SequenceRange> {
  checkName(where, 'name', name)
  const { table, schema, scope, count, start, retryForMs } = checkSequenceOptions(
    options,
    host.isInTransaction,
  )
  const { traits } = host
  const counter: Counter = {
    table: tableName(table ?? defaultSequenceTable, schema, traits.engine),
    name,
    scope,
    start,
  }
  const by = count ?? 1
  const what = `the counter ${JSON.stringify(name)}${scope && ` of ${JSON.stringify(scope)}`}`
  const last = await explainingMissing(
    where,
    `table ${counter.table.full}`,
    'createSequenceTable(db)',
    () =>
      throughConflicts(host, { what, retryForMs }, () =>
        takeSteps(host.atomically((session) => take(session, traits, counter, by, what))),
      ),
  )
  return count === undefined ? last : { first: last - by + 1, last }
}

function* take(
  session: HostSession,
  traits: EngineTraits,
  counter: Counter,
  by: number,
  what: string,
): Steps<number> {
  return checkSafe(yield* advance(session, traits, counter, by), what)
}

/** Inside the transaction, so that a number that cannot be delivered is given back. */
export function checkSafe(value: bigint, what: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new SequenceRangeError(
    `${what[0]!.toUpperCase()}${what.slice(1)} has come to ${value}, which a JavaScript number cannot represent exactly. ` +
      'Count on under another name or scope. Nothing was written.',
    value,
  )
}
