import type { AdvisorWorkload } from './capture/workload.ts'

/**
 * By table, how many rows of it the workload says were written.
 *
 * @param databases those that the advice is about
 */
export function writtenRows(
  { writes = {} }: AdvisorWorkload,
  databases: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const rows = new Map<string, number>()
  const add = (table: string, count: number): void => {
    rows.set(table, (rows.get(table) ?? 0) + count)
  }
  for (const [name, written] of Object.entries(writes)) {
    if (typeof written === 'number') add(name, written)
    else if (databases.has(name))
      for (const [table, count] of Object.entries(written)) add(table, count)
  }
  return rows
}
