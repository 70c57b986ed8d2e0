import { isSymbol, isWord } from './normal-form.ts'
import { type Token, tokensOf } from './tokens.ts'

const writes: ReadonlySet<string> = new Set(
  'insert update delete merge replace truncate copy create alter drop grant revoke'.split(' '),
)

/**
 * The first operation of a text that changes what is stored: of its statements, which may be several, and of those inside
 * them, as in `with gone as (delete from t returning *) select * from gone`.
 *
 * @returns in capitals; `undefined` where there is none
 */
export function writeIn(text: string): string | undefined {
  const tokens = tokensOf(text)
  const write = tokens.find((token, at) => isWrite(token, tokens[at - 1], tokens[at + 1]))
  return write?.text.toUpperCase()
}

/** A statement stands first, after a semicolon, in parentheses, or behind common table expressions. */
function isWrite(token: Token, before: Token | undefined, next: Token | undefined): boolean {
  if (token.kind !== 'word' || !writes.has(token.text.toLowerCase())) return false
  if (before === undefined || isSymbol(before, ';')) return true
  // `(replace(a, b))` is a function, `(update)` a column.
  if (isSymbol(before, '(') || isSymbol(before, ')'))
    return next?.kind === 'word' || next?.kind === 'quoted'
  return isWord(before, 'analyze')
}
