/** How the page looks, in light and dark. */
export const pageStyle = `
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #30363d); --dim: light-dark(#57606a, #8b949e);
  --accent: light-dark(#0969da, #58a6ff); --warn: light-dark(#9a6700, #d29922); --bad: light-dark(#cf222e, #f85149);
  --surface: light-dark(#f6f8fa, #161b22); }
* { box-sizing: border-box }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; background: light-dark(#fff, #0d1117); color: light-dark(#1f2328, #e6edf3) }
header { display: flex; gap: 1.5rem; align-items: baseline; padding: 1rem 1.5rem; border-bottom: 1px solid var(--line); flex-wrap: wrap }
h1 { font-size: 1.1rem; margin: 0 }
#totals { margin: 0; color: var(--dim); flex: 1 }
main { padding: 1rem 1.5rem }
#findings p { margin: .3rem 0; padding: .45rem .75rem; border-left: 3px solid var(--dim); background: var(--surface); overflow-wrap: anywhere }
#findings p.warn { border-color: var(--warn) } #findings p.bad { border-color: var(--bad) }
#databases { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1rem 0 }
.card { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; min-width: 15rem }
.card h2 { font-size: .95rem; margin: 0 0 .3rem } .card p { margin: .15rem 0; color: var(--dim) }
meter { width: 100% }
#filter { font: inherit; padding: .3rem .6rem; margin-bottom: .5rem; width: min(24rem, 100%) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap }
th:last-child, td:last-child { text-align: left; white-space: normal; overflow-wrap: anywhere; width: 45%; font-family: ui-monospace, monospace; font-size: .85em }
th button { all: unset; cursor: pointer; font-weight: 600; color: var(--dim) } th button:focus-visible { outline: 2px solid var(--accent) }
th[aria-sort] button { color: var(--accent) }
td.scan, td.bad { color: var(--bad) }
svg { width: 90px; height: 20px; display: block } polyline { fill: none; stroke: var(--accent); stroke-width: 1.5 }
`
