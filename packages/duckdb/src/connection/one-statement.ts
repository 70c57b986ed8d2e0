const tokens =
  /\s+|--[^\n]*|\/\*[^]*?\*\/|[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?\$\1\$|[\w$]+|[^]/g

/** Whether a text holds one statement, whatever DuckDB makes of it. */
export function isOneStatement(sql: string): boolean {
  let statements = 0
  let isWithin = false
  for (const [token] of sql.matchAll(tokens)) {
    if (/^(\s|--|\/\*)/.test(token)) continue
    if (token === ';') isWithin = false
    else if (!isWithin) {
      isWithin = true
      statements++
    }
  }
  return statements === 1
}
