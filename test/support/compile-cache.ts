import { Worker } from 'node:worker_threads'

/** Fills Node's cache of compiled code with what every thread of SQLite loads: see vitest.config.ts. */
export default async function fillCompileCache(): Promise<void> {
  const worker = new Worker(new URL('../../packages/sqlite/src/worker/main.ts', import.meta.url))
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
}
