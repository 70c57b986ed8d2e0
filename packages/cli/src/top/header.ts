import { InvalidArgumentError } from '@commander-js/extra-typings'

/** Reads one header of an option that may be repeated. */
export function header(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): readonly (readonly [string, string])[] {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*([^\r\n]+)$/.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError("Give name and value, as 'authorization: Bearer ...'.")
  return [...before, [name, value]]
}
