import { openSqlite } from '@keelson/sqlite'
import { number, print, printTable, ProgressBar } from '../terminal.ts'

/** Airports within a degree of each ZIP code of a part of the country: work for some tenths of a second. */
const crowded = `
  select count(*) as pairs from zip join airport a
  on abs(a.latitude - zip.latitude) + abs(a.longitude - zip.longitude) < 1
  where zip.rowid % 200 = ?`

const parts = 8
const tickMs = 10

/** Runs the same queries twice, with SQLite on the thread of the event loop and on threads of its own. */
export async function compareModes(path: string): Promise<void> {
  const inline = await watch(path, 'inline')
  const threads = await watch(path, 'threads')
  printTable(
    ['mode', 'pairs', 'ticks of a timer', 'longest pause in ms'],
    [
      ['inline', inline.pairs, inline.ticks, Math.round(inline.longestMs)],
      ['threads', threads.pairs, threads.ticks, Math.round(threads.longestMs)],
    ],
  )
}

interface Watched {
  readonly pairs: number
  readonly ticks: number
  readonly longestMs: number
}

async function watch(path: string, mode: 'inline' | 'threads'): Promise<Watched> {
  const database = openSqlite({ path, mode, readOnly: true })
  print(`${mode}: a bar that is to move every ${number(tickMs)} ms`)
  const bar = new ProgressBar(parts, 'queries')
  let done = 0
  let ticks = 0
  let longestMs = 0
  let last = performance.now()
  const timer = setInterval(() => {
    ticks++
    longestMs = Math.max(longestMs, performance.now() - last)
    last = performance.now()
    bar.update(done)
  }, tickMs)
  const counts = await Promise.all(
    Array.from({ length: parts }, async (_, part) => {
      const { rows } = await database.execute<{ pairs: number }>(crowded, [part])
      done++
      return rows[0]!.pairs
    }),
  )
  longestMs = Math.max(longestMs, performance.now() - last)
  clearInterval(timer)
  bar.update(parts)
  bar.stop()
  await database.close()
  return { pairs: counts.reduce((sum, count) => sum + count, 0), ticks, longestMs }
}
