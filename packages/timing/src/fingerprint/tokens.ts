/** What a piece of SQL is. `value` stands for a literal or a placeholder. */
export type TokenKind = 'word' | 'quoted' | 'value' | 'symbol'

export interface Token {
  readonly kind: TokenKind
  /** As it stands in the statement; `?` for every value. */
  readonly text: string
  /** Whether whitespace or a comment stood before it. */
  readonly isSpaced: boolean
  /** Whether it is a value that stands in the text, and no placeholder. */
  readonly isLiteral: boolean
}

/**
 * Takes a statement apart. Never fails, whatever it is given, and looks at each character once.
 *
 * It knows what SQLite, DuckDB, PostgreSQL and MySQL have in common; what it does not know becomes a symbol. Of several
 * rows of VALUES it gives the first one only: a statement with ten thousand of them takes no longer than its characters.
 *
 * A backslash escapes in `E'it\'s'` alone, as in PostgreSQL (https://www.postgresql.org/docs/current/sql-syntax-lexical.html).
 *
 * @param isMysql whether it escapes in every string, and double quotes stand around strings:
 * https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
 * @param hasAllRows whether all rows are given
 */
export function tokensOf(sql: string, isMysql = false, hasAllRows = false): Token[] {
  const tokens: Token[] = []
  let at = 0
  let isSpaced = false
  /** Parentheses that are open since `values`; -1 outside of its rows. */
  let depth = -1
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    const afterSpace = endOfSpace(sql, at, code)
    if (afterSpace > at) {
      at = afterSpace
      isSpaced = true
      continue
    }
    let kind: TokenKind
    let end = endOfValue(sql, at, code, isMysql)
    if (end > at) kind = 'value'
    else if ((end = endOfQuoted(sql, at, code)) > at) kind = 'quoted'
    else if (isWordStart(code)) {
      kind = 'word'
      end = endOfWord(sql, at + 1)
    } else {
      kind = 'symbol'
      end = at + symbolLength(code, sql.charCodeAt(at + 1))
    }
    const text = kind === 'value' ? '?' : sql.slice(at, end)
    tokens.push({
      kind,
      text,
      isSpaced,
      isLiteral: kind === 'value' && !isPlaceholder(sql, at, end),
    })
    isSpaced = false
    at = end
    if (kind === 'word' && text.length === 6 && text.toLowerCase() === 'values') depth = 0
    else if (depth >= 0) {
      if (text === '(') depth++
      else if (text === ')') {
        if (--depth <= 0) {
          if (!hasAllRows) at = endOfRows(sql, at, isMysql)
          depth = -1
        }
      } else if (depth === 0) depth = -1
    }
  }
  return tokens
}

/** Whether an engine's strings are those of MySQL, by OpenTelemetry's name of it. */
export function hasMysqlStrings(system: string): boolean {
  return system === 'mysql' || system === 'mariadb' || system === 'singlestore'
}

/** @returns the index after all of `, ( ... )` */
function endOfRows(sql: string, start: number, isMysql: boolean): number {
  let end = start
  for (;;) {
    let at = afterAllSpace(sql, end)
    if (sql[at] !== ',') return end
    at = afterAllSpace(sql, at + 1)
    if (sql[at] !== '(') return end
    end = endOfParenthesis(sql, at, isMysql)
  }
}

function afterAllSpace(sql: string, start: number): number {
  let at = start
  for (;;) {
    const end = at < sql.length ? endOfSpace(sql, at, sql.charCodeAt(at)) : at
    if (end === at) return at
    at = end
  }
}

function endOfParenthesis(sql: string, open: number, isMysql: boolean): number {
  let depth = 0
  let at = open
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    if (code === 40) depth++
    else if (code === 41 && --depth === 0) return at + 1
    // Only these can hide a parenthesis.
    const end =
      code === 39 || code === 36 || isEscaping(sql, at, code) || (isMysql && code === 34)
        ? endOfValue(sql, at, code, isMysql)
        : code === 34 || code === 96
          ? endOfQuoted(sql, at, code)
          : code === 45 || code === 47
            ? endOfSpace(sql, at, code)
            : at
    at = end > at ? end : at + 1
  }
  return at
}

/** @returns the index after whitespace or a comment; `at` where there is none */
function endOfSpace(sql: string, at: number, code: number): number {
  if (isSpace(code)) {
    let end = at + 1
    while (isSpace(sql.charCodeAt(end))) end++
    return end
  }
  const next = sql.charCodeAt(at + 1)
  if (code === 45 && next === 45) return after(sql, '\n', at)
  if (code === 47 && next === 42) return after(sql, '*/', at + 2)
  return at
}

