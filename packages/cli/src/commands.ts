import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { adviseCommand } from './commands/advise.ts'
import { applyCommand } from './commands/apply.ts'
import { diffCommand } from './commands/diff.ts'
import { ensureCommand } from './commands/ensure.ts'
import { generateCommand } from './commands/generate.ts'
import { introspectCommand } from './commands/introspect.ts'
import { lintCommand } from './commands/lint.ts'
import { migrateCommand } from './commands/migrate.ts'
import { topCommand } from './commands/top.ts'
import type { ExitCode } from './exit-codes.ts'

/** Makes a command. What it does ends with a call of `end`; where it throws, the process ends with `exitCodes.error`. */
export type CommandMaker = (end: (code: ExitCode) => void) => CommandUnknownOpts

/** Every command, in the order in which `--help` lists them: one file of `commands/` each, registered here and nowhere else. */
export const commands: readonly CommandMaker[] = [
  diffCommand,
  applyCommand,
  ensureCommand,
  generateCommand,
  introspectCommand,
  lintCommand,
  migrateCommand,
  adviseCommand,
  topCommand,
]
