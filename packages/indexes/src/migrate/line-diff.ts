const most = 12

/** The lines that two texts do not begin or end with in common, as a message shows them; empty when they are the same. */
export function lineDiff(before: string, after: string): string {
  const old = before.split(/\r?\n/)
  const now = after.split(/\r?\n/)
  const shorter = Math.min(old.length, now.length)
  let start = 0
  while (start < shorter && old[start] === now[start]) start++
  let end = 0
  while (end < shorter - start && old.at(-1 - end) === now.at(-1 - end)) end++
  const removed = old.slice(start, old.length - end).map((line) => `- ${line}`)
  const added = now.slice(start, now.length - end).map((line) => `+ ${line}`)
  return [...shown(removed), ...shown(added)].join('\n')
}

function shown(lines: readonly string[]): readonly string[] {
  return lines.length <= most
    ? lines
    : [...lines.slice(0, most), `  ... ${lines.length - most} more lines`]
}
