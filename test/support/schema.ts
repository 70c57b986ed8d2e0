import type { Generated } from 'kysely'

/**
 * The tables that tests of every engine share, as Kysely's `Database` and as the rows that both ORMs read. The tables
 * for Drizzle and the statements that create them are the engine's own: `schema-sqlite.ts`.
 */
export interface Database {
  account: {
    id: Generated<number>
    name: string
    /** Unique. */
    email: string | null
    /** Never negative. */
    balance: Generated<number>
  }
  /** Unique by account and reference. */
  entry: { id: Generated<number>; account_id: number; reference: string; amount: number }
  /** One column for each kind of value. */
  sample: { id: number } & { [K in keyof Sample]?: Sample[K] }
  /** Counted up by migrations. */
  counter: { id: number; value: number }
  [hostileTable]: Record<(typeof hostileColumns)[number], string> & { id: number }
}

export interface Account {
  id: number
  name: string
  email: string | null
  balance: number
}

export type NewAccount = Pick<Account, 'name'> & Partial<Account>

/** A row of `sample` as it is written. What is read of `flag` and `moment` is the ORM's business. */
export interface Sample {
  label: string | null
  whole: number | null
  big: bigint | number | null
  ratio: number | null
  bytes: Uint8Array | null
  flag: boolean | null
  moment: Date | null
}

/** Names that have to be quoted, and then have to be quoted well. Dots are left out: Kysely reads them as `table.column`. */
export const hostileTable = `order "by"; drop table account; -- it's 列 ☃`

/** See {@link hostileTable}. */
export const hostileColumns = [
  'select',
  'with space',
  '"quoted"',
  "it's",
  'back`tick',
  '[bracket]',
  'naïve 列 ☃ 😀',
  '? $1 :name @name %s',
  'semi; colon --',
  'back\\slash',
] as const
