import { describe, expect, test } from 'vitest'
import { hasScript, inTerminalIn, keelsonIn } from './keelson.ts'
import { configOf, notes, project, sqlite } from './project.ts'

describe('keelson', () => {
  test('ends the process with what a command says, and prints to its output', async () => {
    const at = project(configOf(sqlite))
    at.write('tables/notes.ts', notes('title: z.string(), body: z.string().optional()'))
    const ended = (...args: readonly string[]): Promise<unknown> => keelsonIn(at.directory, ...args)
    const stdout = expect.stringContaining('createTable notes')
    expect(await ended('diff')).toMatchObject({ code: 2, stdout, stderr: '' })
    expect(await ended('apply', '--yes')).toMatchObject({ code: 0, stdout })
    at.write('tables/notes.ts', notes('title: z.string()'))
    expect(await ended('apply', '--yes')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('--allow-drop'),
    })
    at.write('tables/notes.ts', 'nothing')
    expect(await ended('diff')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('error INVALID_TABLES'),
    })
  })

  test('prints an error as one JSON document where JSON is asked for', async () => {
    const at = project(configOf(sqlite))
    at.write('tables/notes.ts', notes('title: z.string(), body: z.string().optional()'))
    const failing = [
      { args: ['--config', 'other.ts', 'diff'], code: 1, error: { code: 'INVALID_ARGUMENTS' } },
      { args: ['diff', '--config', 'other.ts'], code: 1, error: { code: 'NO_CONFIG' } },
      { args: ['diff', '--colour'], code: 1, error: { code: 'INVALID_ARGUMENTS' } },
      { args: ['apply', '--backup', ''], code: 2, error: undefined },
      { args: ['apply', '--yes', '--backup', ''], code: 1, error: { code: 'INVALID_OPTION' } },
      { args: ['introspect', '--table', 'none'], code: 1, error: { code: 'NO_TABLE' } },
      { args: ['migrate'], code: 1, error: { code: 'MIGRATION_SOURCE' } },
      { args: ['migrate', '--down', 'last'], code: 3, error: { code: 'NOT_CONFIRMED' } },
      { args: ['top', 'http://127.0.0.1:1'], code: 1, error: { code: 'UNREACHABLE' } },
    ]
    for (const { args, code, error } of failing) {
      const ended = await at.json(...args)
      expect({ args, code: ended.code }).toEqual({ args, code })
      if (error === undefined) expect(ended.value).not.toHaveProperty('error')
      else
        expect(ended.value.error).toMatchObject({
          ...error,
          message: expect.stringMatching(/^\w/),
        })
    }
    at.write(
      'keelson.config.ts',
      configOf(sqlite.replace('notes.db', 'nowhere/notes.db'))['keelson.config.ts']!,
    )
    const { code, value } = await at.json('diff')
    expect(code).toBe(1)
    expect(value).toEqual({
      error: { code: expect.any(String), message: expect.stringContaining('nowhere') },
    })
  })
})

describe.skipIf(!hasScript)('keelson in a terminal', () => {
  test.for([
    { keys: 'n\r', isTaken: false },
    { keys: '\r', isTaken: false },
    { keys: 'yesterday\r', isTaken: false },
    { keys: '\u0003', isTaken: false },
    { keys: '\u0004', isTaken: false },
    { keys: 'y\r', isTaken: true },
    { keys: 'YES\r', isTaken: true },
  ])('asks in a terminal, where $keys is understood', async ({ keys, isTaken }) => {
    const at = project(configOf(sqlite))
    at.write('tables/notes.ts', notes('title: z.string()'))
    const terminal = inTerminalIn(at.directory, 'apply')
    await terminal.shows('Take this step? [y/N]')
    terminal.press(keys)
    const { code, written } = await terminal.ended()
    expect(code).toBe(isTaken ? 0 : 2)
    expect(written.includes('Nothing was done. Say --yes to take the steps.')).toBe(!isTaken)
    expect((await at.json('introspect')).value.tables).toHaveLength(isTaken ? 1 : 0)
  })
})
