import { type Steps, wait } from '@keelson/core'
import type { HostSession } from './host.ts'

/** Rows of SQLite that refer to none, counted by table and parent. */
export type Violations = ReadonlyMap<string, number>

export function* foreignKeyViolations(session: HostSession): Steps<Violations> {
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

/** What refers to none now and did refer to one before. */
export function addedViolations(before: Violations, after: Violations): readonly string[] {
  return [...after]
    .filter(([key, rows]) => rows > (before.get(key) ?? 0))
    .map(([key, rows]) => `${rows} in ${key}`)
}
