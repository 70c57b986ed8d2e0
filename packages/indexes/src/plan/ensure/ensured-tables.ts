import type { TableDefinition } from '../../ir/table-definition.ts'
import { hashOf } from './definition-hash.ts'

/** How many definitions are remembered of a database by what they say; those that are the same objects cost nothing. */
const maxHashes = 10_000

/** Which tables a database is known to have. */
export class EnsuredTables {
  #objects = new WeakSet<TableDefinition>()
  readonly #hashes = new Set<string>()
  #age = 0
  /** What is being done now, by what is asked for. */
  readonly running: Map<string, Promise<void>> = new Map()

  /** Whether all were there when they were last looked at. No text is made of a definition that was given before. */
  has(tables: readonly TableDefinition[]): boolean {
    for (const table of tables)
      if (!this.#objects.has(table) && !this.#hasAlike(table)) return false
    return true
  }

  add(tables: readonly TableDefinition[]): void {
    for (const table of tables) {
      this.#objects.add(table)
      const hash = hashOf(table)
      this.#hashes.delete(hash)
      this.#hashes.add(hash)
    }
    // A set gives its elements in the order in which they were added.
    for (const oldest of this.#hashes) {
      if (this.#hashes.size <= maxHashes) break
      this.#hashes.delete(oldest)
    }
  }

  /** Changes whenever something is forgotten: what was found out before then is not to be added. */
  get age(): number {
    return this.#age
  }

  forget(): void {
    this.#age++
    this.#objects = new WeakSet()
    this.#hashes.clear()
    this.running.clear()
  }

  #hasAlike(table: TableDefinition): boolean {
    if (!this.#hashes.has(hashOf(table))) return false
    this.#objects.add(table)
    return true
  }
}

const key = Symbol.for('keelson.indexes.ensured')

/** Whether a database is known to have all of them, without making anything of it first. */
export function areEnsured(
  identity: object | undefined,
  tables: readonly TableDefinition[],
): boolean {
  return identity !== undefined && ensuredTablesOf(identity).has(tables)
}

/** What is known of the database that is known by `identity`. */
export function ensuredTablesOf(identity: object): EnsuredTables {
  const owner = globalThis as { [key]?: WeakMap<object, EnsuredTables> }
  const all = (owner[key] ??= new WeakMap())
  let known = all.get(identity)
  if (known === undefined) {
    known = new EnsuredTables()
    all.set(identity, known)
  }
  return known
}
