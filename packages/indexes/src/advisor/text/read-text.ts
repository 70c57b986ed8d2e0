import { type EngineName, engineTraits } from '@keelson/core'
import type { Statement } from '../shape/statement.ts'
import { readSyntaxTree } from './read-syntax-tree.ts'
import { executable, numbered } from './placeholders.ts'
import type { SqlParser } from './sql-parser.ts'

/** Reads statements out of their texts, each text once as long as it is among the last that were asked for. */
export class TextReader {
  readonly #parser: SqlParser | undefined
  readonly #engine: EngineName
  readonly #kept = new Map<string, Statement | undefined>()
  readonly #most: number

  /** @param most texts to remember */
  constructor(parser: SqlParser | undefined, engine: EngineName, most = 5_000) {
    this.#parser = parser
    this.#engine = engine
    this.#most = most
  }

  /** Undefined for what is not understood, or is neither a query nor a write. */
  read(sql: string): Statement | undefined {
    if (this.#kept.has(sql)) {
      const known = this.#kept.get(sql)
      this.#kept.delete(sql)
      this.#kept.set(sql, known)
      return known
    }
    const statement = this.#parse(sql)
    if (this.#kept.size >= this.#most) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(sql, statement)
    return statement
  }

  #parse(sql: string): Statement | undefined {
    if (this.#parser === undefined) return undefined
    try {
      // Which `?` is which is not in the tree; in PostgreSQL's grammar it is an operator.
      const isDollar = engineTraits[this.#engine].placeholder === '$n'
      const text = isDollar ? executable(sql, '$n') : numbered(sql)
      return readSyntaxTree(this.#parser.parse(text, this.#engine))
    } catch {
      // What it does not parse is counted by those who ask.
      return undefined
    }
  }
}
