import type { QueryFingerprint } from '@keelson/core'
import { fingerprintId } from './fingerprint-id.ts'
import { isSymbol, isWord, normalForm } from './normal-form.ts'
import { type Token, tokensOf } from './tokens.ts'

/** The limit of OpenTelemetry for `db.query.summary`: https://opentelemetry.io/docs/specs/semconv/database/database-spans/ */
const longestSummary = 255
/** After these comes a table. */
const beforeTable: ReadonlySet<string> = new Set([
  'from',
  'join',
  'into',
  'update',
  'table',
  'using',
])
const operations: ReadonlySet<string> = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'replace',
  'values',
])
/** Functions that have a `from` among their arguments. */
const fromFunctions: ReadonlySet<string> = new Set(['extract', 'trim', 'substring', 'overlay'])
/** Words that follow `from`, `table` and so on and are not the table. */
const notTables: ReadonlySet<string> = new Set([
  'select',
  'only',
  'lateral',
  'if',
  'not',
  'exists',
  'set',
  'values',
  'unnest',
])

/**
 * What a statement is, apart from its values: the key under which its calls are counted together.
 *
 * @param sql any text; what is no SQL has a fingerprint too
 * @example
 * fingerprint('select * from t where id in (1, 2, 3)').text // select * from t where id in (?+)
 */
export function fingerprint(sql: string): QueryFingerprint {
  const tokens = tokensOf(sql)
  return fingerprintFrom(tokens, textOf(sql, tokens))
}

/** The key of a statement. What a package of ours sends by itself says so in a comment, which stays: it is nobody's query. */
export function textOf(sql: string, tokens: readonly Token[]): string {
  const [mark = ''] = ownMark.exec(sql) ?? []
  return mark + normalForm(tokens)
}

/** Whether a fingerprint is one of what a package of ours has sent by itself. */
export function isOwnText(text: string): boolean {
  return ownMark.test(text)
}

const ownMark = /^\/\* keelson \w+ \*\/ /

/** The same, of a statement that was taken apart before. */
export function fingerprintFrom(tokens: readonly Token[], text: string): QueryFingerprint {
  const operation = operationOf(tokens)
  const tables = tablesOf(tokens)
  const [single] = tables
  return Object.freeze({
    id: fingerprintId(text),
    text,
    operation,
    tables: Object.freeze(tables),
    summary: summaryOf(operation, tables),
    ...(tables.length === 1 && { single }),
  })
}

/** The first word; of `with ... select` the word after the common table expressions. */
function operationOf(tokens: readonly Token[]): string {
  const [first] = tokens
  if (first === undefined) return ''
  if (!isWord(first, 'with')) return first.kind === 'word' ? first.text.toUpperCase() : first.text
  let depth = 0
  for (const token of tokens) {
    if (isSymbol(token, '(')) depth++
    else if (isSymbol(token, ')')) depth--
    else if (depth === 0 && token.kind === 'word' && operations.has(token.text.toLowerCase()))
      return token.text.toUpperCase()
  }
  return 'WITH'
}

/** The tables in the order in which they are named, each once, without common table expressions. */
function tablesOf(tokens: readonly Token[]): string[] {
  const expressions = commonTableExpressions(tokens)
  const names = new Set(Array.from(sources(tokens), ({ name }) => name))
  return [...names].filter((name) => !expressions.has(name))
}

/** By what a statement calls it, the name of each table and common table expression; what two are called stands for itself. */
export function aliasesIn(sql: string): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>()
  for (const { name, alias = name } of sources(tokensOf(sql))) {
    const known = aliases.get(alias) ?? name
    aliases.set(alias, known === name ? name : alias)
  }
  return aliases
}

/** What a statement reads or writes, each time that it is named. */
interface Source {
  readonly name: string
  readonly alias: string | undefined
}

