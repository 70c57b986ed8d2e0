import { createInterface } from 'node:readline/promises'

/** Asks whoever sits at the terminal; where nobody does, the answer is no. */
export async function isConfirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`${question}? [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}
