import { Command } from '@commander-js/extra-typings'

/** A command that reads `keelson.config.ts`. */
export function schemaCommand(
  name: string,
  summary: string,
  description: string,
): Command<[], { config?: string; json?: true }> {
  return new Command(name)
    .summary(summary)
    .description(description)
    .option('-c, --config <path>', 'the configuration (default: keelson.config.ts)')
    .option('--json', 'print JSON')
}

/** Splits `a,b`. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}
