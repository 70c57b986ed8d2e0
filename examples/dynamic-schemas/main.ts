/** Starts the server: `node examples/dynamic-schemas/main.ts --help`. */
import { serve } from '@hono/node-server'
import { parseArgs } from 'node:util'
import { createApp } from './app.ts'
import { dialects, type Engine, openDatabase } from './database.ts'

const help = `Usage: node examples/dynamic-schemas/main.ts [options]

  --engine <engine>       ${Object.keys(dialects).join(', ')} (default: sqlite)
  --database <path|url>   a file, or PostgreSQL's URL (default: ${dialects.sqlite.database}, ...)
  --port <port>           0 for any that is free (default: 3000)
  --host <address>        whom to listen to (default: 127.0.0.1, this machine alone)
`
const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sqlite' },
    database: { type: 'string' },
    port: { type: 'string', default: '3000' },
    host: { type: 'string', default: '127.0.0.1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const { engine } = values
if (values.help) {
  console.log(help)
  process.exit(0)
}
if (!isEngine(engine)) {
  console.error(
    `--engine is one of ${Object.keys(dialects).join(', ')}, and not ${JSON.stringify(engine)}. --help tells all options.`,
  )
  process.exit(1)
}

const database = openDatabase(engine, values.database)
const server = serve(
  { fetch: createApp(database).fetch, port: Number(values.port), hostname: values.host },
  ({ address, port }) => console.log(`Listening on http://${address}:${port}, with ${engine}.`),
)

// Answers what was asked, within 10 seconds, and then closes the database.
let isStopping = false
function stop(): void {
  if (isStopping) return
  isStopping = true
  const late = setTimeout(
    () => 'closeAllConnections' in server && server.closeAllConnections(),
    10_000,
  )
  server.close(() => {
    clearTimeout(late)
    void database.db.destroy().then(() => console.log('Stopped.'))
  })
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)

function isEngine(text: string): text is Engine {
  return Object.hasOwn(dialects, text)
}
