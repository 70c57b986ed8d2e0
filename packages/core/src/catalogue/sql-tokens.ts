/** A piece of an SQL text. What stands between parentheses is one piece, with its own pieces inside. */
export interface SqlToken {
  readonly kind: 'word' | 'quoted' | 'group' | 'comma' | 'other'
  /** An identifier or string without its quotes; anything else as it stands. */
  readonly text: string
  readonly start: number
  readonly end: number
  readonly inner: readonly SqlToken[]
}

/** Which of them a piece is, its first character tells: a named group for each costs more than all the rest. */
const piece =
  /\s+|--[^\n]*|\/\*[^]*?(?:\*\/|$)|"(?:[^"]|"")*"|`(?:[^`]|``)*`|'(?:[^']|'')*'|\[[^\]]*\]|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[^]/y

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
    const isAtEnd = !matcher.test(sql)
    const end = matcher.lastIndex
    const first = sql[start] ?? ''
    if (isAtEnd || first === ')') return { tokens, end }
    if (isBlank(first, end - start)) continue
    const text = sql.slice(start, end)
    if (first === '(') {
      const group = readTokens(sql, matcher)
      const whole = sql.slice(start, group.end)
      tokens.push({ kind: 'group', text: whole, start, end: group.end, inner: group.tokens })
    } else if (end - start > 1 && '"\'`['.includes(first)) {
      tokens.push({ kind: 'quoted', text: unquote(text), start, end, inner: none })
    } else {
      const kind = first === ',' ? 'comma' : /[A-Za-z_\u0080-\uffff]/.test(first) ? 'word' : 'other'
      tokens.push({ kind, text, start, end, inner: none })
    }
  }
}

const none: readonly SqlToken[] = []

function isBlank(first: string, length: number): boolean {
  // As a sign of its own it is one character.
  const isComment = length > 1 && (first === '-' || first === '/')
  return isComment || /\s/.test(first)
}

function unquote(text: string): string {
  const quote = text[0] ?? ''
  const inside = text.slice(1, -1)
  return quote === '[' || !inside.includes(quote) ? inside : inside.replaceAll(quote + quote, quote)
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
