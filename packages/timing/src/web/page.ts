import { pageScript } from './page-script.ts'
import { pageStyle } from './page-style.ts'

/**
 * One self-contained page: nothing is loaded from elsewhere, and nothing that was measured is in it. What it shows it asks
 * `stats.json` for, and puts into text nodes only, whatever somebody has written into their SQL.
 *
 * @param nonce by which the browser knows the script and style of this answer from any that got in
 */
export function page(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Query timing</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${pageStyle}</style>
</head>
<body>
<header>
<h1>Query timing</h1>
<p id="totals" role="status">Loading</p>
<label><input type="checkbox" id="refresh" checked> refresh every 2 s</label>
</header>
<main>
<section id="findings" aria-label="Findings"></section>
<section id="databases" aria-label="Databases"></section>
<section aria-label="Queries">
<input id="filter" type="search" placeholder="Filter queries" aria-label="Filter queries">
<table>
<thead><tr id="columns"></tr></thead>
<tbody id="queries"></tbody>
</table>
<p id="empty" hidden>No query yet.</p>
</section>
</main>
<script nonce="${nonce}">${pageScript}</script>
</body>
</html>
`
}
