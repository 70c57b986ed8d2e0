import { styleText } from 'node:util'

export type Format = Parameters<typeof styleText>[0]

/** Nothing is coloured where the output is no terminal, or NO_COLOR is set. */
export function paint(format: Format, text: string): string {
  return styleText(format, text, { stream: process.stdout })
}
