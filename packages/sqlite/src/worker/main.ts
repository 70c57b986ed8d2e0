/** What runs on a thread of SQLite. It does nothing where it is imported by anybody else. */
import { workerData } from 'node:worker_threads'
import { connect } from '../connection/connect.ts'
import { payloadOf } from './error-payload.ts'
import { packAnswer } from './packing.ts'
import { answer, type ThreadSetup } from './protocol.ts'
import { ThreadServer } from './server.ts'

const setup = workerData as Partial<ThreadSetup> | null

if (setup?.keelsonSqlite === true) await start(setup as ThreadSetup)

async function start(given: ThreadSetup): Promise<void> {
  const { path, options, isReader, port } = given
  try {
    const engine = connect(path, options, isReader)
    await new ThreadServer(engine, given).serve()
  } catch (error) {
    const batch: unknown[] = [1]
    packAnswer(batch, [0, answer.failed, payloadOf(error), true, true])
    port.postMessage(batch)
  } finally {
    port.close()
  }
}
