import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { readText, repository } from './packages.ts'

const EVERYTHING = '{packages/*/src,test,bench,examples,scripts}/**/*.ts'
const SOURCES = '{packages/*/src,scripts,test/support}/**/*.ts'

test('a file lists each name that it exports from elsewhere', () => {
  const sources = files('packages/*/src/**/*.ts')
  const starred = sources.filter((path) => /^\s*export (type )?\*/m.test(readText(path)))
  expect(starred, 'name the exports: an entry is a table of contents').toEqual([])
})

test('file names are kebab-case and name a topic', () => {
  const names = files(EVERYTHING).filter((path) => {
    const name = basename(path).replace(/(\.(test|bench|config))?\.ts$/, '')
    const words = name.split('-')
    const vague = words.some((word) => /^(utils?|common|misc|helpers?)$/.test(word))
    return vague || words.some((word) => !/^[a-z0-9]+$/.test(word))
  })
  expect(names, 'say what the file is about, in words joined by "-"').toEqual([])
})

test('a source file of more than 300 lines says in its head why it is one subject', () => {
  const unexplained = files(SOURCES).filter((path) => {
    const text = readText(path)
    if (text.split('\n').length <= 301) return false
    const head = /^(?:#!.*\n)?\/\*\*[^]*?\*\//.exec(text)?.[0] ?? ''
    return !/one subject|\blong|\blines\b/i.test(head)
  })
  expect(unexplained, 'split it, or say first why it is one subject').toEqual([])
})

test('a package has nothing in it that was there to look at it while it was written', () => {
  const looks = /globalThis as any|^\s*console\.|^\s*debugger\b/m
  const looked = files('packages/*/src/**/*.ts').filter((path) => looks.test(readText(path)))
  expect(looked, 'take it out').toEqual([])
})

test('no text has the marks that a merge leaves behind', () => {
  // A formatter of Markdown writes them as quotations, and escapes the middle one.
  const marks = /^\s*(?:<{7} |>{7} |(?:> ){7}|\\?={7}$)/m
  const marked = files(`{${EVERYTHING},*.md,docs/**/*.md,{packages,examples}/*/*.md}`).filter(
    (path) => marks.test(readText(path)),
  )
  expect(marked, 'two versions of something are in it').toEqual([])
})

function files(glob: string): string[] {
  const paths = globSync(glob, { cwd: repository })
  expect(paths).not.toHaveLength(0)
  return paths
}
