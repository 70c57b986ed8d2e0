import { Holder } from '@keelson/core'
import type { InlineEngine } from '../inline/inline-engine.ts'
import type { BackupSource } from './backup.ts'
import { problemsOf } from './copy-problems.ts'

/** Copies on the connection that writes, in slices between which the event loop runs. */
export function inlineBackup(engine: InlineEngine): BackupSource {
  return {
    directory: engine.options.directory,
    assertOpen: () => engine.assertOpen(),
    async copy(file, pagesPerSlice, options) {
      const { database } = engine.writer
      // Inside a transaction the first slice copies nothing, which better-sqlite3 takes for the end of an empty database.
      const holder = new Holder('maintenance', 'backup()')
      await engine.gate.enter(holder, 'backup()', options.signal)
      try {
        const copied = await database.backup(file, {
          progress: ({ totalPages, remainingPages }) => {
            engine.gate.leave(holder)
            options.signal?.throwIfAborted()
            engine.assertOpen()
            options.onProgress?.({ totalPages, remainingPages })
            return pagesPerSlice
          },
        })
        if (copied.totalPages === 0 && database.pragma('page_count', { simple: true }) !== 0)
          throw new Error('SQLite copied none of its pages')
        return { totalPages: copied.totalPages, problems: problemsOf(file) }
      } finally {
        engine.gate.leave(holder)
      }
    },
  }
}
