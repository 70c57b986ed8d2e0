import type { EngineKind, Place } from './engines/place.ts'
import type { Observation, Told } from './observation.ts'
import type { Ability, Store, StoreSettings, SyncStore } from './store.ts'

/** What a scenario works with. */
export interface Arena {
  readonly place: Place
  readonly told: Told
  open(settings?: StoreSettings): Promise<Store>
}

export interface SyncArena {
  readonly place: Place
  readonly told: Told
  openSync(): SyncStore
}

/** What a scenario has measured beside the rows that were kept, which are read after it. */
export type Measured = Readonly<Record<string, number | string>>

/**
 * Something a program may ask of its database library, and how to tell whether it was done. The scenario is the same for
 * all libraries, and the verdict follows from what was observed.
 */
export interface CorruptionCase {
  readonly id: string
  /** What is right, as one sentence in the present tense. */
  readonly title: string
  readonly engine: EngineKind
  /** What the program does. */
  readonly asked: string
  /** What has to come out. */
  readonly right: string
  readonly needs?: readonly Ability[]
  /** Statements that are run before the scenario. The table `t` is there. */
  readonly schema?: readonly string[]
  /** Whether the engine's client without any library is put beside the others. */
  readonly byHand?: true
  /** Where people met it, in this library or that, such as `knex/knex#2213`. */
  readonly threads?: readonly string[]
  run(arena: Arena): Promise<Measured | void>
  /** The scenario for libraries that have no promises. */
  runSync?(arena: SyncArena): Promise<Measured | void>
  isRight(observation: Observation): boolean
  /** Whether the library has said, before anything was done, that it does not do this. */
  isRefused?(observation: Observation): boolean
}

export type Verdict = 'right' | 'wrong' | 'hangs' | 'crashes' | '-'

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
