import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Standing, standingsOf } from './side-by-side.ts'

/**
 * Does a job for each of `given`, by so many callers that each wait for their own answer before they ask again.
 *
 * @returns how many rows they saw in all
 */
export async function byCallers<T>(
  callers: number,
  given: readonly T[],
  job: (one: T) => Promise<number>,
): Promise<number> {
  let next = 0
  let rows = 0
  const caller = async (): Promise<void> => {
    while (next < given.length) {
      const seen = await job(given[next++]!)
      rows += seen
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return rows
}

/** One who can be read from and written to at once. */
export interface Loaded {
  /** SQLite runs on the calling thread: a caller that awaits lets other callers run, and nothing else. */
  readonly blocks: boolean
  readonly read: () => Promise<unknown>
  readonly write: () => Promise<unknown>
}

/** What one round of a mixed load came to. */
export interface LoadRound {
  readonly reads: number
  readonly writes: number
  /** How late a timer of 10 ms came each time, in milliseconds. */
  readonly delays: readonly number[]
}

export interface LoadContender {
  readonly name: string
  /** Has one round run. */
  readonly run: () => Promise<LoadRound>
}

export interface MixedLoad {
  readonly baseline: string
  readonly rounds: number
  readonly roundMs: number
  readonly contenders: readonly LoadContender[]
}

export interface MixedLoadStandings {
  /** The time for which one read came out of the load, of all readers together. */
  readonly reads: Standing[]
  readonly writes: Standing[]
  /** How late a timer of 10 ms came, in milliseconds: the 99th percentile over all rounds. */
  readonly timerDelayP99Ms: Record<string, number>
}

/** Contenders under a mixed load take turns, round after round. */
export async function mixedLoad({
  baseline,
  rounds,
  roundMs,
  contenders,
}: MixedLoad): Promise<MixedLoadStandings> {
  const samples = (): Map<string, number[]> => new Map(contenders.map(({ name }) => [name, []]))
  const reads = samples()
  const writes = samples()
  const delays = samples()
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + Math.max(0, round)) % contenders.length]!
      const { name } = contender
      const load = await contender.run()
      if (round < 0) continue
      reads.get(name)!.push((roundMs * 1000) / load.reads)
      writes.get(name)!.push((roundMs * 1000) / load.writes)
      delays.get(name)!.push(...load.delays)
    }
  }
  return {
    reads: standingsOf(reads, baseline),
    writes: standingsOf(writes, baseline),
    timerDelayP99Ms: Object.fromEntries(
      [...delays].map(([name, own]) => [name, Math.round(percentile(own, 0.99) * 10) / 10]),
    ),
  }
}

/** Readers and one writer that each ask again as soon as they are answered. */
export async function loadRound(
  { blocks, read, write }: Loaded,
  readers: number,
  ms: number,
): Promise<LoadRound> {
  globalThis.gc?.()
  const delays: number[] = []
  const start = performance.now()
  const end = start + ms
  let due = start + 10
  const watch = (): void => {
    const now = performance.now()
    delays.push(Math.max(0, now - due))
    due = now + 10
    timer = setTimeout(watch, 10)
  }
  let timer = setTimeout(watch, 10)
  /** How often it was answered in time. */
  const repeat = async (job: () => Promise<unknown>): Promise<number> => {
    for (let done = 0; ; done++) {
      await job()
      if (blocks) await nextTurn()
      if (performance.now() > end) return done
    }
  }
  const [writes, ...reads] = await Promise.all([
    repeat(write),
    ...Array.from({ length: readers }, () => repeat(read)),
  ])
  clearTimeout(timer)
  // One that has not come yet is late too.
  delays.push(Math.max(0, performance.now() - due))
  return { reads: reads.reduce((sum, each) => sum + each, 0), writes, delays }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
