import { createInterface } from 'node:readline/promises'

/** Asks whoever sits at the terminal; where nobody does, or who does goes away (Ctrl-C, Ctrl-D), the answer is no. */
export async function isConfirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const gone = new AbortController()
  terminal.once('close', () => gone.abort())
  try {
    const answer = await terminal.question(`${question}? [y/N] `, { signal: gone.signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    if (!gone.signal.aborted) throw error
    process.stderr.write('\n')
    return false
  } finally {
    terminal.close()
  }
}
