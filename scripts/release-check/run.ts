import { execFile } from 'node:child_process'

/**
 * Runs a command and returns what it printed, on either stream.
 *
 * @throws {Error} when it fails, with the command and everything it printed as the message
 */
export function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { cwd, maxBuffer: Infinity }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim()
      if (error === null) return resolve(output)
      reject(new Error(`$ ${command} ${args.join(' ')}\n${output || error.message}`))
    })
    // Without an end of input a question would wait for an answer for ever.
    child.stdin?.end()
  })
}
