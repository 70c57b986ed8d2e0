/** A piece of SQL text; white space and comments are left out. */
export interface SqlToken {
  readonly kind: 'word' | 'quoted' | 'string' | 'placeholder' | 'other'
  /** As written; a quoted identifier without its quotes. */
  readonly text: string
}

// https://www.sqlite.org/lang_keywords.html: an identifier may be quoted as "x", `x` or [x].
const pattern =
  /(\s+|--[^\n]*|\/\*[^]*?(?:\*\/|$))|('(?:[^']|'')*')|("(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])|([?:@$]\w*)|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(\.?\d[\w.]*|[^])/gy

/** Splits SQL text into tokens without judging it; any text gives tokens, also one that SQLite refuses. */
export function* sqlTokens(sql: string): Generator<SqlToken> {
  for (const [, space, string, quoted, placeholder, word, other] of sql.matchAll(pattern)) {
    if (space !== undefined) continue
    if (word !== undefined) yield { kind: 'word', text: word }
    else if (placeholder !== undefined) yield { kind: 'placeholder', text: placeholder }
    else if (string !== undefined) yield { kind: 'string', text: string }
    else if (quoted !== undefined) yield { kind: 'quoted', text: unquote(quoted) }
    else yield { kind: 'other', text: other! }
  }
}

function unquote(quoted: string): string {
  const close = quoted.at(-1)!
  return quoted.slice(1, -1).replaceAll(close + close, close)
}
