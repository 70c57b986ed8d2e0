/** A text that is the same for equal values, however their keys are ordered. An absent key and `undefined` are the same. */
export function canonicalText(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined'
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`
  const parts: string[] = []
  for (const key of Object.keys(value).toSorted()) {
    const part = (value as Record<string, unknown>)[key]
    if (part !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalText(part)}`)
  }
  return `{${parts.join()}}`
}
