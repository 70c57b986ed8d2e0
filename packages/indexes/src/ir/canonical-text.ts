/** A text that is the same for equal values, however their keys are ordered. An absent key and `undefined` are the same. */
export function canonicalText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  let text = ''
  if (Array.isArray(value)) {
    for (const part of value) text += `${canonicalText(part)},`
    return `[${text}]`
  }
  // oxlint-disable-next-line unicorn/no-array-sort -- The keys are this function's own.
  for (const key of Object.keys(value).sort()) {
    const part = (value as Record<string, unknown>)[key]
    if (part !== undefined) text += `${JSON.stringify(key)}:${canonicalText(part)},`
  }
  return `{${text}}`
}
