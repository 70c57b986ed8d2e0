import { type Steps, wait } from '@keelson/core'
import { RebuildError } from '../../errors.ts'
import type { HostSession } from '../../host/host.ts'

/** How many rows refer to none, by table and parent. */
export function* orphans(session: HostSession): Steps<ReadonlyMap<string, number>> {
  const rows = yield* wait(
    session.query(
      'select "table" as child, parent, count(*) as n from pragma_foreign_key_check group by 1, 2',
    ),
  )
  return new Map(
    rows.map(({ child, parent, n }) => [
      `${JSON.stringify(child)} (parent ${JSON.stringify(parent)})`,
      Number(n),
    ]),
  )
}

/** @throws {RebuildError} for rows that refer to none, and did refer to one before */
export function* checkOrphans(
  session: HostSession,
  before: ReadonlyMap<string, number>,
  table: string,
): Steps<void> {
  const added = [...(yield* orphans(session))].filter(([key, n]) => n > (before.get(key) ?? 0))
  if (added.length === 0) return
  throw new RebuildError(
    table,
    `Rows would refer to none after the plan: ${added.map(([key, n]) => `${n} in ${key}`).join('; ')}. Correct or delete ` +
      'them, and try again. All of it was undone.',
  )
}
