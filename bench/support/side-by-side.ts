import { setImmediate as nextTurn } from 'node:timers/promises'

/** One way of doing the job. */
export interface Contender {
  readonly name: string
  /**
   * Does the job `times` times and returns how many rows it saw in all, so that nobody wins by doing less. One that does it
   * in a process of its own returns what was measured there.
   */
  readonly run: (times: number) => unknown
  /** Called before each round, and not measured. */
  readonly prepare?: () => unknown
}

/** One round, by the clocks of the process in which it ran. */
export class Measured {
  readonly rows: unknown
  /** Time for all repetitions, in microseconds. */
  readonly us: number
  /** CPU time of the calling thread for all repetitions, in microseconds. */
  readonly cpuUs: number

  constructor(rows: unknown, us: number, cpuUs: number) {
    this.rows = rows
    this.us = us
    this.cpuUs = cpuUs
  }

  /** Measures a round in this process. */
  static async of(run: () => unknown): Promise<Measured> {
    await nextTurn()
    const cpuBefore = process.threadCpuUsage()
    const start = performance.now()
    const rows = await run()
    if (rows instanceof Measured) return rows
    const us = (performance.now() - start) * 1000
    const cpu = process.threadCpuUsage(cpuBefore)
    return new Measured(rows, us, cpu.user + cpu.system)
  }
}

export interface Comparison {
  readonly title: string
  /** Everyone else is told as a multiple of its time. */
  readonly baseline: string
  /** Repetitions of the job inside one round. */
  readonly times: number
  readonly rounds: number
  /** Rounds before, which are not counted: a compiler that is still at work would be measured. @default 3 */
  readonly warmUpRounds?: number
  readonly contenders: readonly Contender[]
}

export interface Standing {
  readonly name: string
  /** Median over the rounds, in microseconds for one job. */
  readonly medianUs: number
  /** The quietest round. */
  readonly bestUs: number
  /** Median of the ratio to the baseline, round by round: what the machine does to one, it does to both. */
  readonly timesBaseline: number
  /** Median of the CPU time of the calling thread alone, in microseconds for one job: what is left when others work. */
  readonly medianCpuUs?: number
}

/**
 * Lets the contenders take turns, round after round, so that a noisy machine is noisy for all of them.
 *
 * @throws when two contenders did not see the same number of rows
 */
export async function sideBySide({
  title,
  baseline,
  times,
  rounds,
  warmUpRounds = 3,
  contenders,
}: Comparison): Promise<Standing[]> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  const cpuSamples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  let expected: unknown
  globalThis.gc?.()
  for (let round = -warmUpRounds; round < rounds; round++) {
    // Who goes first changes, so that nobody always runs in the wake of the same neighbour.
    const order = contenders.map(
      (_, index) => contenders[(index + Math.max(0, round)) % contenders.length]!,
    )
    for (const contender of order) {
      const { name } = contender
      await contender.prepare?.()
      const { rows, us, cpuUs } = await Measured.of(() => contender.run(times))
      expected ??= rows
      if (rows !== expected)
        throw new Error(`${title}: ${name} saw ${String(rows)} rows, others ${String(expected)}`)
      if (round < 0) continue
      samples.get(name)!.push(us / times)
      cpuSamples.get(name)!.push(cpuUs / times)
    }
  }
  return standingsOf(samples, baseline).map((standing) => ({
    ...standing,
    medianCpuUs: median(cpuSamples.get(standing.name)!),
  }))
}

/** How contenders stand after rounds in turn, from the microseconds that a job took each of them. */
export function standingsOf(
  samples: ReadonlyMap<string, readonly number[]>,
  baseline: string,
): Standing[] {
  const base = samples.get(baseline)!
  return [...samples].map(([name, own]) => ({
    name,
    medianUs: median(own),
    bestUs: Math.min(...own),
    timesBaseline: median(own.map((us, round) => us / base[round]!)),
  }))
}

/** The longest time, in milliseconds, for which `work` kept the event loop from turning. */
export async function longestGap(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = performance.now()
  let running = true
  const watch = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(watch)
  }
  await nextTurn()
  last = performance.now()
  setImmediate(watch)
  await work()
  running = false
  watch()
  return longest
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
