import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Entry } from '../entry.ts'

/**
 * Keeps rows that will not be written, before the spill forgets them: a line of JSON for each in `dead-letters.jsonl`. After
 * a crash a row can stand in it twice, with the same `sequence`.
 */
export async function keepDeadLetters(
  directory: string,
  dead: readonly { readonly entry: Entry; readonly error: unknown }[],
): Promise<void> {
  const at = new Date().toISOString()
  const lines = dead.map(
    ({ entry, error }) =>
      // The row is JSON already.
      `{"sequence":${entry.sequence},"at":"${at}","error":${JSON.stringify(described(error))},"row":${entry.payload}}\n`,
  )
  const file = await open(join(directory, 'dead-letters.jsonl'), 'a')
  try {
    await file.appendFile(lines.join(''))
    await file.datasync()
  } finally {
    await file.close()
  }
}

function described(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { code } = error as { readonly code?: unknown }
  return {
    name: error.name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    message: error.message,
  }
}
