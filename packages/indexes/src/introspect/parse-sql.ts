/** Over 300 lines, being one subject: the grammar of an expression, which one parser goes through. */
import { type EngineName, quoteIdentifier } from '@keelson/core'
import { signs, type Strengths, strengths, wordOperators } from './operators.ts'
import type { SqlNode } from './sql-node.ts'
import { lexemesOf, type SqlLexeme } from './sql-syntax.ts'

/**
 * Parses an expression as an engine shows it. What is not an expression of names, constants, operators, calls and casts
 * gives `undefined`, so that it is kept as the text that it is and never taken for something else.
 */
export function parseSql(sql: string, engine: EngineName): SqlNode | undefined {
  const lexemes = lexemesOf(sql, engine === 'sqlite')
  if (lexemes === undefined) return undefined
  try {
    const parser = new Parser(lexemes, engine)
    const node = parser.expression(0)
    return parser.isAtEnd ? node : undefined
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined
    throw error
  }
}

class NotUnderstood extends Error {}

const typeWords = new Set(['with', 'without', 'time', 'zone', 'varying', 'precision'])

/** Precedence climbing; a unary minus, casts and COLLATE bind most tightly. */
class Parser {
  readonly #lexemes: readonly SqlLexeme[]
  readonly #engine: EngineName
  readonly #strengths: Strengths
  #at = 0

  constructor(lexemes: readonly SqlLexeme[], engine: EngineName) {
    this.#lexemes = lexemes
    this.#engine = engine
    this.#strengths = strengths[engine]
  }

  get isAtEnd(): boolean {
    return this.#at === this.#lexemes.length
  }

  expression(least: number): SqlNode {
    let left = this.#prefixed()
    for (;;) {
      const operator = this.#operator()
      if (operator === undefined || operator.strength < least) return left
      left = this.#infix(left, operator)
    }
  }

