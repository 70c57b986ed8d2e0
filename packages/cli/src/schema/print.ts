/** Prints lines, or with `--json` the value that they are of. */
export function print(
  isJson: boolean | undefined,
  value: unknown,
  lines: () => readonly string[],
): void {
  const text = isJson === true ? JSON.stringify(value, plain, 2) : lines().join('\n')
  process.stdout.write(`${text}\n`)
}

/** Says what happens meanwhile, where it does not mix with the output. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** A literal of 64 bits has no place in JSON. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
