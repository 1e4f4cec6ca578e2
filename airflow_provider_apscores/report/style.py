"""The style sheet of the page: light and dark, narrow and wide, screen and paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #17202c; --quiet: #5c6878; --line: #e1e5ea; --bar: #2f6db5;
  --good: #14683f; --good-soft: #e3f3ea; --wait: #7a4b00; --wait-soft: #fdf0d5; --bad: #a11d25; --bad-soft: #fce6e7;
  --score-5: #12426f; --score-4: #2f74b0; --score-3: #6fa8d6; --score-2: #aacdea; --score-1: #d7e6f3;
  --focus: #0b5fd0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11161d; --card: #1a212b; --ink: #e8edf3; --quiet: #9dabbb; --line: #2d3743; --bar: #5fa4e6;
    --good: #7fd3a4; --good-soft: #17382a; --wait: #f2c572; --wait-soft: #3d2f14; --bad: #ff9c9f; --bad-soft: #46201f;
    --score-5: #a9d3f7; --score-4: #6fb0e6; --score-3: #4585bb; --score-2: #32618a; --score-1: #2a4560;
    --focus: #8ec2ff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0 auto; max-width: 70rem; padding: 2rem 1.5rem 3rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
h1, h2, h3, p, dl, dd { margin: 0; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.015em; }
h2 { font-size: 1.25rem; letter-spacing: -0.01em; }
h3 { font-size: 0.95rem; font-weight: 600; }
a { color: inherit; text-decoration-color: var(--quiet); text-underline-offset: 0.2em; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
.quiet, .made, .title p, footer { color: var(--quiet); }
.hidden, .skip:not(:focus) {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
header { display: grid; gap: 1.5rem; margin-bottom: 1.5rem; }
.title h1 { margin-bottom: 0.35rem; }
.made { font-size: 0.85rem; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1rem; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 1rem 1.1rem; }
.tile dt { font-size: 0.85rem; color: var(--quiet); }
.tile strong { display: block; font-size: 1.9rem; font-weight: 650; line-height: 1.25; letter-spacing: -0.02em; }
.tile span { font-size: 0.8rem; color: var(--quiet); }
.card { padding: 1.35rem 1.5rem 1.5rem; margin-bottom: 1.25rem; }
.card.scroll { padding: 0.35rem 1.5rem; }
.empty { padding: 3rem 1.5rem; text-align: center; }
.empty p { max-width: 36rem; margin: 0.6rem auto 0; color: var(--quiet); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; }
th, td { padding: 0.55rem 0.9rem 0.55rem 0; text-align: left; border-bottom: 1px solid var(--line); font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-size: 0.8rem; color: var(--quiet); white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
.overview tbody th { font-weight: 650; }
.overview td { white-space: nowrap; }
.n { text-align: right; }
.detail { font-size: 0.85rem; color: var(--quiet); margin-left: 0.4rem; }
.chip {
  display: inline-flex; align-items: center; gap: 0.4rem; padding: 0.1rem 0.65rem 0.1rem 0.45rem; border-radius: 99px;
  font-size: 0.82rem; font-weight: 600; background: var(--line); color: var(--ink); white-space: nowrap;
}
.sign { font-weight: 800; min-width: 0.8em; text-align: center; }
.chip.recorded { background: var(--good-soft); color: var(--good); }
.chip.pending, .chip.landed { background: var(--wait-soft); color: var(--wait); }
.chip.failed { background: var(--bad-soft); color: var(--bad); }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: 0.3rem 0.6rem; margin-bottom: 1.1rem; }
.head .quiet { font-weight: 400; }
section.card > dl {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 0.9rem 1.5rem;
  margin-bottom: 1.5rem;
}
dt { font-size: 0.8rem; color: var(--quiet); }
code { font: 0.92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
svg { display: block; width: 100%; }
.bar { fill: var(--bar); }
.bar:hover { opacity: 0.75; }
.grid { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.sparkline { height: 1.4rem; min-width: 7rem; }
.overview .picture { width: 18%; }
.chart { display: grid; grid-template-columns: auto 1fr; gap: 0.6rem; margin: 0.7rem 0 0.5rem; }
.chart svg { height: 7.5rem; overflow: visible; }
.scale {
  display: flex; flex-direction: column; justify-content: space-between; height: 7.5rem; min-width: 2.2rem;
  text-align: right; font-size: 0.75rem; line-height: 1; color: var(--quiet);
}
.months { position: relative; height: 1.3rem; font-size: 0.75rem; color: var(--quiet); }
.months span { position: absolute; top: 0.3rem; white-space: nowrap; }
details { margin-bottom: 1.5rem; font-size: 0.9rem; }
summary { color: var(--quiet); cursor: pointer; width: fit-content; }
.numbers { max-width: 26rem; margin-top: 0.5rem; }
.numbers td, .numbers th:not(:first-child) { text-align: right; }
.numbers caption { color: var(--quiet); font-size: 0.85rem; }
.numbers th, .numbers td { padding-top: 0.25rem; padding-bottom: 0.25rem; }
.scores caption { padding-bottom: 0.4rem; }
.scores caption p { font-size: 0.85rem; }
.scores th, .scores td { padding-top: 0.4rem; padding-bottom: 0.4rem; }
.scores tbody th { min-width: 11rem; max-width: 17rem; line-height: 1.3; }
.scores .picture { width: 42%; min-width: 9rem; }
.distribution { height: 1.15rem; border-radius: 4px; background: var(--line); }
.distribution rect { stroke: var(--card); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.swatch { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 3px; margin-right: 0.4rem; }
.score-5 { fill: var(--score-5); background: var(--score-5); }
.score-4 { fill: var(--score-4); background: var(--score-4); }
.score-3 { fill: var(--score-3); background: var(--score-3); }
.score-2 { fill: var(--score-2); background: var(--score-2); }
.score-1 { fill: var(--score-1); background: var(--score-1); }
.note { font-size: 0.85rem; margin-top: 0.7rem; }
footer { font-size: 0.85rem; max-width: 46rem; margin-top: 2rem; }
@media (max-width: 46rem) {
  body { padding: 1.25rem 0.9rem 2rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 0.7rem; }
  .card { padding: 1rem; }
  .card.scroll { padding: 0.2rem 1rem; }
  section.card > dl { grid-template-columns: 1fr 1fr; }
  .scores th, .scores td { padding-right: 0.5rem; }
  .scores tbody th { min-width: 7.5rem; }
  .scores .picture { min-width: 4rem; }
  .swatch { margin-right: 0.2rem; }
  .overview .picture, .months span:nth-child(even) { display: none; }
}
@media (forced-colors: active) {
  .bar, .distribution rect, .swatch { forced-color-adjust: none; }
  .chip { border: 1px solid; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@page { margin: 15mm; }
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --quiet: #444; --line: #ccc; --bar: #2f6db5;
    --good: #14683f; --good-soft: #fff; --wait: #7a4b00; --wait-soft: #fff; --bad: #a11d25; --bad-soft: #fff;
    --score-5: #12426f; --score-4: #2f74b0; --score-3: #6fa8d6; --score-2: #aacdea; --score-1: #d7e6f3;
  }
  body { max-width: none; padding: 0; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .card, .tile { border-radius: 0; break-inside: avoid; }
  .card { border-width: 1px 0 0; padding: 12pt 0; margin: 0; }
  .card.scroll { padding: 0; }
  .chip { border: 1px solid; }
  .scroll { overflow: visible; }
  details, .skip { display: none; }
  .chart { margin-bottom: 12pt; }
}
"""
