import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** Another process, which is killed after the test at the latest. */
export interface Program {
  /** Its next line of output; `undefined` when it has ended. */
  line(): Promise<string | undefined>
  say(line: string): void
  /** Ends it at once, as `kill -9` does, and waits until it is gone. */
  kill(): Promise<void>
  /** Closes its input and waits until it has ended by itself. @returns its exit code and what it wrote to stderr */
  end(): Promise<{ readonly code: number | null; readonly stderr: string }>
}

/** Starts a TypeScript program with this Node. */
export function startProgram(program: URL, ...parameters: readonly string[]): Program {
  const child = spawn(process.execPath, [fileURLToPath(program), ...parameters], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // Who writes to a process that was killed is told so by its exit.
  child.stdin.on('error', () => {})
  let stderr = ''
  child.stderr.on('data', (data) => (stderr += String(data)))
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)
  return {
    async line() {
      const { done, value } = await lines.next()
      return done === true ? undefined : value
    },
    say: (line) => void child.stdin.write(`${line}\n`),
    kill,
    async end() {
      child.stdin.end()
      return { code: await gone, stderr }
    },
  }
}
