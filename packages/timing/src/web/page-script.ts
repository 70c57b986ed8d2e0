/**
 * What the page does, as the browser runs it. It is text, since there is no build: plain ES2022, and no `innerHTML`.
 */
export const pageScript: string = String.raw`
'use strict'
const byId = (id) => document.getElementById(id)
const element = (name, text, className) => {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  if (className) made.className = className
  return made
}
const ms = (value) => value === 0 ? '0' : value < 0.0995 ? (value * 1000).toFixed(value < 0.00995 ? 1 : 0) + ' µs'
  : value < 9.995 ? value.toFixed(2) + ' ms' : value < 99.95 ? value.toFixed(1) + ' ms'
  : value < 9999.5 ? value.toFixed(0) + ' ms' : (value / 1000).toFixed(1) + ' s'
const waited = ({ waitMs, totalMs }) => waitMs + totalMs === 0 ? 0 : waitMs / (waitMs + totalMs)
const planOf = ({ plan }) => plan === undefined ? '' : plan.scans.length > 0 ? 'SCAN ' + plan.scans.join(', ') : 'index'
const columns = [
  { name: '%', of: (query) => query.share, show: (value) => (value * 100).toFixed(1) },
  { name: 'calls', of: (query) => query.calls },
  { name: 'p50', of: (query) => query.p50Ms, show: ms },
  { name: 'p95', of: (query) => query.p95Ms, show: ms },
  { name: 'p99', of: (query) => query.p99Ms, show: ms },
  { name: 'max', of: (query) => query.maxMs, show: ms },
  { name: 'rows', of: (query) => query.rows },
  { name: 'errors', of: (query) => query.errors, show: (value) => value === 0 ? '' : String(value), className: () => 'bad' },
  { name: 'wait', of: waited, show: (value) => value < 0.005 ? '' : Math.round(value * 100) + ' %' },
  { name: 'plan', of: planOf, className: (value) => value.startsWith('SCAN') ? 'scan' : '' },
  { name: 'last 5 min', of: (query) => query.recentMs.findLast((value) => value !== null) ?? 0, draw: (query) => sparkline(query.recentMs) },
  { name: 'query', of: (query) => query.text },
]
let sorted = 0
let ascending = false
let report
const base = location.pathname.replace(/\/$/, '')

function sparkline(values) {
  const most = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE)
  const points = values.flatMap((value, index) => value === null ? []
    : [(index * 90 / (values.length - 1)).toFixed(1) + ',' + (18 - 16 * value / most).toFixed(1)])
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 90 20')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', 'mean of the last five minutes, at most ' + ms(most))
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline')
  line.setAttribute('points', (points.length === 1 ? [points[0].replace(/^[^,]*/, '0'), points[0]] : points).join(' '))
  svg.append(line)
  return svg
}

columns.forEach(({ name }, index) => {
  const head = element('th')
  head.scope = 'col'
  const button = element('button', name)
  button.type = 'button'
  button.addEventListener('click', () => {
    ascending = sorted === index ? !ascending : false
    sorted = index
    draw()
  })
  head.append(button)
  byId('columns').append(head)
})

function cell(column, query) {
  const value = column.of(query)
  if (column.draw) {
    const made = element('td')
    made.append(column.draw(query))
    return made
  }
  return element('td', column.show ? column.show(value) : String(value), column.className?.(value))
}

function drawQueries() {
  const wanted = byId('filter').value.toLowerCase()
  const { of } = columns[sorted]
  const rows = report.queries
    .filter(({ text }) => text.toLowerCase().includes(wanted))
    .map((query) => ({ query, key: of(query) }))
    .sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0) * (ascending ? 1 : -1))
  ;[...byId('columns').children].forEach((head, index) => {
    if (index === sorted) head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending')
    else head.removeAttribute('aria-sort')
  })
  byId('queries').replaceChildren(...rows.map(({ query }) => {
    const row = element('tr')
    row.append(...columns.map((column) => cell(column, query)))
    row.title = query.database + ' · ' + query.id
    return row
  }))
  byId('empty').hidden = rows.length > 0
}

function card({ name, system, pool, transactions, wait, running, window }) {
  const made = element('article', undefined, 'card')
  made.append(element('h2', name === system ? name : name + ' (' + system + ')'))
  made.append(element('p', running + ' running; last minute ' + window.calls + ' calls, ' + window.slow + ' slow, ' + window.errors + ' failed'))
  if (pool) {
    const used = element('meter')
    used.max = pool.max
    used.high = pool.max * 0.8
    used.value = pool.size - pool.idle
    used.setAttribute('aria-label', 'connections in use')
    made.append(used, element('p', 'pool ' + (pool.size - pool.idle) + ' of ' + pool.max + ' in use, ' + pool.pending + ' waiting'))
  }
  made.append(element('p', 'waited p95 ' + ms(wait.p95Ms) + ', max ' + ms(wait.maxMs)))
  const ended = Object.entries(transactions.outcomes).map(([outcome, count]) => count + ' ' + outcome.replaceAll('_', ' '))
  made.append(element('p', 'transactions: ' + transactions.open + ' open' + (ended.length ? ', ' + ended.join(', ') : '')))
  if (transactions.oldestMs !== undefined) made.append(element('p', 'the oldest is open for ' + ms(transactions.oldestMs)))
  return made
}

function draw() {
  const { totals, findings, databases, queries } = report
  byId('totals').textContent = totals.calls + ' queries of ' + queries.length + ' kinds, ' + ms(totals.totalMs) + ' in all, ' +
    ms(totals.waitMs) + ' waiting, ' + totals.errors + ' failed'
  byId('findings').replaceChildren(...findings.map((text) =>
    element('p', text, text.startsWith('✖') ? 'bad' : text.startsWith('⚠') ? 'warn' : '')))
  byId('databases').replaceChildren(...databases.map(card))
  drawQueries()
}

async function load() {
  try {
    const response = await fetch(base + '/stats.json', { cache: 'no-store' })
    if (!response.ok) throw new Error('stats.json answered ' + response.status)
    report = await response.json()
    draw()
  } catch (error) {
    byId('totals').textContent = 'Cannot load: ' + error.message
  }
}

byId('filter').addEventListener('input', () => report && drawQueries())
setInterval(() => { if (byId('refresh').checked && !document.hidden) load() }, 2000)
load()
`
