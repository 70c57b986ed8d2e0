import { expect, test } from 'vitest'
import { startProgram } from '../../support/program.ts'
import { record, runs } from '../../support/runs.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

interface Measured {
  /** The 99th percentile of a timer's lateness in milliseconds, for each round. */
  readonly delays: Readonly<Record<string, readonly number[]>>
  readonly done: Readonly<Record<string, { readonly reads: number; readonly writes: number }>>
}

const rounds = runs(3, 15)

async function measured(...modes: readonly string[]): Promise<Measured> {
  const program = startProgram(
    new URL('./programs/loop-delay.ts', import.meta.url),
    temporaryDirectory(),
    String(rounds),
    ...modes,
  )
  const line = await program.line()
  const { code, stderr } = await program.end()
  expect(code, stderr).toBe(0)
  return JSON.parse(line!) as Measured
}

/** That of the quietest round: what other programs do with the machine makes a round slower, never faster. */
const quietest = (delays: readonly number[] | undefined): number => Math.min(...delays!)

test(
  'a timer of the calling thread comes as in an idle process while heavy reads and a writer run on threads',
  { timeout: 60_000 + rounds * 30_000 },
  async () => {
    const { delays, done } = await measured('inline', 'threads')
    const idle = quietest(delays['idle'])
    const inline = quietest(delays['inline'])
    const threads = quietest(delays['threads'])
    // Otherwise there would be nothing to compare.
    expect(inline).toBeGreaterThan(5 * idle)
    expect(threads).toBeLessThan(inline / 4)
    // And not by doing less meanwhile.
    expect(done['threads']!.reads).toBeGreaterThan(done['inline']!.reads / 4)
    expect(done['threads']!.writes).toBeGreaterThan(done['inline']!.writes)
    record('sqlite-event-loop', {
      rounds,
      idleMs: idle,
      inlineMs: inline,
      threadsMs: threads,
      done,
    })
  },
)
