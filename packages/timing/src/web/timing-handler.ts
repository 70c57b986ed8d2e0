import { checkOptionNames, invalidOption } from '@keelson/core'
import { randomBytes } from 'node:crypto'
import type { HealthReport } from '../health/health-report.ts'
import { Timing } from '../timing.ts'
import { page } from './page.ts'
import { prometheusText, prometheusType } from './prometheus.ts'

/** What of a timing is served, and where. */
export interface TimingHandlerOptions {
  /** The path under which the handler is mounted: `/timing`. @default '' */
  readonly basePath?: string | undefined
  /** What `/health` answers: `() => health(db)`. Without it there is no `/health`. */
  readonly health?: (() => Promise<HealthReport>) | undefined
}

/**
 * Serves a timing over HTTP, as a web-standard handler that Hono, Next.js, Bun, Deno and Node's adapters take.
 *
 * `/` is a page for people, `/stats.json` the report, `/workload.json` the workload without values, `/metrics` Prometheus's text, `/health` 200 or 503 with what is known of
 * the database. Only GET and HEAD are answered. Statements are shown without their values, and yet say much about an
 * application: who may ask is to be decided before the handler.
 *
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const handler = timingHandler(timing, { basePath: '/timing', health: () => health(db) })
 * app.get('/timing/*', onlyAdmins, (context) => handler(context.req.raw))
 */
export function timingHandler(
  timing: Timing,
  options: TimingHandlerOptions = {},
): (request: Request) => Promise<Response> {
  checkOptionNames('timingHandler()', options, ['basePath', 'health'])
  const { basePath = '', health } = options
  if (typeof basePath !== 'string' || (basePath !== '' && !/^\/.*[^/]$/.test(basePath)))
    invalidOption(
      'timingHandler()',
      'basePath',
      basePath,
      'a path that begins with a slash and does not end with one',
    )
  const recorder = Timing.recorderOf(timing, 'timingHandler()')
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(405, 'Only GET and HEAD.', { 'content-type': plain, allow: 'GET, HEAD' })
    const { pathname } = new URL(request.url)
    if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) return notFound()
    switch (pathname.slice(basePath.length)) {
      case '':
      case '/': {
        const nonce = randomBytes(16).toString('base64')
        return answer(200, page(nonce), {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        })
      }
      case '/stats.json':
        return answer(200, JSON.stringify(timing.report()), { 'content-type': json })
      case '/workload.json': {
        // What `sampleParams` keeps is for this process.
        const { queries, ...rest } = timing.workload()
        const withoutValues = queries.map((query) => ({ ...query, samples: undefined }))
        const workload = JSON.stringify({ ...rest, queries: withoutValues })
        return answer(200, workload, { 'content-type': json })
      }
      case '/metrics':
        return answer(200, prometheusText(recorder), { 'content-type': prometheusType })
      case '/health': {
        if (health === undefined) return notFound()
        const type = { 'content-type': 'application/health+json' }
        try {
          const report = await health()
          return answer(report.ready ? 200 : 503, JSON.stringify(report), type)
        } catch {
          // Why is not told: whoever asks may be anybody.
          return answer(503, JSON.stringify({ status: 'fail', live: true, ready: false }), type)
        }
      }
      default:
        return notFound()
    }
  }
}

const plain = 'text/plain; charset=utf-8'
const json = 'application/json'

function notFound(): Response {
  return answer(404, 'Not found.', { 'content-type': plain })
}

function answer(status: number, body: string, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, {
    status,
    headers: {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      ...headers,
    },
  })
}
