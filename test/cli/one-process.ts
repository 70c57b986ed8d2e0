/**
 * A program, not a module: runs the command again and again in one process, each time in the folder that it is told. To start a
 * process takes half a second, in which hundreds of modules are loaded.
 */
import { realpathSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { run } from 'keelson'
import type { Ended } from './keelson.ts'

export interface Asked {
  readonly cwd: string
  readonly args: readonly string[]
}

let runs = 0
let project = ''

// What a test has written anew is to be read anew, as a process does.
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    return found.url.startsWith(project) && project !== ''
      ? { ...found, url: `${found.url}?run=${runs}` }
      : found
  },
})

process.on('message', ({ cwd, args }: Asked) => {
  runs++
  process.chdir(cwd)
  project = `${pathToFileURL(realpathSync(cwd)).href}/`
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)]
  void run(args).then((code) => {
    const ended: Ended = { code, signal: null, stdout: stdout(), stderr: stderr() }
    process.send!(ended)
  })
})

/** @returns what was written since, once it is asked for; then it is written where it was before */
function capture(stream: NodeJS.WriteStream): () => string {
  const { write } = stream
  let text = ''
  stream.write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk)
    return true
  }
  return () => {
    stream.write = write
    return text
  }
}
