import type { Token } from './tokens.ts'

/** After these a parenthesis holds a list whose length is data, and not a part of the statement. */
const beforeList: ReadonlySet<string> = new Set(['in', 'values', 'any', 'all', 'some', 'row'])
/** What may stand in a list of values beside literals and placeholders. */
const valueWords: ReadonlySet<string> = new Set(['null', 'default', 'true', 'false'])

/**
 * The statement with what differs from call to call taken out: values are `?`, a list of values is `(?+)`, of several rows
 * of VALUES the first one stands for all, comments are gone, and whitespace is one space. The same as pt-query-digest does:
 * https://docs.percona.com/percona-toolkit/pt-query-digest.html
 */
export function normalForm(tokens: readonly Token[]): string {
  let text = ''
  let last: string | undefined
  let at = 0
  while (at < tokens.length) {
    const token = tokens[at]!
    const end = endOfList(tokens, at)
    const written = end === at ? token.text : token.text === '(' ? '(?+)' : '[?+]'
    const needsSpace =
      last === ',' || (token.isSpaced && last !== '(' && written !== ')' && written !== ',')
    text += needsSpace && last !== undefined ? ` ${written}` : written
    last = written
    at = end === at ? at + 1 : end
  }
  return text
}

/** @returns the index after a list of nothing but values that begins here, and after those that follow it; else `open` */
function endOfList(tokens: readonly Token[], open: number): number {
  const bracket = tokens[open]!
  if (bracket.kind !== 'symbol' || !mayBeList(tokens[open - 1], bracket.text)) return open
  let end = afterList(tokens, open)
  if (end === -1) return open
  while (isSymbol(tokens[end], ',') && isSymbol(tokens[end + 1], '(')) {
    const next = afterList(tokens, end + 1)
    if (next === -1) return end
    end = next
  }
  return end
}

/** `lower(?)` keeps its arity; `in (?)`, `values (?)`, `(a, b) in ((?, ?))` and `array[?]` are lists. */
function mayBeList(before: Token | undefined, bracket: string): boolean {
  if (bracket === '[') return isWord(before, 'array')
  if (bracket !== '(' || before === undefined) return false
  if (before.kind === 'word') return beforeList.has(before.text.toLowerCase())
  return before.kind === 'symbol' && before.text !== ')' && before.text !== ']'
}

/** @returns the index after the bracket that closes a list of nothing but values; -1 for anything else */
function afterList(tokens: readonly Token[], open: number): number {
  const close = tokens[open]!.text === '(' ? ')' : ']'
  let at = open + 1
  for (;;) {
    if (isSymbol(tokens[at], '-') || isSymbol(tokens[at], '+')) at++
    if (!isValue(tokens[at])) return -1
    at++
    if (isSymbol(tokens[at], '::')) at = afterType(tokens, at + 1)
    if (isSymbol(tokens[at], close)) return at + 1
    if (!isSymbol(tokens[at], ',')) return -1
    at++
  }
}

function isValue(token: Token | undefined): boolean {
  if (token?.kind === 'value') return true
  return token?.kind === 'word' && valueWords.has(token.text.toLowerCase())
}

/** @returns the index after the name of a type: `int`, `numeric(10, 2)`, `text[]` */
function afterType(tokens: readonly Token[], start: number): number {
  let at = start
  while (tokens[at]?.kind === 'word' || tokens[at]?.kind === 'quoted' || isSymbol(tokens[at], '.'))
    at++
  if (isSymbol(tokens[at], '(')) {
    while (at < tokens.length && !isSymbol(tokens[at], ')')) at++
    at++
  }
  while (isSymbol(tokens[at], '[') && isSymbol(tokens[at + 1], ']')) at += 2
  return at
}

export function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toLowerCase() === word
}

export function isSymbol(token: Token | undefined, text: string): boolean {
  return token?.kind === 'symbol' && token.text === text
}
