import { type AdviseOptions, type AdvisorWorkload, type IndexAdvice } from '@keelson/indexes'
import { adviseIndexes, createAdvisor, type KyselyAdvisor } from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { type Compilable, Kysely, type LogEvent } from 'kysely'
import { onTestFinished } from 'vitest'

export interface OrderTable {
  id: number
  customer_id: number
  shop_id: number
  status: string
  total: number
  is_flagged: number
  email: string
  shipped_at: string | null
  created_at: string
  data: string
}

export interface CustomerTable {
  id: number
  country: string
  email: string
}

export interface Shop {
  orders: OrderTable
  customers: CustomerTable
}

/** A shop on SQLite in memory, and an advisor that sees its queries. */
export class ShopOnSqlite {
  readonly advisor: KyselyAdvisor
  readonly db: Kysely<Shop>
  readonly #events: LogEvent[] = []

  private constructor(advisor: KyselyAdvisor) {
    this.advisor = advisor
    this.db = new Kysely<Shop>({
      dialect: new SqliteDialect({ path: ':memory:' }),
      log: (event) => {
        this.#events.push(event)
        advisor.log(event)
      },
    })
  }

  static async open(rows = 10_000): Promise<ShopOnSqlite> {
    const shop = new ShopOnSqlite(createAdvisor())
    onTestFinished(() => shop.db.destroy())
    for (const sql of shopTables) await shop.run(sql)
    await shop.run(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < ${rows})
       insert into orders
       select i, (i * 7919) % 4000, (i * 104729) % 100,
         case when (i * 31) % 50 = 0 then 'open' when (i * 31) % 50 < 5 then 'paid' else 'closed' end,
         ((i * 48271) % 100000) / 100.0, (i * 17) % 100 = 0, 'u' || ((i * 7919) % 9000) || '@example.com',
         case when i % 20 = 0 then datetime(1700000000 + (i * 7919) % 1000000, 'unixepoch') end,
         datetime(1700000000 + (i * 104729) % 10000000, 'unixepoch'),
         json_object('kind', (i * 48271) % 2000, 'note', 'n')
       from n`,
    )
    await shop.run(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < ${rows / 5})
       insert into customers select i, 'c' || (i * 31) % 60, 'u' || i || '@example.com' from n`,
    )
    shop.advisor.clear()
    return shop
  }

  /** Runs SQL of no query builder, which the advisor does not see. */
  async run(sql: string): Promise<void> {
    const { CompiledQuery } = await import('kysely')
    await this.db.executeQuery(CompiledQuery.raw(sql))
    this.advisor.clear()
  }

  /** Runs a query once, and has the advisor hear of it `calls` times. */
  async ask(query: Compilable, calls = 10): Promise<void> {
    await this.db.executeQuery(query.compile())
    const event = this.#events.at(-1)!
    for (let call = 1; call < calls; call++) this.advisor.log(event)
  }

  advise(options: AdviseOptions = {}): Promise<IndexAdvice> {
    return this.advisor.advise(this.db, options)
  }

  adviseOn(workload: AdvisorWorkload, options: AdviseOptions = {}): Promise<IndexAdvice> {
    return adviseIndexes(this.db, workload, options)
  }
}

const shopTables: readonly string[] = [
  `create table customers (id integer primary key, country text not null, email text not null)`,
  `create table orders (
     id integer primary key, customer_id integer not null, shop_id integer not null, status text not null,
     total real not null, is_flagged integer not null, email text not null, shipped_at text, created_at text not null,
     data text not null)`,
]

/** The keys of each proposal, with DESC and WHERE, as they stand in its statement. */
export function keysOf({ proposals }: IndexAdvice): readonly string[] {
  return proposals.map(({ sql }) => sql.replace(/^create index "[^"]+" on /, '')).toSorted()
}