/** @returns the index after a literal or placeholder; `at` where there is none */
function endOfValue(sql: string, at: number, code: number, isMysql: boolean): number {
  if (code === 39 || (isMysql && code === 34)) return endOfString(sql, at, code, isMysql)
  if (code === 63) return endOfDigits(sql, at + 1)
  if (isDigit(code)) return endOfNumber(sql, at)
  const next = sql.charCodeAt(at + 1)
  switch (code) {
    case 46:
      return isDigit(next) ? endOfNumber(sql, at) : at
    case 36:
      return isDigit(next) ? endOfDigits(sql, at + 1) : endOfDollar(sql, at)
    case 58:
    case 64:
      // `::` is a cast, `:=` an assignment, `@>` an operator.
      return isWordStart(next) && sql.charCodeAt(at - 1) !== 58 ? endOfWord(sql, at + 1) : at
    case 66:
    case 69:
    case 78:
    case 88:
    case 98:
    case 101:
    case 110:
    case 120:
      // b'..', e'..', n'..', x'..'
      return next === 39 ? endOfString(sql, at + 1, 39, isMysql || isEscaping(sql, at, code)) : at
    default:
      return at
  }
}

/** `E'..'`, in which a backslash escapes. */
function isEscaping(sql: string, at: number, code: number): boolean {
  return (
    (code | 32) === 101 && sql.charCodeAt(at + 1) === 39 && !isWordStart(sql.charCodeAt(at - 1))
  )
}

/** Of a value: `?`, `?1`, `$1`, `$name`, `:name` and `@name`, which hold nothing. */
function isPlaceholder(sql: string, at: number, end: number): boolean {
  const code = sql.charCodeAt(at)
  if (code === 36) return !sql.slice(at + 1, end).includes('$')
  return code === 63 || code === 58 || code === 64
}

/** `$name` as a placeholder, or `$tag$ ... $tag$` as a string. */
function endOfDollar(sql: string, at: number): number {
  const isTagged = isWordStart(sql.charCodeAt(at + 1))
  let end = at + 1
  if (isTagged) while (isWordStart(sql.charCodeAt(end)) || isDigit(sql.charCodeAt(end))) end++
  if (sql.charCodeAt(end) === 36) return after(sql, sql.slice(at, end + 1), end + 1)
  return isTagged ? end : at
}

function endOfQuoted(sql: string, at: number, code: number): number {
  if (code === 34 || code === 96) return endOfString(sql, at, code, false)
  if (code !== 91 || !isWordStart(sql.charCodeAt(at + 1))) return at
  // `[a name]` of SQLite; `x[i]` of an array is one too, and says the same.
  const close = sql.indexOf(']', at)
  // `array[a, 'b']` holds values.
  return close === -1 || /['"(,$?]/.test(sql.slice(at, close)) ? at : close + 1
}

/** A quote that is doubled is one of its characters; a string that does not end, ends with the statement. */
function endOfString(sql: string, at: number, quote: number, escapes: boolean): number {
  if (escapes) return endOfEscaped(sql, at, quote)
  const character = String.fromCharCode(quote)
  let end = at + 1
  for (;;) {
    end = after(sql, character, end)
    if (sql.charCodeAt(end) !== quote) return end
    end++
  }
}

/** The same of a string in which a backslash takes the meaning from what follows. */
function endOfEscaped(sql: string, at: number, quote: number): number {
  let end = at + 1
  while (end < sql.length) {
    const code = sql.charCodeAt(end)
    if (code === 92) end += 2
    else if (code !== quote) end++
    else if (sql.charCodeAt(end + 1) === quote) end += 2
    else return end + 1
  }
  return sql.length
}

function endOfNumber(sql: string, at: number): number {
  if (sql.charCodeAt(at) === 48 && (sql.charCodeAt(at + 1) | 32) === 120)
    return endOfWord(sql, at + 2)
  let end = endOfDigits(sql, at)
  if (sql.charCodeAt(end) === 46) end = endOfDigits(sql, end + 1)
  if ((sql.charCodeAt(end) | 32) !== 101) return end
  const sign = sql.charCodeAt(end + 1)
  const digits = sign === 43 || sign === 45 ? end + 2 : end + 1
  return isDigit(sql.charCodeAt(digits)) ? endOfDigits(sql, digits) : end
}

function endOfDigits(sql: string, start: number): number {
  let end = start
  while (isDigit(sql.charCodeAt(end))) end++
  return end
}

function endOfWord(sql: string, start: number): number {
  let end = start
  for (;;) {
    const code = sql.charCodeAt(end)
    if (!isWordStart(code) && !isDigit(code) && code !== 36) return end
    end++
  }
}

/** Of an operator that has two characters, both. */
function symbolLength(code: number, next: number): number {
  const isPair =
    (code === 58 && (next === 58 || next === 61)) ||
    ((code === 60 || code === 62 || code === 33) && (next === 61 || next === 62)) ||
    (code === 124 && next === 124) ||
    (code === 45 && next === 62)
  return isPair ? 2 : 1
}

function after(sql: string, text: string, start: number): number {
  const found = sql.indexOf(text, start)
  return found === -1 ? sql.length : found + text.length
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0xfeff
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isWordStart(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    code === 95 ||
    (code > 127 && code !== 0xa0 && code !== 0xfeff)
  )
}
