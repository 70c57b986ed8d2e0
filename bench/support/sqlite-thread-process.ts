// One contender of bench/sqlite-threads.bench.ts in a process of its own.
import { bulkRow } from './bulk-rows.ts'
import { byCallers, type LoadRound, loadRound } from './concurrent-load.ts'
import { answerRequests } from './own-process.ts'
import { scatteredIds } from './people.ts'
import { longestGap, Measured } from './side-by-side.ts'
import {
  bulkContender,
  names,
  sqliteThreadContender,
  type Synchronous,
} from './sqlite-thread-contenders.ts'

/** What a contender is asked to do. */
export type ThreadJob =
  | { readonly kind: 'one' | 'insert'; readonly callers: number; readonly times: number }
  | {
      readonly kind: 'many'
      readonly callers: number
      readonly times: number
      readonly rows: number
    }
  | { readonly kind: 'stream' | 'bulk'; readonly rows: number }
  | { readonly kind: 'load'; readonly readers: number; readonly roundMs: number }

export interface ThreadRequest {
  readonly job: ThreadJob
  /** Whether to tell the longest stop of the event loop in place of the time. */
  readonly gap?: boolean
}

export interface ThreadAnswer {
  readonly measured?: { readonly rows: unknown; readonly us: number; readonly cpuUs: number }
  readonly gapMs?: number
  readonly load?: LoadRound
}

/** So many rows to sum up take better-sqlite3 5 ms. */
const summedUp = 60_000

const [name = '', file = '', synchronous = 'normal', kind = 'people'] = process.argv.slice(2)
const { run, load, prepare, close } = await (kind === 'bulk' ? bulk() : people())

answerRequests<ThreadRequest, ThreadAnswer>(async ({ job, gap = false }) => {
  if (job.kind === 'load') return { load: await load!(job.readers, job.roundMs) }
  await prepare?.(job)
  if (gap) return { gapMs: await longestGap(() => run(job)) }
  const { rows, us, cpuUs } = await Measured.of(() => run(job))
  return { measured: { rows, us, cpuUs } }
}, close)

interface Runner {
  readonly run: (job: ThreadJob) => Promise<number>
  readonly load?: (readers: number, roundMs: number) => Promise<LoadRound>
  readonly prepare?: (job: ThreadJob) => Promise<void>
  readonly close: () => unknown
}

async function people(): Promise<Runner> {
  const contender = await sqliteThreadContender(name, file, synchronous as Synchronous)
  return {
    async run(job) {
      if (job.kind === 'stream') return contender.stream!(job.rows)
      if (job.kind === 'many') {
        const limits = Array<number>(job.times).fill(job.rows)
        return byCallers(job.callers, limits, (limit) => contender.many(limit))
      }
      if (job.kind !== 'one' && job.kind !== 'insert') throw new Error(`No people for ${job.kind}.`)
      const ids = scatteredIds(job.times)
      const { kind } = job
      return byCallers(job.callers, ids, (id) => contender[kind](id))
    },
    load: (readers, roundMs) => {
      const read = (): Promise<unknown> => contender.aggregate(summedUp)
      const write = (): Promise<unknown> => contender.insert(1)
      return loadRound({ blocks: contender.blocks, read, write }, readers, roundMs)
    },
    close: () => contender.close(),
  }
}

function bulk(): Runner {
  const rows = Array.from({ length: 100_000 }, (_, at) => bulkRow(at, 6))
  const mode = name === names.kyselyInline ? 'inline' : 'threads'
  const contender = bulkContender(mode, file, rows)
  return {
    run: () => contender.run(),
    prepare: () => contender.prepare(),
    close: () => contender.close(),
  }
}
