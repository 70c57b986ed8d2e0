import { sqlTokens, type SqlToken } from './tokens.ts'

const comparisons = new Set(['=', '<', '>', '!', 'like', 'glob', 'is', 'in', 'not'])

/**
 * Names the column that a placeholder stands for, for an error message: in `INSERT INTO t (a, b) VALUES (?, ?)` by
 * position, in `a = ?`, `a IN (?, ?)` by the name before it.
 *
 * @param index the placeholder's position, from 0
 * @returns undefined where the text does not tell
 */
export function parameterColumn(sql: string, index: number): string | undefined {
  const tokens = [...sqlTokens(sql)]
  let placeholder = -1
  for (let seen = 0; seen <= index; seen++) {
    placeholder = tokens.findIndex((token, at) => at > placeholder && token.kind === 'placeholder')
    if (placeholder === -1) return undefined
  }
  return insertColumn(tokens, placeholder) ?? comparedColumn(tokens, placeholder)
}

function insertColumn(tokens: readonly SqlToken[], placeholder: number): string | undefined {
  const values = tokens.findIndex(
    ({ kind, text }) => kind === 'word' && text.toLowerCase() === 'values',
  )
  if (values === -1 || values > placeholder) return undefined
  const columns = columnList(tokens.slice(0, values))
  let position = 0
  let depth = 0
  for (const { text } of tokens.slice(values + 1, placeholder)) {
    if (text === '(' && depth++ === 0) position = 0
    else if (text === ')') depth--
    else if (text === ',' && depth === 1) position++
  }
  return depth > 0 ? columns[position] : undefined
}

function columnList(head: readonly SqlToken[]): string[] {
  const open = head.findLastIndex(({ text }) => text === '(')
  if (open === -1 || head.at(-1)!.text !== ')') return []
  return head
    .slice(open + 1)
    .filter(({ kind }) => kind === 'word' || kind === 'quoted')
    .map(({ text }) => text)
}

function comparedColumn(tokens: readonly SqlToken[], placeholder: number): string | undefined {
  let at = placeholder - 1
  // The list of `in (?, ?)`; a comma behind anything else separates columns, or arguments of a function.
  while (tokens[at]?.text === ',' && tokens[at - 1]?.kind === 'placeholder') at -= 2
  if (tokens[at]?.text === '(') at--
  const comparison = at
  while (comparisons.has(tokens[at]?.text.toLowerCase() ?? '') && tokens[at]!.kind !== 'quoted')
    at--
  const column = tokens[at]
  if (at === comparison || (column?.kind !== 'word' && column?.kind !== 'quoted')) return undefined
  return column.text
}
