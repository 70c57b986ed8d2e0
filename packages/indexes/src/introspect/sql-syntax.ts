/** A piece of an SQL expression. */
export interface SqlLexeme {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'sign'
  /** Of a name or text what it stands for; else as it stands. */
  readonly text: string
}

const lexeme =
  /(?<blank>\s+|--[^\n]*|\/\*[^]*?\*\/)|(?<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[A-Za-z_][^\][,'"]*\])|(?<escaped>[eE]'(?:[^'\\]|''|\\[^])*')|(?<bytes>[xXbB]'[^']*')|(?<text>'(?:[^']|'')*')|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<sign>->>|->|::|\|\||<=|>=|<>|!=|==|<<|>>|!~~\*?|~~\*?|<@|@>|[-+*\/%<>=(),.[\]&|~!?])/y

/** Cuts an expression into pieces; `undefined` where it has one that is not known here. */
export function lexemesOf(sql: string): readonly SqlLexeme[] | undefined {
  const matcher = new RegExp(lexeme)
  const lexemes: SqlLexeme[] = []
  while (matcher.lastIndex < sql.length) {
    const groups = matcher.exec(sql)?.groups
    if (groups === undefined) return undefined
    const { blank, name, escaped, text, number, word, sign, bytes } = groups
    if (bytes !== undefined) return undefined
    if (blank !== undefined) continue
    if (name !== undefined) lexemes.push({ kind: 'name', text: unquoted(name) })
    else if (escaped !== undefined) {
      const inside = unescaped(escaped.slice(2, -1))
      if (inside === undefined) return undefined
      lexemes.push({ kind: 'text', text: inside })
    } else if (text !== undefined) lexemes.push({ kind: 'text', text: unquoted(text) })
    else if (number !== undefined) lexemes.push({ kind: 'number', text: number })
    else if (word !== undefined) lexemes.push({ kind: 'word', text: word })
    else if (sign !== undefined) lexemes.push({ kind: 'sign', text: sign })
  }
  return lexemes
}

function unquoted(text: string): string {
  const quote = text[0] ?? ''
  const inside = text.slice(1, -1)
  return quote === '[' ? inside : inside.replaceAll(quote + quote, quote)
}

/** PostgreSQL shows a text with backslashes as `E'...'`, each of them doubled, and escapes nothing else. */
function unescaped(inside: string): string | undefined {
  const doubled = inside.replaceAll("''", "'")
  return /^(?:[^\\]|\\\\)*$/.test(doubled) ? doubled.replaceAll('\\\\', '\\') : undefined
}
