import { describe, expect, test } from 'vitest'
import { configOf, notes, project } from './project.ts'

describe('keelson.config.ts', () => {
  test.for([
    { says: 'error NO_CONFIG: There is no keelson.config.ts in', files: {} },
    { says: 'error NO_CONFIG: There is no other.ts.', files: {}, args: ['--config', 'other.ts'] },
    { says: 'error CONFIG_NOT_LOADED', files: { 'keelson.config.ts': 'export default {' } },
    { says: 'error INVALID_CONFIG', files: { 'keelson.config.ts': 'export const config = {}' } },
    {
      says: 'Did you mean `tables`?',
      files: { 'keelson.config.ts': 'export default { table: [] }' },
    },
    {
      says: 'as `dialect`. It takes',
      files: { 'keelson.config.ts': `export default { dialect: 'oracle' }` },
    },
    {
      says: 'as `db`. It takes a function',
      files: { 'keelson.config.ts': 'export default { db: {} }' },
    },
    { says: 'has no `tables`', files: { 'keelson.config.ts': 'export default {}' } },
    {
      says: 'No module that matches "x/*.ts"',
      files: { 'keelson.config.ts': `export default { tables: 'x/*.ts' }` },
    },
    { says: 'that is no table', files: { 'keelson.config.ts': `export default { tables: [{}] }` } },
    {
      says: 'Cannot load',
      files: {
        'keelson.config.ts': `export default { tables: 'x.js' }`,
        'x.js': 'throw new Error("no")',
      },
    },
    {
      says: 'opens no database',
      files: {
        ...configOf('const open = undefined'),
        'tables/notes.ts': notes('title: z.string()'),
      },
    },
    {
      says: 'neither a Kysely nor',
      files: {
        ...configOf('const open = () => ({})'),
        'tables/notes.ts': notes('title: z.string()'),
      },
    },
  ])('says what is wrong with a configuration: $says', async ({ says, files, args = [] }) => {
    const { code, stdout, stderr } = await project(files).run('diff', ...args)
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(says),
    })
    expect(stderr).not.toContain('    at ')
  })
})
