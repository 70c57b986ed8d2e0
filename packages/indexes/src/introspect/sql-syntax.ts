/** A piece of an SQL expression. */
export interface SqlLexeme {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'sign'
  /** Of a name or text what it stands for; else as it stands. */
  readonly text: string
}

/** Which of them a piece is, its first and last characters tell: a named group for each costs more than all the rest. */
const lexeme =
  /\s+|--[^\n]*|\/\*[^]*?\*\/|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[eE]'(?:[^'\\]|''|\\[^])*'|[xXbB]'[^']*'|'(?:[^']|'')*'|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|->>|->|::|\|\||<=|>=|<>|!=|==|<<|>>|!~~?\*?|~~\*?|~\*|<@|@>|[-+*/%<>=(),.[\]&|~!?]/y

/**
 * Cuts an expression into pieces; `undefined` where it has one that is not known here.
 *
 * @param hasBrackets whether a name can stand in brackets, which are an array elsewhere
 */
export function lexemesOf(sql: string, hasBrackets: boolean): readonly SqlLexeme[] | undefined {
  const matcher = new RegExp(lexeme)
  const lexemes: SqlLexeme[] = []
  while (matcher.lastIndex < sql.length) {
    const start = matcher.lastIndex
    if (!matcher.test(sql)) return undefined
    const piece = sql.slice(start, matcher.lastIndex)
    const kind = kindOf(piece)
    switch (kind) {
      case 'blank':
        break
      case 'bracketed':
        if (hasBrackets) lexemes.push({ kind: 'name', text: piece.slice(1, -1) })
        else {
          lexemes.push({ kind: 'sign', text: '[' })
          matcher.lastIndex = start + 1
        }
        break
      case 'escaped': {
        // Bytes in hexadecimal or binary digits look alike.
        const inside = /^e/i.test(piece) ? unescaped(piece.slice(2, -1)) : undefined
        if (inside === undefined) return undefined
        lexemes.push({ kind: 'text', text: inside })
        break
      }
      case 'name':
      case 'text':
        lexemes.push({ kind, text: unquoted(piece) })
        break
      default:
        lexemes.push({ kind, text: piece })
    }
  }
  return lexemes
}

function kindOf(piece: string): SqlLexeme['kind'] | 'blank' | 'bracketed' | 'escaped' {
  const first = piece[0] ?? ''
  if (first === '"' || first === '`') return 'name'
  if (first === "'") return 'text'
  if (/[A-Za-z_\u0080-\uffff]/.test(first)) return piece.endsWith("'") ? 'escaped' : 'word'
  if (/\d/.test(first)) return 'number'
  if (/\s/.test(first)) return 'blank'
  if (piece.length === 1) return 'sign'
  if (first === '[') return 'bracketed'
  if (first === '.') return 'number'
  return piece.startsWith('--') || first === '/' ? 'blank' : 'sign'
}

function unquoted(text: string): string {
  const quote = text[0] ?? ''
  const inside = text.slice(1, -1)
  return inside.includes(quote) ? inside.replaceAll(quote + quote, quote) : inside
}

/** PostgreSQL shows a text with backslashes as `E'...'`, each of them doubled, and escapes nothing else. */
function unescaped(inside: string): string | undefined {
  const doubled = inside.replaceAll("''", "'")
  return /^(?:[^\\]|\\\\)*$/.test(doubled) ? doubled.replaceAll('\\\\', '\\') : undefined
}
