import { KeelsonError } from '@keelson/core'
import type { QueryReport, TimingReport } from '@keelson/timing'

/** Buckets of a histogram with what each has counted, as JSON has them. */
export type Buckets = readonly (readonly [bucket: number, count: number])[]

/** A query as `/stats.json` has it. */
export interface ServedQuery extends Omit<QueryReport, 'histogram'> {
  readonly histogram: Buckets
}

/** What `/stats.json` answers. */
export interface ServedReport extends Omit<TimingReport, 'queries' | 'toString'> {
  readonly queries: readonly ServedQuery[]
}

/** Why there is no report. */
export class EndpointError extends KeelsonError {
  declare readonly code: 'INVALID_URL' | 'UNREACHABLE' | 'REFUSED' | 'NOT_A_TIMING_ENDPOINT'

  constructor(code: EndpointError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** Where `timingHandler()` of some application answers. */
export class Endpoint {
  readonly #url: URL
  readonly #headers: Headers
  readonly #timeoutMs: number

  /**
   * @param url of the handler: `http://` may be left out, and user and password may be in it
   * @param headers to be sent with each request, such as an authorization
   * @throws {EndpointError} `INVALID_URL`
   */
  constructor(url: string, headers: readonly (readonly [string, string])[], timeoutMs: number) {
    this.#url = statsUrl(url)
    this.#headers = new Headers({ accept: 'application/json' })
    for (const [name, value] of headers) this.#headers.set(name, value)
    const { username, password } = this.#url
    if (username !== '' || password !== '') {
      // fetch() refuses an address that holds them.
      const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
      this.#headers.set('authorization', `Basic ${Buffer.from(user).toString('base64')}`)
      this.#url.username = ''
      this.#url.password = ''
    }
    this.#timeoutMs = timeoutMs
  }

  /** The address without user and password. */
  get href(): string {
    return this.#url.href
  }

  /**
   * Asks for the report.
   *
   * @throws {EndpointError} when nobody answers, or what answers is no `timingHandler()`
   */
  async report(signal?: AbortSignal): Promise<ServedReport> {
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    const response = await this.#fetch(
      signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    )
    const { status } = response
    if (status === 401 || status === 403)
      throw new EndpointError(
        'REFUSED',
        `${this.href} answers ${status}: it wants to know who asks. Give it a header, as --header 'authorization: Bearer ...'.`,
      )
    const text = await response.text().catch((cause: unknown) => this.#unreachable(cause))
    const report = status === 200 ? parsed(text) : undefined
    if (isReport(report)) return report
    const type = response.headers.get('content-type') ?? 'nothing'
    throw new EndpointError(
      'NOT_A_TIMING_ENDPOINT',
      `${this.href} answers ${status} with ${type}, which is no report of @keelson/timing. Give the address at which the application serves timingHandler(timing), with its basePath: http://localhost:3000/timing.`,
    )
  }

  async #fetch(signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(this.#url, { headers: this.#headers, signal })
    } catch (error) {
      return this.#unreachable(error)
    }
  }

  #unreachable(error: unknown): never {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    const why = isLate ? `no answer within ${this.#timeoutMs / 1000} s` : reasonOf(error)
    throw new EndpointError(
      'UNREACHABLE',
      `${this.href} cannot be reached (${why}). Is the application running, at that host and port?`,
      { cause: error },
    )
  }
}

function statsUrl(given: string): URL {
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(given) ? given : `http://${given}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new EndpointError(
      'INVALID_URL',
      `"${given}" is no address of an application. Give the one at which it serves timingHandler(timing), such as http://localhost:3000/timing.`,
    )
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = path.endsWith('/stats.json') ? path : `${path}/stats.json`
  url.hash = ''
  return url
}

/** fetch() says "fetch failed", and why in its cause; for a name with several addresses in an AggregateError. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: unknown; message?: string }
  const { code, errors } = (cause ?? {}) as { code?: string; errors?: readonly { code?: string }[] }
  return (
    code ?? errors?.[0]?.code ?? (cause as Error | undefined)?.message ?? message ?? String(error)
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Whatever else answers in JSON has not all of these. */
function isReport(value: unknown): value is ServedReport {
  if (typeof value !== 'object' || value === null) return false
  const { takenAt, totals, queries, databases, findings } = value as Record<string, unknown>
  return (
    typeof takenAt === 'string' &&
    typeof (totals as { calls?: unknown } | undefined)?.calls === 'number' &&
    [queries, databases, findings].every(Array.isArray) &&
    (queries as readonly { histogram?: unknown }[]).every(({ histogram }) =>
      Array.isArray(histogram),
    )
  )
}
