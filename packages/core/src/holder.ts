import { callSite, captureCallSite } from './call-site.ts'
import { excerpt } from './excerpt.ts'

/** Who owns a connection, for the error messages of those who wait for it. */
export class Holder {
  readonly kind:
    | 'transaction'
    | 'stream'
    | 'migration'
    | 'maintenance'
    | 'statement'
    | 'session'
    | 'loan'
  /** The last statement it ran. */
  lastSql: string | undefined
  /** When it got the connection, by `performance.now()`. */
  since: number = performance.now()
  readonly #site: Error | undefined

  constructor(kind: Holder['kind'], lastSql?: string) {
    this.kind = kind
    this.lastSql = lastSql
    // A statement is over in a moment, and capturing a stack costs more than most of them.
    this.#site = kind === 'statement' ? undefined : captureCallSite()
  }

  /** `a transaction, open for 5003 ms, begun at app.ts:12:3, last statement: insert ...`. */
  describe(): string {
    const parts = [
      `${article(this.kind)} ${this.kind}, open for ${Math.round(performance.now() - this.since)} ms`,
    ]
    const site = this.#site && callSite(this.#site)
    if (site !== undefined) parts.push(`begun at ${site}`)
    parts.push(
      this.lastSql === undefined ? 'no statement yet' : `last statement: ${excerpt(this.lastSql)}`,
    )
    return parts.join(', ')
  }
}

function article(kind: string): string {
  return /^[aeiou]/.test(kind) ? 'an' : 'a'
}
