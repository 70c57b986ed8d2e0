/** What of a table no function of DuckDB's catalogue shows, by the column's name. */
export interface DuckDBTableText {
  /** The expressions of generated columns. */
  readonly generated: ReadonlyMap<string, string>
  /** The collations of columns that have one of their own. */
  readonly collations: ReadonlyMap<string, string>
}

/** A key of an index: a column's name, or an expression. */
export type DuckDBIndexKeyText = { readonly name: string } | { readonly expression: string }

/** Reads the `CREATE TABLE` by which DuckDB shows a table: `duckdb_tables().sql`. */
export function readDuckDBTable(sql: string): DuckDBTableText {
  const generated = new Map<string, string>()
  const collations = new Map<string, string>()
  for (const [column, ...declared] of itemsOf(sql)) {
    if (column === undefined) continue
    const name = unquoted(column)
    declared.forEach((piece, at) => {
      const next = declared[at + 1]
      if (piece === 'COLLATE' && next !== undefined) collations.set(name, unquoted(next))
      if (piece === 'GENERATED' && next === 'ALWAYS' && declared[at + 2] === 'AS')
        generated.set(name, withoutParentheses(declared[at + 3] ?? ''))
    })
  }
  return { generated, collations }
}

/** Reads the `CREATE INDEX` by which DuckDB shows an index: `duckdb_indexes().sql`. */
export function readDuckDBIndex(sql: string): readonly DuckDBIndexKeyText[] {
  return itemsOf(sql).map((pieces) => {
    const [first = '', ...rest] = pieces
    // An expression is always shown in parentheses, and a column never.
    if (rest.length === 0 && !first.startsWith('(')) return { name: unquoted(first) }
    return { expression: withoutParentheses(pieces.join(' ')) }
  })
}

/** An expression without the parentheses around all of it, of which DuckDB shows one pair more than was written. */
export function withoutParentheses(expression: string): string {
  let inside = expression.trim()
  for (;;) {
    const [group, ...rest] = piecesOf(inside)
    if (group === undefined || rest.length > 0 || !group.startsWith('(')) return inside
    inside = group.slice(1, -1).trim()
  }
}

/**
 * The list in the first parentheses of a statement, each item in its pieces. DuckDB writes the statement anew from what
 * it has understood: words in capitals, one kind of quotes for names and one for strings, no comments.
 */
function itemsOf(sql: string): readonly (readonly string[])[] {
  const list = piecesOf(sql).find((piece) => piece.startsWith('('))
  const items: string[][] = [[]]
  for (const piece of piecesOf(list?.slice(1, -1) ?? '')) {
    if (piece === ',') items.push([])
    else items.at(-1)?.push(piece)
  }
  // DuckDB ends the list of a table that refers to itself with a comma.
  return items.filter((item) => item.length > 0)
}

const lexeme =
  /\s+|"(?:[^"]|"")*"|'(?:[^']|'')*'|[\w$.\u0080-\uffff]+|(?<open>[([{])|(?<close>[)\]}])|[^]/g

/** Cuts a text into words, quoted names and strings, and signs. What stands between brackets is one piece with them. */
function piecesOf(sql: string): readonly string[] {
  const pieces: string[] = []
  let depth = 0
  let start = 0
  for (const match of sql.matchAll(lexeme)) {
    const { open, close } = match.groups ?? {}
    if (close !== undefined) depth--
    if (depth === 0) {
      const piece = sql.slice(start, match.index + match[0].length).trim()
      if (open === undefined && piece !== '') pieces.push(piece)
      if (open === undefined) start = match.index + match[0].length
    }
    if (open !== undefined) depth++
  }
  return pieces
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}
