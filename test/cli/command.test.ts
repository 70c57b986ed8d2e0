import { describe, expect, test } from 'vitest'
import { keelson } from './keelson.ts'

describe('keelson', () => {
  test('lists its commands and what its exit codes mean', async () => {
    const { code, stdout } = await keelson('--help')
    expect(code).toBe(0)
    expect(stdout).toContain('top [options] <url>')
    for (const command of ['diff', 'apply', 'ensure', 'generate', 'introspect', 'lint', 'migrate'])
      expect(stdout).toContain(`${command} [options]`)
    expect(stdout).toMatch(/0 when all is well, 1 after an error, 2 when there are changes, 3 when/)
    expect((await keelson('help', 'top')).stdout).toContain('--interval <seconds>')
    expect((await keelson('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.for([
    { args: [], says: 'Usage: keelson' },
    { args: ['tip'], says: "unknown command 'tip'\n(Did you mean top?)" },
    { args: ['top'], says: "missing required argument 'url'" },
    { args: ['top', 'localhost', '--colour'], says: "unknown option '--colour'" },
    { args: ['top', 'localhost', '--sort', 'name'], says: 'Allowed choices are time, calls' },
    { args: ['top', 'localhost', '--interval', '0'], says: 'Give seconds from 0.1 to 3600.' },
    { args: ['top', 'localhost', '--limit', 'all'], says: 'Give a whole number above 0.' },
    { args: ['top', 'localhost', '--header', 'secret'], says: 'Give name and value' },
  ])('ends with 1 for $args', async ({ args, says }) => {
    const { code, stderr, stdout } = await keelson(...args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(says)
  })
})
