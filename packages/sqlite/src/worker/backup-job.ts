import { problemsOf } from '../maintenance/copy-problems.ts'
import { answer } from './protocol.ts'
import type { RunnerParts } from './statement-runner.ts'
import { Cancelled } from './waiting.ts'

export interface BackupTask {
  readonly file: string
  readonly pagesPerSlice: number
}

/** Copies the database in slices, between which the thread does what is asked of it, and checks the copy. */
export async function runBackup(
  { engine, inbox, answers }: RunnerParts,
  id: number,
  argument: unknown,
): Promise<void> {
  const { file, pagesPerSlice } = argument as BackupTask
  const { database } = engine
  const { totalPages } = await database.backup(file, {
    progress: (pages) => {
      if (inbox.wasCancelled(id)) throw new Cancelled()
      answers.add([id, answer.progress, pages])
      answers.flush()
      return pagesPerSlice
    },
  })
  const isEmpty = totalPages === 0 && database.pragma('page_count', { simple: true }) !== 0
  answers.add([id, answer.value, { totalPages, isEmpty, problems: problemsOf(file) }])
}
