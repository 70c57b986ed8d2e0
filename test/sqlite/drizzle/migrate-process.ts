// One of several processes that migrate one file at the same time: says `ready`, waits for a line, migrates, prints the error.
import { once } from 'node:events'
import { drizzle, migrate } from '@keelson/sqlite/drizzle'

const [path, migrationsFolder] = process.argv.slice(2)
const db = drizzle(path!)
process.stdout.write('ready\n')
await once(process.stdin, 'data')
const error = await migrate(db, { migrationsFolder: migrationsFolder! }).then(
  () => undefined,
  (failure: Error) => `${failure.message} ${String(failure.cause)}`,
)
process.stdout.write(JSON.stringify({ error }))
await db.$client.close()
process.stdin.destroy()
