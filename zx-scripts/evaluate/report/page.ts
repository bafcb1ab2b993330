// SPDX-License-Identifier: MIT
// The report as one page that needs nothing else: charts as SVG, tables as HTML, no script, no address but its own. Makes a string.

import type { BenchReport } from '../../bench/bench.js';
import { type Chart, drawn, width } from './chart.js';

export interface Section {
  readonly markdown: string;
  readonly charts: readonly Chart[];
  readonly machine: BenchReport['machine'];
  readonly problems: readonly string[];
  /** `npm run evaluate -- NAME`, and the file with its figures. */
  readonly command: string;
  readonly file: string;
}

export function pageOf(heading: string, sections: readonly Section[]): string {
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(heading)}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; max-width: ${width + 60}px; margin: 2rem auto; padding: 0 1rem; }
  h1, h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: .3em; }
  figure { margin: 1.5rem 0; overflow-x: auto; }
  figcaption { color: #59636e; }
  .table { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 13px; }
  th, td { border: 1px solid #d1d9e0; padding: .25em .6em; text-align: left; vertical-align: top; }
  th { background: #f6f8fa; }
  code { font: 12px ui-monospace, monospace; background: #f6f8fa; padding: .1em .3em; }
  .missing { color: #cf222e; font-weight: 600; }
  .where { color: #59636e; font-size: 13px; }
</style>
<h1>${escaped(heading)}</h1>
${sections.map(section).join('\n')}
</html>
`;
}

function section({ markdown, charts, machine, problems, command, file }: Section): string {
  const { cpu, cores, memoryMb, system, node, guest } = machine;
  const [title, ...rest] = htmlOf(markdown);
  return [
    title,
    ...charts.map(
      (chart) =>
        `<h3>${escaped(chart.title)}</h3>\n<figure>${drawn(chart)}<figcaption>${escaped(chart.caption)}</figcaption></figure>`,
    ),
    ...problems.map((problem) => `<p class="missing">Not shown: ${escaped(problem)}</p>`),
    ...rest,
    `<p class="where">${escaped(`${cores} × ${cpu}, ${memoryMb} MiB, ${system}, node ${node}; the guest under ${(guest ?? 'nothing').toUpperCase()}.`)}
    Made by <code>${escaped(command)}</code>; the figures are in <a href="${file}">${file}</a>.</p>`,
  ].join('\n');
}

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const inline = (text: string): string =>
  escaped(text)
    .replaceAll(/`([^`]*)`/g, '<code>$1</code>')
    .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replaceAll(/\*([^*]+)\*/g, '<em>$1</em>');

/** The little of Markdown that our own sections use: headings, paragraphs, tables, lists. */
function htmlOf(markdown: string): string[] {
  return markdown
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const lines = block.split('\n');
      if (block.startsWith('## ')) return `<h2>${inline(block.slice(3))}</h2>`;
      if (block.startsWith('|')) return tableOf(lines);
      if (block.startsWith('- ')) {
        const items = block
          .split(/\n(?=- )/)
          .map((item) => `<li>${inline(item.slice(2).replaceAll(/\s+/g, ' '))}</li>`);
        return `<ul>${items.join('')}</ul>`;
      }
      return `<p>${inline(lines.join(' '))}</p>`;
    });
}

function tableOf(lines: readonly string[]): string {
  const cells = (line: string, tag: string) =>
    line
      .replace(/^\| | \|$/g, '')
      .split(/ (?<!\\)\| /)
      .map((cell) => `<${tag}>${inline(cell.replaceAll('\\|', '|'))}</${tag}>`)
      .join('');
  const [head, , ...rows] = lines;
  return `<div class="table"><table><tr>${cells(head!, 'th')}</tr>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</table></div>`;
}
