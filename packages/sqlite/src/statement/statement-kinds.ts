import { type StatementVerb, statementVerb } from './verb.ts'

/** What is known of a statement from its text, and was learned of it by a thread that is not the one that runs it. */
export interface StatementKind {
  readonly verb: StatementVerb
  /** It reads, unless the thread that it is sent to says otherwise. */
  readonly mayRead: boolean
  /** It may read what the connection remembers of the statements before it. */
  readonly readsConnection: boolean
  /** How long a thread takes for it, in microseconds, once that is known. */
  costUs: number | undefined
  /** Which connections may run it, once a thread has told; and under which definitions that was. */
  route: { readonly kind: 'any' | 'writer'; readonly generation: number } | undefined
}

/** Kinds by text, of the statements used last. */
export class StatementKinds {
  readonly #size: number
  readonly #kinds = new Map<string, StatementKind>()

  constructor(size: number) {
    this.#size = size
  }

  of(sql: string): StatementKind {
    const known = this.#kinds.get(sql)
    if (known !== undefined) return known
    const verb = statementVerb(sql)
    const mayRead = verb === 'select' || isExplain(sql)
    const kind: StatementKind = {
      verb,
      mayRead,
      readsConnection: /\b(?:last_insert_rowid|(?:total_)?changes)\s*\(\s*\)/i.test(sql),
      costUs: undefined,
      route: undefined,
    }
    if (this.#kinds.size >= this.#size) this.#kinds.clear()
    this.#kinds.set(sql, kind)
    return kind
  }
}

function isExplain(sql: string): boolean {
  return /^\s*explain\b/i.test(sql)
}
