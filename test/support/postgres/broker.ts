import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { startPostgres } from './server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where a test worker asks for the server of this run. */
    postgresBroker: string
  }
}

/**
 * Vitest's global setup. Test files run in worker processes that share nothing but this one, so
 * here is where one server per run can be kept: a worker's request starts it, or is told where
 * it is. Without a request this costs a listening socket.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let started: ReturnType<typeof startPostgres> | undefined

  // The answer holds a superuser's password, so only those who were told the path get it.
  const path = `/${randomUUID()}`
  const broker = createServer((request, response) => {
    if (request.url !== path) return void response.writeHead(404).end()
    started ??= startPostgres()
    started.then(
      (server) => response.end(server.connectionString),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  // A file asks for several databases over one connection, with pauses in which the default would close it.
  broker.keepAliveTimeout = 0
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  project.provide(
    'postgresBroker',
    `http://127.0.0.1:${(broker.address() as AddressInfo).port}${path}`,
  )

  return async () => {
    broker.close()
    broker.closeAllConnections()
    const server = await started?.catch(() => undefined)
    await server?.stop()
  }
}
