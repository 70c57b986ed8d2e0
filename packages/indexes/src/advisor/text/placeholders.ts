/** Strings, quoted names, comments, numbered and plain placeholders, numbers, JSON operators with what follows them. */
const piece =
  /(?<kept>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[^]*?\*\/|->>?\s*(?:'(?:[^']|'')*'|\d+)|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<text>'(?:[^']|'')*')|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\?(?<listed>\+)?(?<at>\d+)?|\$(?<dollar>\d+)/g

/** The text with `?1`, `?2` ... for every `?`, and one `?` for a list of them, as a fingerprint has it: `(?+)`. */
export function numbered(sql: string): string {
  let count = 0
  return sql.replaceAll(piece, (whole: string, ...rest: unknown[]) => {
    const { at, kept, text, number, dollar } = rest.at(-1) as Partial<Record<string, string>>
    if (kept !== undefined || text !== undefined || number !== undefined || dollar !== undefined)
      return whole
    if (at !== undefined) return whole
    count++
    return `?${count}`
  })
}

/** How many parameters a text has to be given. */
export function countParameters(sql: string): number {
  let plain = 0
  let highest = 0
  for (const { groups } of sql.matchAll(piece)) {
    const { kept, text, number, at, dollar } = groups ?? {}
    if (kept !== undefined || text !== undefined || number !== undefined) continue
    const position = at ?? dollar
    if (position === undefined) plain++
    else highest = Math.max(highest, Number(position))
  }
  return Math.max(plain, highest)
}

/** The text without the values that were written into it. Keys of JSON paths stay: an index is found by them. */
export function withoutLiterals(sql: string): string {
  return sql.replaceAll(piece, (whole: string, ...rest: unknown[]) => {
    const { text, number } = rest.at(-1) as Partial<Record<string, string>>
    return text !== undefined || number !== undefined ? '?' : whole
  })
}

/** The text as the engine takes it: a fingerprint has `?` also where the engine wants `$1`, and `(?+)` for lists. */
export function executable(sql: string, placeholder: '?' | '$n'): string {
  let highest = 0
  if (placeholder === '$n')
    for (const { groups } of sql.matchAll(piece))
      highest = Math.max(highest, Number(groups?.['dollar'] ?? 0))
  return sql.replaceAll(piece, (whole: string, ...rest: unknown[]) => {
    const { kept, text, number, at, dollar } = rest.at(-1) as Partial<Record<string, string>>
    if (kept !== undefined || text !== undefined || number !== undefined) return whole
    if (at !== undefined || dollar !== undefined) return whole
    highest++
    return placeholder === '?' ? '?' : `$${highest}`
  })
}

/** The text without values, and with one `(?+)` for a list of any length: what calls of one query have in common. */
export function commonText(sql: string): string {
  return withoutLiterals(sql).replaceAll(
    /\b(in|values)\s*\((?:\?\+?\d*|\$\d+)(?:\s*,\s*(?:\?\d*|\$\d+))*\)(?:\s*,\s*\((?:\?\d*|\$\d+)(?:\s*,\s*(?:\?\d*|\$\d+))*\))*/gi,
    '$1 (?+)',
  )
}