  #prefixed(): SqlNode {
    if (this.#takeWord('not')) {
      return { kind: 'unary', operator: 'not', operand: this.expression(this.#strengths.not) }
    }
    return this.#postfixed(this.#signed())
  }

  #signed(): SqlNode {
    if (!this.#takeSign('-')) return this.#primary()
    const operand = this.#primary()
    return operand.kind === 'number' && !operand.digits.startsWith('-')
      ? { kind: 'number', digits: `-${operand.digits}` }
      : { kind: 'unary', operator: '-', operand }
  }

  #primary(): SqlNode {
    const lexeme = this.#next()
    switch (lexeme.kind) {
      case 'text':
        return { kind: 'text', text: lexeme.text }
      case 'number':
        return { kind: 'number', digits: lexeme.text }
      case 'name':
        return this.#named(lexeme)
      case 'word':
        return this.#worded(lexeme)
      case 'sign':
        if (lexeme.text === '(') {
          const inside = this.expression(0)
          this.#expectSign(')')
          return inside
        }
        if (lexeme.text === '[') return { kind: 'list', items: this.#items(']') }
        throw new NotUnderstood()
    }
  }

  #named(lexeme: SqlLexeme): SqlNode {
    if (this.#takeSign('.')) {
      // Functions of the engine's own are shown with their schema by DuckDB, and where another hides them by PostgreSQL.
      const called = this.#next().text
      if (!ownSchemas.has(lexeme.text) || !this.#takeSign('(')) throw new NotUnderstood()
      const items = this.#items(')')
      // What DuckDB shows of `[a, b]`.
      if (called === 'list_value') return { kind: 'list', items }
      return { kind: 'call', function: called, arguments: items }
    }
    if (this.#takeSign('('))
      return { kind: 'call', function: lexeme.text, arguments: this.#items(')') }
    return { kind: 'name', name: lexeme.text }
  }

  #worded(lexeme: SqlLexeme): SqlNode {
    const word = lexeme.text.toLowerCase()
    if (word === 'cast' || word === 'try_cast') {
      this.#expectSign('(')
      const operand = this.expression(0)
      this.#expectWord('as')
      const type = this.#type()
      this.#expectSign(')')
      if (word === 'try_cast')
        return { kind: 'call', function: `try_cast:${type}`, arguments: [operand] }
      return { kind: 'cast', operand, type }
    }
    if (word === 'case') return this.#case()
    if (word === 'array' && this.#takeSign('[')) return { kind: 'list', items: this.#items(']') }
    if (notNames.has(word)) throw new NotUnderstood()
    // In its parentheses the word IN is no operator.
    if (word === 'position' && this.#peekSign('(')) throw new NotUnderstood()
    if (this.#takeSign('(')) return { kind: 'call', function: word, arguments: this.#items(')') }
    if (constants[this.#engine].has(word)) return { kind: 'word', word }
    return this.#named({ ...lexeme, text: this.#nameOf(lexeme) })
  }

  #case(): SqlNode {
    const operand = this.#peekWord('when') ? undefined : this.expression(0)
    const branches: { when: SqlNode; result: SqlNode }[] = []
    while (this.#takeWord('when')) {
      const when = this.expression(0)
      this.#expectWord('then')
      branches.push({ when, result: this.expression(0) })
    }
    if (branches.length === 0) throw new NotUnderstood()
    const otherwise = this.#takeWord('else') ? this.expression(0) : undefined
    this.#expectWord('end')
    return {
      kind: 'case',
      ...(operand !== undefined && { operand }),
      branches,
      ...(otherwise !== undefined && { otherwise }),
    }
  }

  #items(close: string): readonly SqlNode[] {
    const items: SqlNode[] = []
    if (this.#takeSign(close)) return items
    do items.push(this.expression(0))
    while (this.#takeSign(','))
    this.#expectSign(close)
    return items
  }

  #postfixed(node: SqlNode): SqlNode {
    let operand = node
    for (;;) {
      if (this.#takeSign('::')) operand = { kind: 'cast', operand, type: this.#type() }
      else if (this.#takeWord('collate')) {
        operand = { kind: 'collate', operand, collation: this.#collation() }
      } else return operand
    }
  }

  /** PostgreSQL takes a name without quotes in lower case, however it is written. */
  #nameOf({ kind, text }: SqlLexeme): string {
    return kind === 'word' && this.#engine === 'postgresql' ? text.toLowerCase() : text
  }

  #collation(): string {
    const name = this.#nameOf(this.#next())
    if (!this.#takeSign('.')) return name
    // What stands before the point is a schema of PostgreSQL's, and another collation of DuckDB's.
    if (this.#engine !== 'postgresql' || name !== 'pg_catalog') throw new NotUnderstood()
    return this.#nameOf(this.#next())
  }

  #type(): string {
    const first = this.#next()
    if (first.kind !== 'word' && first.kind !== 'name') throw new NotUnderstood()
    // Another one in quotes than without to PostgreSQL alone; DuckDB shows its own in them.
    const isExact = first.kind === 'name' && this.#engine === 'postgresql'
    const words = [isExact ? quoteIdentifier(first.text, this.#engine) : first.text]
    for (;;) {
      const next = this.#lexemes[this.#at]
      if (next?.kind === 'word' && typeWords.has(next.text.toLowerCase()))
        words.push(` ${this.#next().text}`)
      else if (next?.text === '(' && next.kind === 'sign') {
        this.#at++
        words.push(
          `(${this.#items(')')
            .map((item) => ('digits' in item ? item.digits : '?'))
            .join(',')})`,
        )
      } else if (next?.text === '[' && next.kind === 'sign') {
        this.#at++
        this.#expectSign(']')
        words.push('[]')
      } else return words.join('')
    }
  }

  #operator(): { readonly name: string; readonly strength: number } | undefined {
    const lexeme = this.#lexemes[this.#at]
    if (lexeme === undefined || lexeme.kind === 'text' || lexeme.kind === 'name') return undefined
    const name = lexeme.text.toLowerCase()
    const table = this.#strengths
    if (lexeme.kind === 'sign') {
      const strength = signs.get(name)
      return strength === undefined ? undefined : { name, strength: table[strength] }
    }
    const strength = wordOperators.get(name)
    return strength === undefined ? undefined : { name, strength: table[strength] }
  }

  #infix(left: SqlNode, { name, strength }: { name: string; strength: number }): SqlNode {
    this.#at++
    switch (name) {
      case 'is':
        return this.#is(left)
      case 'isnull':
        return { kind: 'isNull', operand: left, not: false }
      case 'notnull':
        return { kind: 'isNull', operand: left, not: true }
      case 'not':
        if (this.#takeWord('null')) return { kind: 'isNull', operand: left, not: true }
        if (this.#takeWord('in')) return this.#in(left, true)
        if (this.#takeWord('like')) return this.#like(left, '!~~', strength)
        if (this.#takeWord('ilike')) return this.#like(left, '!~~*', strength)
        this.#expectWord('between')
        return this.#between(left, true)
      case 'like':
        return this.#like(left, '~~', strength)
      case 'ilike':
        return this.#like(left, '~~*', strength)
      case 'in':
        return this.#in(left, false)
      case 'between':
        return this.#between(left, false)
      default:
        return this.#binary(left, name, strength)
    }
  }

  #binary(left: SqlNode, name: string, strength: number): SqlNode {
    const operator = name === '==' ? '=' : name === '!=' ? '<>' : name
    const quantifier = this.#takeWord('any') ? 'any' : this.#takeWord('all') ? 'all' : undefined
    if (quantifier !== undefined) {
      this.#expectSign('(')
      let list = this.expression(0)
      this.#expectSign(')')
      while (list.kind === 'cast') list = list.operand
      const isIn = operator === '=' && quantifier === 'any'
      const isNotIn = operator === '<>' && quantifier === 'all'
      if (list.kind !== 'list' || !(isIn || isNotIn)) throw new NotUnderstood()
      return { kind: 'in', operand: left, values: list.items, not: isNotIn }
    }
    return { kind: 'binary', operator, left, right: this.expression(strength + 1) }
  }

  /** PostgreSQL and DuckDB show the operator that it is to them. */
  #like(left: SqlNode, operator: string, strength: number): SqlNode {
    if (this.#engine === 'sqlite') throw new NotUnderstood()
    return { kind: 'binary', operator, left, right: this.expression(strength + 1) }
  }

  #is(operand: SqlNode): SqlNode {
    const not = this.#takeWord('not')
    if (!this.#takeWord('null')) {
      const right = this.expression(this.#strengths.is + 1)
      // It is an operator of SQLite's; the others have words after it, such as UNKNOWN.
      if (this.#engine !== 'sqlite' && right.kind !== 'word') throw new NotUnderstood()
      return { kind: 'binary', operator: not ? 'is not' : 'is', left: operand, right }
    }
    return { kind: 'isNull', operand, not }
  }

  #in(operand: SqlNode, not: boolean): SqlNode {
    this.#expectSign('(')
    return { kind: 'in', operand, values: this.#items(')'), not }
  }

  #between(operand: SqlNode, not: boolean): SqlNode {
    const low = this.expression(this.#strengths.and + 1)
    this.#expectWord('and')
    const high = this.expression(this.#strengths.equals + 1)
    return { kind: 'between', operand, low, high, not }
  }

  #next(): SqlLexeme {
    const lexeme = this.#lexemes[this.#at]
    if (lexeme === undefined) throw new NotUnderstood()
    this.#at++
    return lexeme
  }

  #peekWord(word: string): boolean {
    const lexeme = this.#lexemes[this.#at]
    return lexeme?.kind === 'word' && lexeme.text.toLowerCase() === word
  }

  #takeWord(word: string): boolean {
    const found = this.#peekWord(word)
    if (found) this.#at++
    return found
  }

  #peekSign(sign: string): boolean {
    const lexeme = this.#lexemes[this.#at]
    return lexeme?.kind === 'sign' && lexeme.text === sign
  }

  #takeSign(sign: string): boolean {
    const found = this.#peekSign(sign)
    if (found) this.#at++
    return found
  }

  #expectSign(sign: string): void {
    if (!this.#takeSign(sign)) throw new NotUnderstood()
  }

  #expectWord(word: string): void {
    if (!this.#takeWord(word)) throw new NotUnderstood()
  }
}

const ownSchemas = new Set(['main', 'pg_catalog'])

const everywhere = ['true', 'false', 'null', 'current_date', 'current_time', 'current_timestamp']

// https://www.postgresql.org/docs/current/functions-info.html: "must be called without trailing parens"
const ofSession = [
  'current_catalog',
  'current_role',
  'current_schema',
  'current_user',
  'localtime',
  'localtimestamp',
  'session_user',
]

/** Words that stand for a value. */
const constants: Readonly<Record<EngineName, ReadonlySet<string>>> = {
  sqlite: new Set(everywhere),
  duckdb: new Set([...everywhere, ...ofSession]),
  postgresql: new Set([...everywhere, ...ofSession, 'system_user', 'user']),
  mysql: new Set(everywhere),
}

/** Words that begin what is not known here. */
const notNames = new Set(['select', 'exists'])
