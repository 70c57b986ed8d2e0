/**
 * A program, not a module: runs one PostgreSQL server until its standard input ends, then stops
 * the server and deletes every file of it. Started by `server.ts`, which reads the one line that
 * it prints.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster, stopCluster } from './cluster.ts'
import type { SupervisorReport } from './server.ts'

const stopAsked = new Promise<unknown>((resolve) => {
  process.stdin.resume().once('close', resolve).once('error', resolve)
  process.once('SIGTERM', resolve)
  process.once('SIGINT', resolve)
})
// Writing to a parent that died during the start must not end us before the clean-up.
process.stdout.on('error', () => {})

// As root the server runs as `nobody`, to whom root's own temporary directory may be closed.
const parent = process.getuid?.() === 0 ? '/tmp' : tmpdir()
const directory = mkdtempSync(join(parent, 'keelson-postgres-'))
try {
  const { server, connectionString } = await startCluster(directory, process.argv[2])
  report({ connectionString })
  await Promise.race([stopAsked, once(server, 'exit')])
  await stopCluster(server)
} catch (error) {
  report({ failure: error instanceof Error ? error.message : String(error) })
} finally {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}
process.stdin.destroy()

function report(result: SupervisorReport): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
