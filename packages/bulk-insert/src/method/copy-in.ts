/** The wire connection that `pg` hands to whatever is submitted to it as a query. */
export interface PgWire {
  query(text: string): void
  sendCopyFromChunk(chunk: Uint8Array): void
  endCopyFrom(): void
  sendCopyFail(message: string): void
}

/** What is told of a COPY, in the shape of a result of `pg`. */
interface CopyResult {
  readonly command: 'COPY'
  readonly rowCount: number
  readonly rows: readonly never[]
}

/**
 * A COPY FROM STDIN, to be given to a client of `pg` as a query, the way cursors are
 * (https://node-postgres.com/apis/cursor): `pg` calls the methods as the server's messages arrive, and what it is awaited
 * for is the result.
 */
export class CopyIn implements PromiseLike<CopyResult> {
  /** What `pg` wants to have called in the end, where it has a `query_timeout`. */
  callback: (() => void) | undefined
  readonly #sql: string
  readonly #data: Iterable<Uint8Array>
  readonly #result: Promise<CopyResult>
  #resolve!: (result: CopyResult) => void
  #reject!: (error: unknown) => void
  #rowCount = 0

  /** @param data made as it is sent: while the server reads one part, the next one is made */
  constructor(sql: string, data: Iterable<Uint8Array>) {
    this.#sql = sql
    this.#data = data
    this.#result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever awaits it hears of it.
    this.#result.catch(() => {})
  }

  get rowCount(): number {
    return this.#rowCount
  }

  // oxlint-disable-next-line unicorn/no-thenable -- what `pg` returns for a query that was submitted is awaited
  then<A = CopyResult, B = never>(
    resolved?: ((result: CopyResult) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(resolved, rejected)
  }

  submit(wire: PgWire): void {
    wire.query(this.#sql)
  }

  handleCopyInResponse(wire: PgWire): void {
    try {
      for (const part of this.#data) wire.sendCopyFromChunk(part)
    } catch (error) {
      // What the server answers to it is about this one.
      this.#reject(error)
      wire.sendCopyFail('a value cannot be sent')
      return
    }
    wire.endCopyFrom()
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rowCount = Number(/^COPY (\d+)$/.exec(text)?.[1] ?? 0)
  }

  handleError(error: unknown): void {
    this.callback?.()
    this.#reject(error)
  }

  handleReadyForQuery(): void {
    this.callback?.()
    this.#resolve({ command: 'COPY', rowCount: this.#rowCount, rows: [] })
  }
}

/** Looks at the wire of a client, and sends nothing; undefined where the client is not one of `pg`. */
export class WireProbe {
  /** See `CopyIn`. */
  callback: (() => void) | undefined
  readonly rows: readonly never[] = []
  #wire: Partial<PgWire> | undefined

  submit(wire: Partial<PgWire>): Error {
    this.#wire = wire
    return new Error('nothing to send')
  }

  handleError(): void {
    this.callback?.()
  }

  handleReadyForQuery(): void {}

  get canCopy(): boolean {
    const wire = this.#wire
    return typeof wire?.sendCopyFromChunk === 'function' && typeof wire.endCopyFrom === 'function'
  }
}
