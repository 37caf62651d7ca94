// How the page of a report looks: light, dark and on paper. It names no file and no address.

/** The whole style sheet. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #16202b; --dim: #55616e; --line: #d5dbe1; --soft: #f3f5f8;
  --good: #12643a; --good-soft: #e3f3ea; --warn: #7a4b00; --warn-soft: #fdf1da;
  --bad: #9c1c1c; --bad-soft: #fce6e6; --open: #44505c; --open-soft: #e9edf1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12171d; --ink: #e4e9ee; --dim: #9aa6b2; --line: #313a44; --soft: #1a2129;
    --good: #7fd6a4; --good-soft: #143323; --warn: #f0c26b; --warn-soft: #3a2c0d;
    --bad: #ff9d9d; --bad-soft: #431a1a; --open: #b6c1cc; --open-soft: #26303a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.125rem; margin: 2.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.dim { color: var(--dim); }
.verdict { border: 1px solid; border-left-width: .5rem; border-radius: .5rem; padding: 1rem 1.25rem; margin: 1.5rem 0; }
.verdict strong { display: block; font-size: 1.375rem; line-height: 1.3; }
.verdict p { margin: .375rem 0 0; color: var(--ink); }
.affirming { color: var(--good); background: var(--good-soft); }
.warning { color: var(--warn); background: var(--warn-soft); }
.contraindicated { color: var(--bad); background: var(--bad-soft); }
.none { color: var(--open); background: var(--open-soft); }
table { width: 100%; border-collapse: collapse; margin: .5rem 0 1rem; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-top: 1px solid var(--line); }
thead th { color: var(--dim); font-weight: 600; border-top: 0; }
tbody th { font-weight: 600; width: 12rem; }
.result { white-space: nowrap; font-weight: 600; width: 8.5rem; }
.pass { color: var(--good); }
.fail { color: var(--bad); }
.open { color: var(--open); }
.meaning { display: block; }
code, pre { font: .8125rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .375rem; padding: .75rem 1rem; white-space: pre-wrap; }
@media (max-width: 40rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr, th, td { display: block; width: auto; border: 0; padding: 0; }
  tr { border-top: 1px solid var(--line); padding: .5rem 0; }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --dim: #444; --line: #bbb; --soft: #fff;
    --good: #0b5230; --good-soft: #fff; --warn: #6a4100; --warn-soft: #fff;
    --bad: #8a1414; --bad-soft: #fff; --open: #333; --open-soft: #fff;
  }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  tr, .verdict, pre { break-inside: avoid; }
  thead { display: table-header-group; }
}
`;
