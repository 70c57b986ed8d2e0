import { hasMysqlStrings, tokensOf } from './tokens.ts'

/** Of the longest statement that is looked into, in characters. */
export const longestJudged = 4_096

/**
 * Whether a value stands in the text, and not only placeholders. Where it is not sure it is taken to: in comments, by the
 * backslash, whose meaning depends on settings, and in what is long.
 */
export function mayHoldValue(sql: string, system: string): boolean {
  if (sql.length > longestJudged || /['\\#]|--|\/\*/.test(sql)) return true
  return tokensOf(sql, hasMysqlStrings(system), true).some(({ isLiteral }) => isLiteral)
}
