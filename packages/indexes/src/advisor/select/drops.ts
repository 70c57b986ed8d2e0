import { isPrefixOf, type TableIndex } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'

/** An index that could go. */
export interface IndexDrop {
  readonly table: string
  readonly index: string
  readonly code: 'REDUNDANT' | 'UNUSED'
  readonly why: string
}

/**
 * @param used names of the indexes that some plan uses, with those that were chosen
 * @param chosen indexes that were advised
 * @param isWhole whether the plan of every query is known, so that what none of them uses is not used
 */
export function dropsOf(
  tables: Iterable<SampledTable>,
  used: ReadonlySet<string>,
  chosen: readonly TableIndex[],
  isWhole: boolean,
): readonly IndexDrop[] {
  const drops: IndexDrop[] = []
  for (const { name, indexes, definition } of tables) {
    for (const index of indexes) {
      if (index.isConstraint || index.index.unique || index.name === '') continue
      const others = [...indexes, ...chosen].filter((each) => each !== index)
      const longer = others.find(
        (each) => isPrefixOf(index, each) && !(isPrefixOf(each, index) && isLater(each, index)),
      )
      if (longer !== undefined) {
        const by = longer.name === '' ? 'the primary key' : longer.name
        const isThere = chosen.includes(longer) ? 'will begin' : 'begins'
        const why = `${by} ${isThere} with the same keys, over the same rows.`
        drops.push({ table: name, index: index.name, code: 'REDUNDANT', why })
        continue
      }
      // A foreign key is looked up through it when a row that it refers to goes.
      const [first] = index.keys
      const isForeignKey = definition.foreignKeys.some(({ columns }) => columns[0] === first?.text)
      if (!isWhole || isForeignKey || used.has(index.name)) continue
      const why = 'No query of the workload uses it.'
      drops.push({ table: name, index: index.name, code: 'UNUSED', why })
    }
  }
  return drops.toSorted((a, b) => (`${a.table} ${a.index}` < `${b.table} ${b.index}` ? -1 : 1))
}

/** Of two that are the same, the one with the later name goes. */
function isLater(a: TableIndex, b: TableIndex): boolean {
  return a.name > b.name
}
