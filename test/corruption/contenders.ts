import type { EngineKind } from './engines/place.ts'
import type { Driver } from './store.ts'

export type Drivers = Readonly<Partial<Record<EngineKind, readonly Driver[]>>>

export interface Contender {
  readonly id: string
  /** The head of its column. */
  readonly name: string
  /** Whether it is ours, and has to be right. */
  readonly isOurs: boolean
  /** Loaded when needed, so that a process has in it what it tries and nothing else. */
  load(): Promise<Drivers>
}

/** The columns of the table, in their order. */
export const contenders: readonly Contender[] = [
  {
    id: 'by-hand',
    name: 'By hand',
    isOurs: false,
    load: async () => (await import('./libraries/by-hand.ts')).byHand,
  },
  {
    id: 'kysely',
    name: 'Kysely',
    isOurs: false,
    load: async () => (await import('./libraries/kysely.ts')).kysely,
  },
  {
    id: 'drizzle',
    name: 'Drizzle',
    isOurs: false,
    load: async () => (await import('./libraries/drizzle.ts')).drizzle,
  },
  {
    id: 'knex',
    name: 'Knex',
    isOurs: false,
    load: async () => (await import('./libraries/knex.ts')).knex,
  },
  {
    id: 'keelson-kysely',
    name: 'Keelson on Kysely',
    isOurs: true,
    load: async () => (await import('./libraries/keelson-kysely.ts')).keelsonOnKysely,
  },
  {
    id: 'keelson-drizzle',
    name: 'Keelson on Drizzle',
    isOurs: true,
    load: async () => (await import('./libraries/keelson-drizzle.ts')).keelsonOnDrizzle,
  },
]