function* sources(tokens: readonly Token[]): Generator<Source> {
  /** The words before the parentheses that are open. */
  const around: string[] = []
  const isCopy = isWord(tokens[0], 'copy')
  if (isCopy) {
    const [name] = nameAt(tokens, 1)
    if (name !== undefined) yield { name, alias: undefined }
  }
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    const before = tokens[at - 1]
    if (isSymbol(token, '(')) around.push(before?.kind === 'word' ? before.text.toLowerCase() : '')
    else if (isSymbol(token, ')')) around.pop()
    if (token.kind !== 'word' || !beforeTable.has(token.text.toLowerCase())) continue
    // What rows are copied from is no table.
    if (isCopy && around.length === 0) continue
    // `extract(year from x)`, `a is distinct from b`.
    if (
      isWord(token, 'from') &&
      (fromFunctions.has(around.at(-1) ?? '') || isWord(before, 'distinct'))
    )
      continue
    // `for update`, `do update set`, `on update cascade`.
    if (
      isWord(token, 'update') &&
      (isWord(before, 'for') || isWord(before, 'do') || isWord(before, 'on'))
    )
      continue
    let next = at + 1
    for (;;) {
      while (tokens[next]?.kind === 'word' && notTables.has(tokens[next]!.text.toLowerCase()))
        next++
      const [name, end] = nameAt(tokens, next)
      if (name === undefined) break
      // A function that returns rows is no table; `insert into t (a)` is one.
      const isCall = isSymbol(tokens[end], '(') && !isWord(token, 'into') && !isWord(token, 'table')
      next = isWord(tokens[end], 'as') ? end + 1 : end
      const alias = isAlias(tokens[next]) ? nameIn(tokens[next++]!) : undefined
      if (!isCall) yield { name, alias }
      // `from a, b as c, d`
      if (!isWord(token, 'from') || !isSymbol(tokens[next], ',')) break
      next++
    }
  }
}

const clauses: ReadonlySet<string> = new Set(
  'where join left right inner outer full cross natural on group order having limit offset union except intersect returning set window for using values fetch'.split(
    ' ',
  ),
)

function isAlias(token: Token | undefined): boolean {
  if (token?.kind === 'quoted') return true
  return token?.kind === 'word' && !clauses.has(token.text.toLowerCase())
}

/** A name with its schema: `a`, `"a"."b"`. @returns also the index after it */
function nameAt(tokens: readonly Token[], start: number): [name: string | undefined, end: number] {
  const parts: string[] = []
  let at = start
  for (;;) {
    const token = tokens[at]
    if (token?.kind !== 'word' && token?.kind !== 'quoted') return [undefined, at]
    parts.push(nameIn(token))
    at++
    if (!isSymbol(tokens[at], '.')) return [parts.join('.'), at]
    at++
  }
}

function nameIn({ kind, text }: Token): string {
  return kind === 'quoted' ? unquoted(text) : text
}

function unquoted(text: string): string {
  const quote = text[0]!
  const inner = text.slice(1, text.endsWith(quote === '[' ? ']' : quote) ? -1 : undefined)
  return quote === '[' ? inner : inner.replaceAll(quote + quote, quote)
}

function commonTableExpressions(tokens: readonly Token[]): ReadonlySet<string> {
  const names = new Set<string>()
  if (!isWord(tokens[0], 'with')) return names
  for (let at = 1; at < tokens.length; at++) {
    const isNamed = tokens[at]!.kind === 'word' || tokens[at]!.kind === 'quoted'
    const begins =
      isWord(tokens[at - 1], 'with') ||
      isWord(tokens[at - 1], 'recursive') ||
      isSymbol(tokens[at - 1], ',')
    if (!isNamed || !begins) continue
    const next = isSymbol(tokens[at + 1], '(') ? closing(tokens, at + 1) + 1 : at + 1
    if (!isWord(tokens[next], 'as')) continue
    names.add(nameIn(tokens[at]!))
  }
  return names
}

function closing(tokens: readonly Token[], open: number): number {
  let depth = 0
  for (let at = open; at < tokens.length; at++) {
    if (isSymbol(tokens[at], '(')) depth++
    else if (isSymbol(tokens[at], ')') && --depth === 0) return at
  }
  return tokens.length
}

/** Names are left out whole where there are too many. */
function summaryOf(operation: string, tables: readonly string[]): string {
  let summary = operation.slice(0, longestSummary)
  for (const table of tables) {
    if (summary.length + 1 + table.length > longestSummary) break
    summary += ` ${table}`
  }
  return summary
}
