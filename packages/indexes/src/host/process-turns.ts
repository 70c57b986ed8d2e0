/** Who waits for a turn, or has it. */
export interface Turn {
  /** How long to wait for it, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Is called when it begins. */
  readonly began?: () => void
  /** What tells, where that is known, who has it. */
  readonly describe?: () => string
}

/**
 * Lets one at a time of this process use a database, the others in the order in which they came. A database is known by its
 * file where it has one, which several pools can have open, or else by what the ORM has it by.
 */
class ProcessTurns {
  readonly #byFile = new Map<string, Line>()
  readonly #byIdentity = new WeakMap<object, Line>()

  /**
   * Runs `fn` once all who came before are done.
   *
   * @param timedOut makes the error for one who has waited for too long, given who has the turn
   * @throws the signal's reason
   */
  async run<R>(
    database: string | object,
    turn: Turn,
    timedOut: (current: Turn) => Error,
    fn: () => Promise<R>,
  ): Promise<R> {
    turn.signal?.throwIfAborted()
    const line = this.#lineOf(database)
    if (line.current === undefined) line.current = turn
    else await waitIn(line, turn, timedOut)
    try {
      turn.began?.()
      return await fn()
    } finally {
      const next = line.waiting.shift()
      line.current = next?.turn
      if (next !== undefined) next.admit()
      else if (typeof database === 'string') this.#byFile.delete(database)
    }
  }

  #lineOf(database: string | object): Line {
    const known =
      typeof database === 'string' ? this.#byFile.get(database) : this.#byIdentity.get(database)
    if (known !== undefined) return known
    const line: Line = { current: undefined, waiting: [] }
    if (typeof database === 'string') this.#byFile.set(database, line)
    else this.#byIdentity.set(database, line)
    return line
  }
}

interface Line {
  current: Turn | undefined
  readonly waiting: Waiter[]
}

interface Waiter {
  readonly turn: Turn
  readonly admit: () => void
}

function waitIn(line: Line, turn: Turn, timedOut: (current: Turn) => Error): Promise<void> {
  const { signal, timeoutMs } = turn
  return new Promise((resolve, reject) => {
    const leave = (error: unknown): void => {
      line.waiting.splice(line.waiting.indexOf(waiter), 1)
      stop()
      reject(error as Error)
    }
    const timer = setTimeout(() => leave(timedOut(line.current!)), timeoutMs)
    const abort = (): void => leave(signal?.reason)
    const stop = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    const waiter: Waiter = {
      turn,
      admit: () => {
        stop()
        resolve()
      },
    }
    signal?.addEventListener('abort', abort, { once: true })
    line.waiting.push(waiter)
  })
}

/**
 * The turns of every copy of this package.
 *
 * @param what is done in turns: something else need not wait for it
 */
export function processTurns(what: 'migrations' | 'schemas'): ProcessTurns {
  const owner = globalThis as { [key: symbol]: ProcessTurns | undefined }
  return (owner[Symbol.for(`keelson.indexes.turns.${what}`)] ??= new ProcessTurns())
}
