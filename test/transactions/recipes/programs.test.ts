import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test.for([
  ['hono.ts', /^409 \[ \{ owner: 'Ada', balance: 90 \}, \{ owner: 'Grace', balance: 10 \} \]\n$/],
  [
    'trpc.ts',
    /^too little\n\[ \{ owner: 'Ada', balance: 90 \}, \{ owner: 'Grace', balance: 10 \} \]\n$/,
  ],
  [
    'request-scope.ts',
    /^409 \[\{"owner":"Ada","balance":90\},\{"owner":"Grace","balance":10\}\]\n$/,
  ],
  ['dataloader.ts', /^\[ 100, 50 \]\n$/],
  ['background.ts', /^Ada has less than 50\.\n(later: \[ \{ owner: 'Ada', balance: 0 \} \]\n){2}$/],
] as const)('examples/transactions/%s runs, and ends by itself', async ([name, output]) => {
  const program = fileURLToPath(new URL(`../../../examples/transactions/${name}`, import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program])
  expect(stderr).toBe('')
  expect(stdout).toMatch(output)
})
