// SPDX-License-Identifier: MIT
// A page as a browser shows it: the words and marks of its charts, and whether any stand on each other or stick out.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';

export interface SeenChart {
  readonly words: number;
  /** Lines, areas and points in the chart’s own area, beyond its axes. */
  readonly marks: number;
  readonly overlaps: readonly string[];
  readonly outside: readonly string[];
}

/** Runs in the page. */
const look = `
const seen = [...document.querySelectorAll('figure svg')].map((svg) => {
  const frame = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
  const overlaps = words.flatMap((one, at) => words.slice(at + 1).filter(({ box }) =>
    box.left + 1 < one.box.right && one.box.left + 1 < box.right && box.top + 1 < one.box.bottom && one.box.top + 1 < box.bottom,
  ).map(({ text }) => one.text + ' / ' + text));
  const outside = words.filter(({ box }) =>
    box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  const marks = [...svg.querySelectorAll('path')].filter((path) => {
    const colour = (path.getAttribute('stroke') || '') + (path.getAttribute('fill') || '');
    const { width, height } = path.getBoundingClientRect();
    return /1a7f37|cf222e|9a6700|8b949e|57606a|dafbe1/i.test(colour) && width + height > 0;
  }).length;
  return { words: words.length, marks, overlaps, outside: outside.map(({ text }) => text) };
});
document.body.innerHTML = '<pre id="seen">' + encodeURIComponent(JSON.stringify(seen)) + '</pre>';
`;

/** What a browser makes of a page's charts; null if there is none here. */
export function chartsInBrowser(page: string): SeenChart[] | null {
  const folder = mkdtempSync(join(tmpdir(), 'driftpatch-page-'));
  try {
    return lookAt(page, join(folder, 'page.html'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function lookAt(page: string, file: string): SeenChart[] | null {
  writeFileSync(file, page.replace('</html>', `<script>${look}</script></html>`));
  const words = ['--no-sandbox', '--disable-gpu', '--window-size=1000,3000', '--dump-dom', `file://${file}`];
  for (const browser of ['chromium-headless-shell', 'chromium']) {
    const { stdout, error } = spawnSync(browser, browser === 'chromium' ? ['--headless', ...words] : words, {
      encoding: 'utf8',
      timeout: 120_000,
      maxBuffer: 1 << 26,
    });
    if (error && (error as NodeJS.ErrnoException).code === 'ENOENT') continue;
    const found = /<pre id="seen">([^<]*)<\/pre>/.exec(stdout)?.[1];
    assert.ok(found, `expected ${browser} to look at the page, found ${error ?? stdout.slice(-500)}`);
    return JSON.parse(decodeURIComponent(found));
  }
  return null;
}

export function assertShown({ words, marks, overlaps, outside }: SeenChart, name: string): void {
  assert.ok(words >= 8, `${name}: ${words} words`);
  assert.ok(marks >= 3, `${name}: ${marks} marks`);
  assert.equal(overlaps, [], name);
  assert.equal(outside, [], name);
}
