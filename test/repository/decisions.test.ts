import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readText, repository } from './packages.ts'

const folder = new URL('docs/decisions/', repository)
const names = readdirSync(folder).toSorted()

test('decisions are numbered from 0001 without gaps', () => {
  const expected = names.map((_, index) => String(index + 1).padStart(4, '0'))
  expect(names.map((name) => /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1])).toEqual(expected)
})

describe.for(names)('docs/decisions/%s', (name) => {
  test('has its parts in order, in at most 40 lines', () => {
    const lines = readText(name, folder).trimEnd().split('\n')
    const headings = lines.filter((line) => line.startsWith('#'))
    expect(headings).toEqual([
      expect.stringMatching(new RegExp(`^# ${Number(name.slice(0, 4))}\\. .+`)),
      '## Context',
      '## Decision',
      '## Consequences',
      '## Rejected',
    ])
    expect(lines.length).toBeLessThanOrEqual(40)
  })
})
