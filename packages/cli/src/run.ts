import { type ExitCode, exitCodes } from './exit-codes.ts'

/**
 * Runs the `keelson` command, and prints to the process's own output.
 *
 * @param args what stands behind `keelson`
 * @returns what the process should end with; an error is printed, and never thrown
 * @example
 * process.exitCode = await run(['top', 'http://localhost:3000/timing', '--once'])
 */
export async function run(args: readonly string[]): Promise<ExitCode> {
  // Commander and node:util open the process's streams when they are loaded, and an import of this package opens nothing.
  const { endedWith, messageOf, programOf } = await import('./program.ts')
  let code: ExitCode = exitCodes.clean
  try {
    await programOf((ended) => (code = ended)).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    const ended = endedWith(error)
    if (ended !== undefined) return ended
    process.stderr.write(`${messageOf(error)}\n`)
    return exitCodes.error
  }
}
