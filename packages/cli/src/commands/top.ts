import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
  Option,
} from '@commander-js/extra-typings'
import { setTimeout } from 'node:timers/promises'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { type Activity, between, sinceBeginning } from '../top/activity.ts'
import { Endpoint } from '../top/endpoint.ts'
import { frame } from '../top/frame.ts'
import { header } from '../top/header.ts'
import { showLive, titleOf } from '../top/live.ts'
import { sorted, sortings } from '../top/sorting.ts'

const defaultSeconds = 2
const defaultLimit = 50
const timeoutMs = 5_000
/** Of what is no terminal. */
const defaultWidth = 120

/** `keelson top <url>`: what the queries of a running application do. */
export function topCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return new Command('top')
    .summary('what the queries of a running application do, live')
    .description(
      'Shows which queries of a running application take the time: how often they run, how long they wait and execute, what fails, how full the pool is, and what should be done about it.',
    )
    .argument('<url>', 'where the application serves timingHandler(timing): localhost:3000/timing')
    .option(
      '-i, --interval <seconds>',
      `look so often; with --once, how long to look (default: ${defaultSeconds})`,
      seconds,
    )
    .addOption(
      new Option('-s, --sort <column>', 'the most of it first')
        .choices(sortings)
        .default(sortings[0]!),
    )
    .option('-n, --limit <queries>', 'show so many at most', wholeNumber, defaultLimit)
    .option(
      '-1, --once',
      'print once and end, as it does where the output is no terminal: everything since the application began',
    )
    .option('--json', 'print once, as JSON')
    .option(
      '-H, --header <name: value>',
      'send it along, for one who asks who is asking; may be repeated',
      header,
    )
    .addHelpText(
      'after',
      `
Keys: q quit   s sort by the next column   t all since the beginning, or only what is new   p pause

Examples:
  $ keelson top localhost:3000/timing
  $ keelson top https://example.com/timing --header "authorization: Bearer $TOKEN"
  $ keelson top localhost:3000/timing --once --interval 10 --sort calls
  $ keelson top localhost:3000/timing --json | jq '.queries[0]'`,
    )
    .action(async (url, { interval, sort, limit, once, json, header: headers = [] }) => {
      const endpoint = new Endpoint(url, headers, timeoutMs)
      if (once === true || json === true || !process.stdout.isTTY) {
        const activity = await look(endpoint, interval)
        if (json === true) printJson(activity, sort, limit)
        else print(endpoint, activity, sort, limit)
      } else
        await showLive(endpoint, { intervalMs: (interval ?? defaultSeconds) * 1000, sort, limit })
      end(exitCodes.clean)
    })
}

async function look(endpoint: Endpoint, interval: number | undefined): Promise<Activity> {
  const report = await endpoint.report()
  if (interval === undefined) return sinceBeginning(report)
  await setTimeout(interval * 1000)
  return between(report, await endpoint.report())
}

function print(endpoint: Endpoint, activity: Activity, sort: string, limit: number): void {
  const span =
    activity.seconds === undefined
      ? 'since the beginning'
      : `within ${activity.seconds.toFixed(1)} s`
  const lines = frame(activity, {
    width: process.stdout.columns || defaultWidth,
    height: Infinity,
    sort,
    limit,
    title: titleOf(endpoint, activity, span),
  })
  process.stdout.write(`${lines.join('\n')}\n`)
}

function printJson({ queries, ...rest }: Activity, sort: string, limit: number): void {
  const shown = sorted(queries, sort).slice(0, limit)
  process.stdout.write(`${JSON.stringify({ ...rest, queries: shown }, undefined, 2)}\n`)
}

function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0.1 && value <= 3600))
    throw new InvalidArgumentError('Give seconds from 0.1 to 3600.')
  return value
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('Give a whole number above 0.')
  return Number(text)
}
