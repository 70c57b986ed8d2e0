import type { IndexAdvice } from './advice.ts'

/** The advice as text, for people: what to create, what that does to each query, what was refused, what could go. */
export function adviceTable(advice: IndexAdvice): string {
  const { proposals, refused, drops, queries, workload } = advice
  const { beforeMs, afterMs, bytes, unread, parser, unplanned } = workload
  const times = afterMs > 0 ? ` (${factor(beforeMs / afterMs)})` : ''
  const lines = [
    `${proposals.length} indexes for ${workload.queries} queries, ${workload.calls} calls: ` +
      `${ms(beforeMs)} -> ${ms(afterMs)}${times}, ${mb(bytes)}, by ${methods[advice.method]}`,
  ]
  if (unread.queries > 0)
    lines.push(
      `${unread.queries} statements (${unread.calls} calls) were not understood.` +
        (parser === 'missing' ? ' Install @guanmingchiu/sqlparser-ts, which reads SQL.' : ''),
    )
  if (unplanned > 0) lines.push(`${unplanned} queries could not be planned.`)
  if (proposals.length > 0)
    lines.push(
      '',
      ...columns([
        ['create', 'saves', 'size', 'writes', 'queries', 'confidence'],
        ...proposals.map((each) => [
          each.sql,
          `${(each.gain * 100).toFixed(1)} %`,
          mb(each.bytes),
          each.writes.rows === 0 ? '-' : `${ms(each.writes.ms)} for ${each.writes.rows} rows`,
          each.queries.join(' '),
          each.confidence,
        ]),
      ]),
    )
  const changed = queries.filter((each) => each.planBefore.join() !== each.planAfter.join())
  for (const { id, text, calls, beforeMs: now, afterMs: then, planBefore, planAfter } of changed)
    lines.push(
      '',
      `${id}  ${calls} x ${ms(now)} -> ${ms(then)}  ${text.length > 160 ? `${text.slice(0, 157)}...` : text}`,
      ...planBefore.map((line) => `  - ${line}`),
      ...planAfter.map((line) => `  + ${line}`),
    )
  const told = refused.filter(({ code }) => code !== 'NOT_USED' && code !== 'NO_GAIN')
  if (told.length > 0)
    lines.push(
      '',
      ...columns([
        ['refused', 'code', 'why'],
        ...told.map((each) => [each.index, each.code, each.why]),
      ]),
    )
  if (drops.length > 0)
    lines.push(
      '',
      ...columns([
        ['could go', 'code', 'why'],
        ...drops.map((each) => [each.index, each.code, each.why]),
      ]),
    )
  return lines.join('\n')
}

const methods: Readonly<Record<IndexAdvice['method'], string>> = {
  clone: "SQLite's planner on an empty copy",
  hypopg: "PostgreSQL's planner with hypopg",
  createAndRollBack: "PostgreSQL's planner, rolled back",
  rules: 'rules',
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  )
}

function ms(value: number): string {
  return value >= 100 ? `${value.toFixed(0)} ms` : `${value.toPrecision(3)} ms`
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function factor(value: number): string {
  return `${value.toFixed(1)}x`
}
