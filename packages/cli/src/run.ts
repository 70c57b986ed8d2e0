import { type ExitCode, exitCodes } from './exit-codes.ts'
import { print } from './schema/print.ts'

/**
 * Runs the `keelson` command, and prints to the process's own output. With `--json` that is one JSON document, also of an
 * error: `{ error: { code, message, ... } }`.
 *
 * @param args what stands behind `keelson`
 * @returns what the process should end with; an error is printed, and never thrown
 * @example
 * process.exitCode = await run(['top', 'http://localhost:3000/timing', '--once'])
 */
export async function run(args: readonly string[]): Promise<ExitCode> {
  // Commander and node:util open the process's streams when they are loaded, and an import of this package opens nothing.
  const { endedWith, errorValue, messageOf, programOf } = await import('./program.ts')
  let code: ExitCode = exitCodes.clean
  try {
    await programOf((ended) => (code = ended)).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    const ended = endedWith(error)
    if (ended === exitCodes.clean) return ended
    if (ended === undefined) process.stderr.write(`${messageOf(error)}\n`)
    if (args.includes('--json')) print(true, { error: errorValue(error) }, () => [])
    return exitCodes.error
  }
}
