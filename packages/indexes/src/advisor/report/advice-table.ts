import type { IndexAdvice } from './advice.ts'
import { shortened } from './named-query.ts'

/** Letters of a line, as terminals have them. Statements that are to be copied are not broken. */
const width = 100

/** The advice as text, for people: what to create, what that does to each query, what was refused, what could go. */
export function adviceTable(advice: IndexAdvice): string {
  const { proposals, refused, drops, queries, workload } = advice
  const { beforeMs, afterMs, bytes, unread, parser, unplanned } = workload
  const indexes = proposals.length === 1 ? '1 index' : `${proposals.length} indexes`
  const times = afterMs > 0 ? ` (${factor(beforeMs / afterMs)})` : ''
  const lines = [
    `${indexes} for ${whole(workload.queries)} queries, ${whole(workload.calls)} calls, ${mb(bytes)}`,
    `all of them: ${ms(beforeMs)} -> ${ms(afterMs)}${times}, estimated by ${methods[advice.method]}`,
  ]
  if (unread.queries > 0)
    lines.push(
      `${whole(unread.queries)} statements (${whole(unread.calls)} calls) were not understood.` +
        (parser === 'missing' ? ' Install @guanmingchiu/sqlparser-ts, which reads SQL.' : ''),
    )
  if (advice.engine === 'postgresql' && advice.method === 'rules')
    lines.push(
      'PostgreSQL itself was not asked: `create extension hypopg`, or what-if create-and-roll-back, has it say how it would run them.',
    )
  if (unplanned > 0) lines.push(`${whole(unplanned)} queries could not be planned.`)
  for (const [at, each] of proposals.entries()) {
    const { writes } = each
    const kept =
      writes.rows === 0 ? [] : [`${ms(writes.ms)} for ${whole(writes.rows)} written rows`]
    const facts = [`saves ${percent(each.gain)}`, mb(each.bytes), ...kept]
    lines.push(
      '',
      `${at + 1}. ${each.sql}`,
      ...wrapped(`${facts.join(', ')}, confidence ${each.confidence}`, '   '),
      ...wrapped(`for ${each.queries.join(' ')}`, '   '),
    )
  }
  const changed = queries.filter((each) => each.planBefore.join() !== each.planAfter.join())
  for (const { id, text, calls, beforeMs: now, afterMs: then, planBefore, planAfter } of changed)
    lines.push(
      '',
      `${id}  ${whole(calls)} x ${ms(now)} -> ${ms(then)}`,
      `  ${shortened(text, width - 2)}`,
      ...planBefore.map((line) => `  - ${line}`),
      ...planAfter.map((line) => `  + ${line}`),
    )
  const told = refused.filter(({ code }) => code !== 'NOT_USED' && code !== 'NO_GAIN')
  if (told.length > 0) lines.push('', 'refused:', ...told.flatMap(reasoned))
  if (drops.length > 0) lines.push('', 'could go:', ...drops.flatMap(reasoned))
  return lines.join('\n')
}

const methods: Readonly<Record<IndexAdvice['method'], string>> = {
  clone: "SQLite's planner on an empty copy",
  hypopg: "PostgreSQL's planner with hypopg",
  createAndRollBack: "PostgreSQL's planner, rolled back",
  rules: 'rules',
}

interface Reasoned {
  readonly index: string
  readonly code: string
  readonly why: string
}

function reasoned({ index, code, why }: Reasoned): readonly string[] {
  return [`  ${index}  ${code}`, ...wrapped(why, '    ')]
}

function wrapped(text: string, indent: string): readonly string[] {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    if (line !== indent && line.length + 1 + word.length > width) {
      lines.push(line)
      line = indent
    }
    line += line === indent ? word : ` ${word}`
  }
  return [...lines, line]
}

function ms(value: number): string {
  return value >= 100 ? `${whole(Math.round(value))} ms` : `${Number(value.toPrecision(3))} ms`
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`
}

function factor(value: number): string {
  return `${value.toFixed(1)}x`
}

function whole(value: number): string {
  return value.toLocaleString('en')
}
