/**
 * A program, not a module: a PostgreSQL server that is stopped and started again on the same port when a line of its
 * standard input says so. It ends, with every file of the server, when that input ends, also by a killed test run.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startCluster, stopCluster } from '../../support/postgres/cluster.ts'

// As root the server runs as `nobody`, to whom root's own temporary directory may be closed.
const parent = process.getuid?.() === 0 ? '/tmp' : tmpdir()
const directory = mkdtempSync(join(parent, 'keelson-postgres-'))
try {
  const { server: first, connectionString } = await startCluster(directory)
  const [program, ...parameters] = first.spawnargs
  let server = first
  console.log(connectionString)
  for await (const line of createInterface(process.stdin)) {
    if (line === 'stop') await stopCluster(server)
    else {
      const { uid, gid } = statSync(join(directory, 'data'))
      const account = process.getuid?.() === 0 ? { uid, gid } : {}
      const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
      server = spawn(program!, parameters, { ...account, cwd: directory, env })
      let log = ''
      for await (const data of server.stderr!) {
        log += String(data)
        if (log.includes('ready to accept connections')) break
      }
    }
    console.log(line)
  }
  await stopCluster(server)
} finally {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}
