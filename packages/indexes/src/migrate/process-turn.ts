import type { Holder } from '@keelson/core'

interface Waiter {
  readonly holder: Holder
  readonly admit: () => void
}

/** One of this process migrates a database at a time, the others in the order in which they came. */
class ProcessTurn {
  #holder: Holder | undefined
  readonly #waiting: Waiter[] = []

  get holder(): Holder | undefined {
    return this.#holder
  }

  /** @returns whether the turn was taken in time */
  async take(holder: Holder, timeoutMs: number): Promise<boolean> {
    if (this.#holder === undefined) {
      this.#holder = holder
      return true
    }
    return await new Promise((resolve) => {
      const waiter = {
        holder,
        admit: () => {
          clearTimeout(timer)
          resolve(true)
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        resolve(false)
      }, timeoutMs)
      this.#waiting.push(waiter)
    })
  }

  pass(): void {
    const next = this.#waiting.shift()
    this.#holder = next?.holder
    next?.admit()
  }
}

interface KnownTurns {
  readonly byFile: Map<string, ProcessTurn>
  readonly byIdentity: WeakMap<object, ProcessTurn>
}

const key = Symbol.for('keelson.indexes.migrations')

/** The turn of a database, by its file where it has one, for every copy of this package. */
export function turnOf(database: string | object): ProcessTurn {
  const host = globalThis as { [key]?: KnownTurns }
  const { byFile, byIdentity } = (host[key] ??= { byFile: new Map(), byIdentity: new WeakMap() })
  const known = typeof database === 'string' ? byFile.get(database) : byIdentity.get(database)
  const turn = known ?? new ProcessTurn()
  if (typeof database === 'string') byFile.set(database, turn)
  else byIdentity.set(database, turn)
  return turn
}
