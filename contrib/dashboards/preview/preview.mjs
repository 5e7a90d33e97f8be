#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Draws one of the dashboards as a PNG, without Grafana's server: what a Prometheus answers to the
// queries of prometheus/*.json, drawn by Grafana's components in Chromium.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage = `Usage: preview.mjs [OPTION...] [MACHINE]

MACHINE is as collectd names it, such as web1.example.org; by default all. The dashboard of a
machine needs it. Before the first time, in this directory: npm ci --ignore-scripts

  --dashboard NAME   machine, fleet or group [machine]
  --group GROUP      that the dashboard group shows [all]
  --prometheus URL   the server [http://127.0.0.1:9090]
  --minutes N        how many, up to --until [60]
  --until SECONDS    since 1970 [now]
  --output FILE      [preview.png]

Needs Node.js 18 or later, Debian's chromium, and what npm ci installs (460 MB). Touches the output
file, and a directory in TMPDIR until the end; nothing is loaded from the network. Exit codes:
0 drawn, 1 not, 2 wrong usage. A panel without values says so, as does a line on stderr.`;

const here = dirname(fileURLToPath(import.meta.url));
const pixels = { column: 50, row: 30, head: 36 };

function fail(code, text) {
  console.error(`preview: ${text}`);
  process.exit(code);
}

async function ask(path, parameters) {
  try {
    const reply = await fetch(`${options.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    return (await reply.json()).data.result;
  } catch (error) {
    fail(1, `${options.prometheus}: no answer of a Prometheus: ${error.message}`);
  }
}

// A panel's series, each with the times and values of the range, or the value of its end.
async function seriesOf(panel, variables) {
  const step = Math.max(1, Math.round((until - since) / 500));
  const all = [];
  for (const { expr, instant, legendFormat } of panel.targets) {
    const query = expr.replace(/\$(\w+)/g, (_, name) => variables[name]);
    const result = instant ? await ask('query', { query, time: until }) : await ask('query_range', { query, start: since, end: until, step });
    for (const { metric, value, values = [value] } of result) {
      const name = legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? '');
      all.push({ name, step, times: values.map(([time]) => time), values: values.map(([, number]) => Number(number)) });
    }
  }
  return all;
}

const text = (fallback) => ({ type: 'string', default: fallback });
let options, machine;
try {
  const known = { dashboard: text('machine'), group: text('all'), prometheus: text('http://127.0.0.1:9090'), minutes: text('60'),
    until: text(`${Date.now() / 1000}`), output: text('preview.png'), help: { type: 'boolean', short: 'h' } };
  ({ values: options, positionals: [machine] } = parseArgs({ options: known, allowPositionals: true }));
} catch (error) {
  fail(2, `${error.message}; try --help`);
}
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const until = Number(options.until), since = until - 60 * Number(options.minutes);
if (!(since < until)) fail(2, '--minutes: a number above 0');
if (!['machine', 'fleet', 'group'].includes(options.dashboard)) fail(2, `--dashboard "${options.dashboard}": machine, fleet or group`);
if (!machine && options.dashboard === 'machine') fail(2, 'the dashboard of a machine needs MACHINE');
const whose = machine ?? 'all machines';
const subject = options.dashboard === 'group' ? `${options.group} of ${whose}` : whose;

const dashboard = JSON.parse(readFileSync(join(here, '../prometheus', `${options.dashboard}.json`)));
const variables = { host: machine ?? '.*', job: '.*', group: options.group, fin_timeout: '60', __range: `${Math.round(until - since)}s` };
for (const panel of dashboard.panels) panel.series = await seriesOf(panel, variables);
const empty = dashboard.panels.filter(({ series }) => series.length === 0).map(({ title }) => title);
if (empty.length === dashboard.panels.length)
  fail(1, `${options.prometheus} has no values of ${subject} then; the label instance is its name, with honor_labels: true`);
if (empty.length > 0) console.error(`preview: no data: ${empty.join(', ')}`);

const { build } = await import('esbuild').catch(() => fail(1, `the components are missing: npm ci --ignore-scripts, in ${here}`));
const work = mkdtempSync(join(tmpdir(), 'preview.'));
try {
  await build({ entryPoints: [join(here, 'page.jsx')], outfile: join(work, 'page.js'), bundle: true, jsx: 'automatic', logLevel: 'error',
    loader: { '.svg': 'dataurl', '.ttf': 'dataurl', '.woff2': 'dataurl' }, define: { 'process.env.NODE_ENV': '"production"' } });
  const data = JSON.stringify({ dashboard, subject, since, until, pixels }).replaceAll('<', '\\u003c');
  writeFileSync(join(work, 'page.html'), `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><body>
<script>window.preview = ${data}</script><script src="page.js"></script>`);
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const flags = ['--headless=new', '--disable-gpu', '--hide-scrollbars', '--force-device-scale-factor=1', '--virtual-time-budget=10000'];
  // Its sandbox refuses root; the page is ours, and loads nothing.
  if (process.getuid() === 0) flags.push('--no-sandbox');
  execFileSync('chromium', [...flags, `--user-data-dir=${join(work, 'profile')}`, `--window-size=${24 * pixels.column},${pixels.head + rows * pixels.row}`,
    `--screenshot=${resolve(options.output)}`, `file://${join(work, 'page.html')}`], { stdio: 'ignore', timeout: 120000 });
} catch (error) {
  process.exitCode = 1;
  console.error(`preview: ${error.code === 'ENOENT' ? 'no chromium here: apt-get install chromium' : error.message}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
