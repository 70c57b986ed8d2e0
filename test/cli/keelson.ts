import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stripVTControlCharacters } from 'node:util'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { createTiming, type Timing, timingHandler, type TimingOptions } from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { Kysely, sql } from 'kysely'
import { afterAll, onTestFinished } from 'vitest'
import type { Asked } from './one-process.ts'

const bin = new URL('../../packages/cli/src/bin.ts', import.meta.url).pathname

/** What a run of the command has printed, and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real command in a process of its own, whose output is no terminal. */
export function keelson(...args: readonly string[]): Promise<Ended> {
  return keelsonIn(process.cwd(), ...args)
}

/** The same in a folder. */
export async function keelsonIn(cwd: string, ...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = [collect(child, 'stdout'), collect(child, 'stderr')]
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout: stdout(), stderr: stderr() }
}

/**
 * Runs the command where the process is not what is looked at: all runs of a test file are in one, one after the other. What it
 * prints and returns is the same.
 */
export async function keelsonWithin(cwd: string, ...args: readonly string[]): Promise<Ended> {
  const ended = before.then(() => ask({ cwd, args }))
  before = ended.catch(() => {})
  return ended
}

let running: ChildProcess | undefined
let before: Promise<unknown> = Promise.resolve()
afterAll(() => void running?.kill())

async function ask(asked: Asked): Promise<Ended> {
  running ??= fork(new URL('one-process.ts', import.meta.url), {
    execPath: process.execPath,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const over = new AbortController()
  const answered = once(running, 'message', { signal: over.signal })
  const gone = once(running, 'exit', { signal: over.signal }).then(([code]): never => {
    throw new Error(`The process has ended with ${code} during keelson ${asked.args.join(' ')}`)
  })
  running.send(asked)
  try {
    const [ended] = (await Promise.race([answered, gone])) as [Ended]
    return ended
  } finally {
    over.abort()
    await Promise.allSettled([answered, gone])
  }
}

/** Whether there is what makes a terminal. */
export const hasScript = spawnSync('script', ['--version']).status === 0
if (!hasScript)
  console.warn(
    'There is no `script` of util-linux, which makes a terminal: the tests in a terminal are skipped.',
  )

/** The command in a terminal. */
export interface Terminal {
  /** Presses keys. */
  press(keys: string): void
  /** Resolves once a text was shown, since this was last called: without colours. */
  shows(text: string): Promise<void>
  /** Sends a signal to the command itself. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Everything that was written, with what moves the cursor, once it has ended. */
  ended(): Promise<{ readonly code: number | null; readonly written: string }>
}

/**
 * Runs the command in a terminal: util-linux's `script` makes one of 30 lines and 110 columns. Its exit code is the
 * command's, or 128 and the number of the signal.
 */
export function inTerminal(...args: readonly string[]): Terminal {
  return inTerminalIn(process.cwd(), ...args)
}

/** The same in a folder. */
export function inTerminalIn(cwd: string, ...args: readonly string[]): Terminal {
  const words = [process.execPath, bin, ...args].map((word) => `'${word}'`)
  const command = `stty rows 30 cols 110; echo "pid $$ "; exec ${words.join(' ')}`
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const written = collect(child, 'stdout')
  const closed = once(child, 'close') as Promise<[number | null]>
  let seen = 0
  const shows = async (text: string): Promise<void> => {
    for (;;) {
      const all = stripVTControlCharacters(written())
      const at = all.indexOf(text, seen)
      if (at >= 0) {
        seen = at + text.length
        return
      }
      await Promise.race([
        once(child.stdout!, 'data'),
        closed.then(() => {
          throw new Error(`It has ended without showing ${text}:\n${written()}`)
        }),
      ])
    }
  }
  return {
    shows,
    press: (keys) => void child.stdin!.write(keys),
    async kill(signal) {
      process.kill(Number(/pid (\d+) /.exec(written())![1]), signal)
    },
    async ended() {
      const [code] = await closed
      return { code, written: written() }
    },
  }
}

function collect(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = []
  child[name]!.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}

interface Tables {
  item: { id: number; name: string }
}

/** An application: a timed SQLite database, and its timing served at `url`. */
export interface Application {
  readonly url: string
  readonly timing: Timing
  readonly db: Kysely<Tables>
  /** Stops to answer, until `start()`. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** @param allows whether a request may see the timing */
export async function application(
  options: TimingOptions = {},
  allows: (authorization: string | undefined) => boolean = () => true,
): Promise<Application> {
  const timing = createTiming(options)
  const db = new Kysely<Tables>({
    dialect: withTiming(new SqliteDialect({ path: ':memory:' }), timing),
  })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text unique)`.execute(db)
  const handler = timingHandler(timing, { basePath: '/timing' })
  const server = createServer((request, response) => {
    if (!allows(request.headers.authorization)) {
      response.writeHead(401).end()
      return
    }
    void handler(new Request(`http://localhost${request.url}`)).then(async (answer) => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.end(await answer.text())
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((closed) => server.close(closed))
  }
  onTestFinished(stop)
  const { port } = server.address() as AddressInfo
  const start = async (): Promise<void> => {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  }
  return { url: `http://127.0.0.1:${port}/timing`, timing, db, stop, start }
}
