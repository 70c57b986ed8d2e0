/** A piece of an SQL text. What stands between parentheses is one piece, with its own pieces inside. */
export interface SqlToken {
  readonly kind: 'word' | 'quoted' | 'group' | 'comma' | 'other'
  /** An identifier or string without its quotes; anything else as it stands. */
  readonly text: string
  readonly start: number
  readonly end: number
  readonly inner: readonly SqlToken[]
}

const piece =
  /(?<blank>\s+|--[^\n]*|\/\*[^]*?(?:\*\/|$))|(?<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|'(?:[^']|'')*'|\[[^\]]*\])|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<open>\()|(?<close>\))|(?<comma>,)|(?<other>[^])/y

/**
 * Cuts a statement as SQLite stores it into pieces, so that names, strings and comments are never mistaken for the
 * words of the statement. For texts that an engine has accepted: nothing is checked.
 */
export function sqlTokens(sql: string): readonly SqlToken[] {
  const matcher = new RegExp(piece)
  return readTokens(sql, matcher).tokens
}

function readTokens(sql: string, matcher: RegExp): { tokens: readonly SqlToken[]; end: number } {
  const tokens: SqlToken[] = []
  for (;;) {
    const start = matcher.lastIndex
    const groups = matcher.exec(sql)?.groups
    const end = matcher.lastIndex
    if (groups === undefined || groups['close'] !== undefined) return { tokens, end }
    if (groups['blank'] !== undefined) continue
    const text = sql.slice(start, end)
    if (groups['open'] !== undefined) {
      const group = readTokens(sql, matcher)
      const whole = sql.slice(start, group.end)
      tokens.push({ kind: 'group', text: whole, start, end: group.end, inner: group.tokens })
    } else if (groups['quoted'] !== undefined) {
      tokens.push({ kind: 'quoted', text: unquote(text), start, end, inner: [] })
    } else if (groups['word'] !== undefined) {
      tokens.push({ kind: 'word', text, start, end, inner: [] })
    } else {
      const kind = groups['comma'] === undefined ? 'other' : 'comma'
      tokens.push({ kind, text, start, end, inner: [] })
    }
  }
}

function unquote(text: string): string {
  const quote = text[0] ?? ''
  const inside = text.slice(1, -1)
  return quote === '[' ? inside : inside.replaceAll(quote + quote, quote)
}

/** The pieces between the commas. */
export function splitAtCommas(tokens: readonly SqlToken[]): readonly (readonly SqlToken[])[] {
  const parts: SqlToken[][] = [[]]
  for (const token of tokens) {
    if (token.kind === 'comma') parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts
}

/** Whether the piece is this word of the language, not something quoted. */
export function isWord(token: SqlToken | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word
}
