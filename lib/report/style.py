"""How the page looks: one style sheet, for wide windows, phones and paper."""

STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #e1e5ea; --blue: #0072b2; --orange: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 32px 20px 64px; }
header .kind { color: var(--soft); font-size: 14px; letter-spacing: .04em; margin: 0; }
h1 { font-size: 32px; line-height: 1.2; margin: 4px 0 8px; font-weight: 680; letter-spacing: -.01em; }
h2 { font-size: 23px; line-height: 1.25; margin: 52px 0 6px; letter-spacing: -.005em; }
h3 { font-size: 16px; margin: 0 0 6px; }
p { margin: 0 0 12px; max-width: 92ch; }
header > p, .soft, figcaption, .card .what { color: var(--soft); }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 20px 0 0; font-size: 15px; }
nav a { color: var(--blue); text-decoration: none; } nav a:hover { text-decoration: underline; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 14px; margin: 14px 0 0; }
.card, .panel { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.card .name { font-size: 14px; font-weight: 600; margin: 0; }
.card .value { font-size: 34px; line-height: 1.2; font-weight: 680; margin: 4px 0; font-variant-numeric: tabular-nums; }
.card .value small { font-size: 18px; font-weight: 500; color: var(--soft); }
.card .what { font-size: 14px; line-height: 1.4; margin: 0; }
.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 18px; margin: 18px 0; }
.figures > figure:last-child:nth-child(odd) { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 36px; align-items: center; }
figure { margin: 0; } figcaption { font-size: 14px; line-height: 1.45; margin-top: 8px; }
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart text { fill: var(--soft); font-size: 12px; font-family: inherit; } .chart text.title { fill: var(--ink); }
.chart .grid { stroke: #e7eaee; stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 14px; margin: 0 0 8px; }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
.finding { border-left: 4px solid var(--orange); background: #fff; padding: 10px 16px; margin: 16px 0; max-width: none; border-radius: 0 8px 8px 0; }
.gallery { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 12px; margin: 14px 0 24px; }
.gallery figure { background: #fff; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.gallery img, .gallery .none { display: block; width: 100%; aspect-ratio: 1; background: #e9ecf0; }
.gallery .none { display: grid; place-items: center; text-align: center; padding: 10px; font-size: 13px; color: var(--soft); }
.gallery figcaption { padding: 7px 10px 9px; margin: 0; font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; }
.gallery b { color: var(--ink); font-size: 14px; } .gallery .wrong { color: var(--orange); } .gallery .right { color: var(--blue); }
.scroll { overflow-x: auto; background: #fff; border: 1px solid var(--line); border-radius: 10px; margin: 14px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 12px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; background: #fafbfc; } tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.best { font-weight: 700; color: var(--blue); }
footer { margin-top: 48px; padding-top: 16px; border-top: 1px solid var(--line); font-size: 14px; color: var(--soft); }
@media (max-width: 820px) {
  main { padding: 20px 14px 48px; } h1 { font-size: 25px; } h2 { font-size: 20px; margin-top: 40px; }
  .figures { grid-template-columns: minmax(0, 1fr); } .figures > figure:last-child:nth-child(odd) { display: block; }
  .gallery { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; } .card { padding: 12px 13px; }
  .card .value { font-size: 26px; } .card .value small { font-size: 15px; } .chart text { font-size: 15px; } .panel { padding: 12px; }
}
@media print { body { background: #fff; } nav { display: none; } figure, .card, tr { break-inside: avoid; } }
"""
