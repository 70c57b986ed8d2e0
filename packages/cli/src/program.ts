import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { KeelsonError } from '@keelson/core'
import { readFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { commands } from './commands.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'

/** The program with its commands, none of which ends the process. */
export function programOf(end: (code: ExitCode) => void): CommandUnknownOpts {
  const program = new Command('keelson')
    .description(
      'Makes and keeps the tables of your databases, and shows what their queries do. Each command explains itself: keelson help diff',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .addHelpText(
      'after',
      `
The process ends with 0 when all is well, 1 after an error, 2 when there are changes, 3 when something would be unsafe.`,
    )
  for (const make of commands) program.addCommand(make(end))
  // Settings are copied into a command when Commander makes it, and these were made without the program.
  for (const each of [program, ...program.commands])
    each
      .exitOverride()
      .showHelpAfterError(`(keelson ${each === program ? '' : `${each.name()} `}--help tells more)`)
  return program
}

/**
 * What Commander has ended the program with: it has said already what is wrong, or has printed what was asked for.
 *
 * @returns `undefined` for any other error
 */
export function endedWith(error: unknown): ExitCode | undefined {
  if (!(error instanceof CommanderError)) return undefined
  return error.exitCode === 0 ? exitCodes.clean : exitCodes.error
}

/** What is refused says what to do, and needs no stack; what nobody expected does. */
export function messageOf(error: unknown): string {
  const label = styleText('red', 'error', { stream: process.stderr })
  if (error instanceof KeelsonError) return `${label} ${error.code}: ${error.message}`
  if (!(error instanceof Error)) return `${label} ${String(error)}`
  // Drizzle tells the statement, and the engine why it failed.
  const why = error.cause instanceof Error ? `\ncaused by ${error.cause.message}` : ''
  return `${label} ${error.stack ?? error.message}${why}`
}

/** The same for programs, which read `{ error }` where `--json` asks for it. */
export function errorValue(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '')
    return { code: 'INVALID_ARGUMENTS', message }
  }
  if (!(error instanceof Error)) return { code: 'UNEXPECTED', message: String(error) }
  const cause = error.cause instanceof Error ? error.cause : undefined
  // Drizzle's error has none, and the driver's under it does.
  const { code = (cause as { code?: unknown } | undefined)?.code } = error as { code?: unknown }
  return {
    code: typeof code === 'string' ? code : 'UNEXPECTED',
    message: error.message,
    ...(error instanceof KeelsonError && detailsOf(error)),
    ...(cause !== undefined && { cause: cause.message }),
  }
}

/** What an error of ours tells besides: the steps, the table, the fingerprints. */
function detailsOf(error: KeelsonError): Readonly<Record<string, unknown>> {
  const known = new Set(['name', 'code', 'message', 'cause'])
  return Object.fromEntries(Object.entries(error).filter(([name]) => !known.has(name)))
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}
