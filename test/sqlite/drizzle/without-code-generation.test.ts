import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('rows are mapped where code generation is forbidden', () => {
  const program = fileURLToPath(new URL('./without-code-generation.ts', import.meta.url))
  const output = execFileSync(
    process.execPath,
    ['--disallow-code-generation-from-strings', program],
    { encoding: 'utf8' },
  )
  const ada = { id: 1, name: 'Ada', isAdmin: true }
  expect(JSON.parse(output)).toEqual({
    forbidden: true,
    joined: [
      { users: ada, posts: { id: 1, authorId: 1, tags: ['a'] } },
      { users: { id: 2, name: null, isAdmin: null }, posts: null },
    ],
    partial: [
      ['who', { name: 'Ada' }],
      ['__proto__', 1],
    ],
    relational: ada,
  })
})
