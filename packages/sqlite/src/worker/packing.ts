import {
  answer,
  type Answer,
  type ask,
  type Begin,
  type Effects,
  type Layout,
  type Request,
  type RunRequest,
} from './protocol.ts'

// What is sent most often stands in a batch value by value: to copy an array, or an object, for each takes longer than to run
// a small statement. Everything else is an element of its own.

/** What else follows in the batch; above the bits of `flag`. */
const follows = { text: 1 << 8, begin: 1 << 9, timeout: 1 << 10 } as const

/** Appends a statement that is to be run. */
export function packRun(
  batch: unknown[],
  [id, kind, textId, text, parameters, flags, begin, timeoutMs]: RunRequest,
): void {
  const more =
    (text === undefined ? 0 : follows.text) |
    (begin === undefined ? 0 : follows.begin) |
    (timeoutMs === undefined ? 0 : follows.timeout)
  batch.push(id, kind, textId, flags | more, parameters.length)
  if (text !== undefined) batch.push(text)
  if (begin !== undefined) batch.push(begin[0], begin[1])
  if (timeoutMs !== undefined) batch.push(timeoutMs)
  for (const value of parameters) batch.push(value)
}

export function unpackRequests(batch: readonly unknown[], take: (request: Request) => void): void {
  for (let at = 0; at < batch.length;) {
    const id = batch[at++]
    if (typeof id !== 'number') {
      take(id as Request)
      continue
    }
    const kind = batch[at++] as typeof ask.run
    const textId = batch[at++] as number
    const flags = batch[at++] as number
    const count = batch[at++] as number
    const text = (flags & follows.text) === 0 ? undefined : (batch[at++] as string)
    const begin: Begin | undefined =
      (flags & follows.begin) === 0 ? undefined : [batch[at++] as string, batch[at++] as number]
    const timeoutMs = (flags & follows.timeout) === 0 ? undefined : (batch[at++] as number)
    take([id, kind, textId, text, batch.slice(at, (at += count)), flags, begin, timeoutMs])
  }
}

/** Appends an answer; the first element of the batch is how many there are. */
export function packAnswer(batch: unknown[], given: Answer): void {
  if (given[1] === answer.done) {
    const [id, kind, { changes, insertId }] = given
    batch.push(id, kind, changes, insertId)
  } else if (given[1] === answer.flat) {
    const [id, kind, values, count, layout, effects] = given
    batch.push(id, kind, count, layout, effects, values.length)
    for (const value of values) batch.push(value)
  } else batch.push(given)
}

export function unpackAnswers(batch: readonly unknown[], take: (given: Answer) => void): void {
  for (let at = 1; at < batch.length;) {
    const id = batch[at++]
    if (typeof id !== 'number') {
      take(id as Answer)
      continue
    }
    if (batch[at++] === answer.done) {
      const changes = batch[at++] as number | undefined
      const insertId = batch[at++] as bigint | undefined
      take([id, answer.done, { changes, insertId }])
      continue
    }
    const count = batch[at++] as number
    const layout = batch[at++] as Layout | undefined
    const effects = batch[at++] as Effects | undefined
    const width = batch[at++] as number
    take([id, answer.flat, batch.slice(at, (at += width)), count, layout, effects])
  }
}
