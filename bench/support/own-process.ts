import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * A program that does what it is asked, one request at a time. One contender to a process is what people have: code that all
 * of them run through, such as Kysely's, is compiled for one of them, and nobody pays for the garbage of the others.
 */
export class OwnProcess<Asked, Answer> {
  readonly #child: ChildProcess

  constructor(program: URL, ...parameters: readonly string[]) {
    this.#child = fork(fileURLToPath(program), parameters, {
      execArgv: ['--expose-gc'],
      serialization: 'advanced',
    })
  }

  /** @throws what went wrong there */
  async ask(request: Asked): Promise<Answer> {
    const gone = new AbortController()
    const ended = once(this.#child, 'exit', { signal: gone.signal }).then(([code]) => {
      throw new Error(`A process of the bench has ended with ${String(code)}.`)
    })
    const answered = once(this.#child, 'message', { signal: gone.signal })
    ended.catch(() => {})
    answered.catch(() => {})
    this.#child.send(request as object)
    try {
      const [answer] = (await Promise.race([answered, ended])) as [Reply<Answer>]
      if ('error' in answer) throw answer.error
      return answer.answer
    } finally {
      gone.abort()
    }
  }

  async end(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }
}

type Reply<Answer> = { readonly answer: Answer } | { readonly error: unknown }

/** Answers what the other process asks, until it goes. */
export function answerRequests<Asked, Answer>(
  answer: (request: Asked) => Promise<Answer>,
  close: () => unknown,
): void {
  process.on('message', (request) => {
    void answer(request as Asked).then(
      (found) => process.send!({ answer: found }),
      (error: unknown) => process.send!({ error }),
    )
  })
  process.once('disconnect', () => void close())
}
