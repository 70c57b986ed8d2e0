import { setTimeout as sleep } from 'node:timers/promises'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'

/** Survives the loss of its connections, and says so: an `error` event that nobody hears would end it. */
const pool = new Pool({ connectionString: process.argv[2]!, max: 2 })
// The owner's part: connections that nobody uses are the pool's.
pool.on('error', () => {})
const killer = new Pool({ connectionString: process.argv[2]!, max: 1 })
const db = new Kysely<any>({ dialect: withTransactions(new PostgresDialect({ pool })) })

const kill = (pid: number): Promise<unknown> =>
  killer.query('select pg_terminate_backend($1, 5000)', [pid])

async function pidOf(): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
  return rows[0]!.pid
}

async function say(what: string, run: () => Promise<unknown>): Promise<void> {
  const told = await transaction(db, run).then(
    () => 'committed',
    () => 'rejected',
  )
  console.log(`${what}: ${told}`)
}

await say('idle', async () => {
  await kill(await pidOf())
  await sleep(200)
  await sql`select 1`.execute(db)
})
await say('idle until commit', async () => {
  await kill(await pidOf())
  await sleep(200)
})
await say('in a statement', async () => {
  const pid = await pidOf()
  setTimeout(() => void kill(pid), 50)
  await sql`select pg_sleep(30)`.execute(db)
})
await say('in a nested one', async () => {
  await transaction(db, async () => {
    await kill(await pidOf())
    await sleep(200)
  })
})
await say('afterwards', () => sql`select 1`.execute(db))
await db.destroy()
await killer.end()
