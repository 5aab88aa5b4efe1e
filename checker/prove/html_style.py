"""How the page of a proof looks, and the few lines of script that open what is pointed at."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --faint: #6b7686; --paper: #fff; --line: #d9dee6; --good: #e3f4e8;
  --bad: #fbe0df; --maybe: #fdf3cf; --goodink: #1d6b3a; --badink: #a3231d; --maybeink: #7a5b00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --faint: #98a2b3; --paper: #14181f; --line: #323a47;
  --good: #1d3a2a; --bad: #4d2221; --maybe: #443a17; --goodink: #86d7a4; --badink: #ff9c94; --maybeink: #ecd27a } }
body { margin: 0; overflow-x: clip; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 80px }
h1 { font-size: 26px; margin: 8px 0 } h2 { font-size: 18px; margin: 34px 0 10px }
h3 { font-size: 15px; margin: 26px 0 4px } h3 + p { color: var(--faint); margin: 0 0 6px; font-size: 13px }
.verdict { font-size: 15px; padding: 3px 10px; border-radius: 12px; vertical-align: middle }
.verdict.proved { background: var(--good); color: var(--goodink) }
.verdict.refuted { background: var(--bad); color: var(--badink) }
.verdict.unknown { background: var(--maybe); color: var(--maybeink) }
ul { padding-left: 20px }
.wide { overflow-x: auto }
.graph { margin: 0 calc(50% - 50vw); padding: 0 20px }
table { border-collapse: collapse; font-size: 13px }
th, td { border: 1px solid var(--line); padding: 5px 9px; vertical-align: top; text-align: left }
thead th, tbody th { font-weight: 600 }
.matrix td { text-align: right; min-width: 74px; max-width: 150px }
.matrix td a, .listing a { color: inherit; text-decoration: none; white-space: nowrap }
.matrix td a:hover, .listing a:hover { text-decoration: underline }
td.proved, .listing tr.proved td:nth-child(3) { background: var(--good) }
td.failed, .listing tr.failed td:nth-child(3) { background: var(--bad); font-weight: 700 }
td.unknown, .listing tr.unknown td:nth-child(3) { background: var(--maybe); font-weight: 700 }
td.skipped, tr.skipped { color: var(--faint) }
small { display: block; color: var(--faint); font-size: 11px; line-height: 1.3; overflow-wrap: anywhere }
code, pre { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 12.5px }
pre.counterexample { background: var(--bad); padding: 12px 16px; border-radius: 6px; overflow-x: auto }
p.unknown { background: var(--maybe); padding: 8px 14px; border-radius: 6px }
details { border-bottom: 1px solid var(--line); padding: 5px 0 }
details:target { outline: 2px solid var(--faint); outline-offset: 3px }
summary { cursor: pointer } summary b { font-weight: 400; color: var(--goodink) }
.failed > summary b { color: var(--badink) } .unknown > summary b { color: var(--maybeink) }
.skipped > summary b { color: var(--faint) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 8px 0 8px 18px; font-size: 13.5px }
dt { color: var(--faint); max-width: 18em } dd { margin: 0 }
"""

SCRIPT = """
function open_target() {
  const found = document.getElementById(location.hash.slice(1));
  if (found instanceof HTMLDetailsElement) { found.open = true; found.scrollIntoView({ block: 'center' }) }
}
addEventListener('hashchange', open_target);
open_target();
"""
