/** Bodies of JSON and of `application/x-ndjson`, of which no more is held than is allowed. */
import { Problem } from './problem.ts'

type Body = AsyncIterable<Uint8Array>

const newline = 0x0a
const maxBytes = 1_000_000

/**
 * The lines of a body, one at a time: reads no further than lines are asked for. Empty ones are no lines. One that is too
 * long is cut off behind the bytes that `parseJson()` takes.
 */
export async function* linesOf(body: Body): AsyncGenerator<Uint8Array> {
  let line = new Parts()
  for await (const chunk of body) {
    let from = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      line.add(chunk.subarray(from, at))
      if (!line.isBlank) yield line.bytes
      line = new Parts()
      from = at + 1
    }
    line.add(chunk.subarray(from))
  }
  if (!line.isBlank) yield line.bytes
}

/** Reads a body to its end also when it is too long, since who is still sending hears no answer. */
export async function readJson(body: Body): Promise<unknown> {
  const whole = new Parts()
  for await (const chunk of body) whole.add(chunk)
  return parseJson(whole.bytes)
}

/** @throws {Problem} for what is too long, or no JSON in UTF-8 */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length > maxBytes) {
    throw new Problem(
      413,
      'TOO_LONG',
      `It has more than ${maxBytes} bytes. Send many records as lines of application/x-ndjson.`,
    )
  }
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch (error) {
    throw new Problem(400, 'INVALID_JSON', `It is no JSON: ${(error as Error).message}.`)
  }
}

/** Reads what nobody wants, up to 100 MB. */
export async function discard(body: Body): Promise<void> {
  let size = 0
  for await (const { length } of body) {
    size += length
    if (size > 100_000_000) break
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Bytes that come in parts, of which those are kept that are allowed, and a part more. */
class Parts {
  readonly #parts: Uint8Array[] = []
  #size = 0

  add(part: Uint8Array): void {
    if (part.length === 0 || this.#size > maxBytes) return
    this.#parts.push(part)
    this.#size += part.length
  }

  get isBlank(): boolean {
    return this.#parts.every((part) =>
      part.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d),
    )
  }

  get bytes(): Uint8Array {
    const [first] = this.#parts
    return first !== undefined && this.#parts.length === 1 ? first : Buffer.concat(this.#parts)
  }
}
