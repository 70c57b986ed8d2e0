const comment = /--[^\n]*|\/\*[^]*?(?:\*\/|$)/
const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/
const piece = new RegExp(
  String.raw`(?<comment>${comment.source})|(?<quoted>${quoted.source})|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
  'g',
)

/**
 * All that may be a name in these statements, in lower case. Rather too many than too few: the words of the language are
 * among them, and strings, since SQLite takes those for names in places.
 */
export function namesIn(statements: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const statement of statements) {
    for (const { groups } of statement.matchAll(piece)) {
      const text = groups?.['word'] ?? unquoted(groups?.['quoted'])
      if (text !== undefined) names.add(text.toLowerCase())
    }
  }
  return names
}

/** Whether there is nothing to run: what stands behind the last breakpoint, or a custom migration not written yet. */
export function isBlank(statement: string): boolean {
  return statement.replaceAll(new RegExp(comment, 'g'), '').replaceAll(/[\s;]/g, '') === ''
}

/** Whether a line says `-- keelson: no transaction`. */
export function declaresNoTransaction(text: string): boolean {
  return /^[ \t]*--[ \t]*keelson:[ \t]*no[ \t]+transaction[ \t]*\r?$/im.test(text)
}

function unquoted(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const quote = text[0]!
  const inside = text.slice(1, -1)
  return quote === '[' ? inside : inside.replaceAll(quote + quote, quote)
}
