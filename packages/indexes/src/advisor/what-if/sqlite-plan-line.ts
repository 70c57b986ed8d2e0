import type { TableIndex } from '../candidates/table-index.ts'

/** A line of a plan that reads a table: `SEARCH orders USING INDEX by_email (email=?)`. */
export interface Access {
  readonly verb: 'SCAN' | 'SEARCH'
  readonly alias: string
  /** What stands behind it. */
  readonly how: string
}

/**
 * SQLite writes names as they are, whatever is in them, so that a line is read by the names that may stand in it.
 *
 * @param names of tables, and what the query calls them
 */
export function accessIn(detail: string, names: Iterable<string>): Access | undefined {
  const verb = detail.startsWith('SCAN ') ? 'SCAN' : 'SEARCH'
  if (!detail.startsWith(`${verb} `)) return undefined
  const rest = detail.slice(verb.length + 1)
  const alias = beginning(rest, names) ?? /^\S*/.exec(rest)![0]
  return { verb, alias, how: rest.slice(alias.length).replace(/^ EXISTS/, '') }
}

export interface NamedIndex {
  readonly name: string
  readonly isCovering: boolean
  /** The keys that it is searched by: ` (email=? AND created_at>?)`. */
  readonly by: string
}

/** @param names of indexes of the table */
export function indexIn(how: string, names: Iterable<string>): NamedIndex | undefined {
  const using = /^ USING (?:PARTIAL )?(COVERING )?INDEX /.exec(how)
  if (using === null) return undefined
  const rest = how.slice(using[0].length)
  const name = beginning(rest, names) ?? /^\S*/.exec(rest)![0]
  return { name, isCovering: using[1] !== undefined, by: rest.slice(name.length) }
}

/** How a key of an index is bound in a search. */
export interface Bound {
  /** Every value of it is sought in turn. */
  readonly isSkipped: boolean
  readonly isRange: boolean
}

/** The keys that an index is searched by, in its order. */
export function boundsOf({ by }: NamedIndex, { keys }: TableIndex): readonly Bound[] {
  const found: Bound[] = []
  let left = by.replace(/^ \(/, '')
  for (const { key } of keys) {
    const name = key.kind === 'column' ? key.name : '<expr>'
    const after = (text: string): boolean => {
      if (!left.startsWith(text)) return false
      left = left.slice(text.length).replace(/^ AND /, '')
      return true
    }
    if (after(`ANY(${name})`)) found.push({ isSkipped: true, isRange: false })
    else if (after(`${name}=?`)) found.push({ isSkipped: false, isRange: false })
    else {
      // Several columns at once: `(a,b)>(?,?)`.
      if (after(`${name}>?`) || after(`${name}<?`) || left.startsWith(`(${name},`))
        found.push({ isSkipped: false, isRange: true })
      return found
    }
  }
  return found
}

/** The longest of some names that a text begins with. */
function beginning(text: string, names: Iterable<string>): string | undefined {
  let longest: string | undefined
  for (const name of names) {
    if (name.length <= (longest?.length ?? 0)) continue
    if (text === name || text.startsWith(`${name} `)) longest = name
  }
  return longest
}
