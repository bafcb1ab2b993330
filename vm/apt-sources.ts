// SPDX-License-Identifier: MIT
// What the machine's own apt sources say, so that everything fetched comes from where this machine's packages come from.
// Both notations are read: one-line (`deb [options] URI suite components`) and deb822 (paragraphs). Only the distribution's
// own suites count: third-party repositories have other names, or keys that a new root does not have.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VmError } from './errors.js';

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** A key ring's path, or the key itself. */
  readonly signedBy?: string;
}

export interface AptSources {
  /** `bookworm`, `noble`. */
  readonly codename: string;
  readonly sources: readonly AptSource[];
}

export async function readAptSources(etcApt = '/etc/apt', osRelease = '/etc/os-release'): Promise<AptSources> {
  const codename = /^VERSION_CODENAME="?([\w.-]+)"?$/m.exec(await readFile(osRelease, 'utf8').catch(() => ''))?.[1];
  const parts = (await readdir(join(etcApt, 'sources.list.d')).catch(() => [])).sort();
  const paths = ['sources.list', ...parts.map((name) => `sources.list.d/${name}`)];
  const all: AptSource[] = [];
  for (const path of paths) {
    const text = await readFile(join(etcApt, path), 'utf8').catch(() => '');
    all.push(...(path.endsWith('.sources') ? parseDeb822(text) : path.endsWith('.list') ? parseOneLine(text) : []));
  }
  const own = new Set(['', '-updates', '-security'].map((end) => `${codename}${end}`));
  const sources = all.filter((source) => own.has(source.suite) && source.components.includes('main'));
  if (!codename || !sources.some((source) => source.suite === codename))
    throw new VmError('NO_APT', { what: codename ?? 'the distribution', where: etcApt });
  return { codename, sources };
}

/** As one-line sources, `deb` or `deb-src`. */
export function oneLineSources(sources: readonly AptSource[], type: 'deb' | 'deb-src'): string {
  return sources
    .map(({ uri, suite, components, signedBy }) => {
      const options = signedBy?.startsWith('/') ? `[signed-by=${signedBy}] ` : '';
      return `${type} ${options}${uri} ${suite} ${components.join(' ')}\n`;
    })
    .join('');
}

export function parseOneLine(text: string): AptSource[] {
  const found: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (!match) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(match[1] ?? '')?.[1];
    const components = match[4]!.trim().split(/\s+/);
    found.push({ uri: match[2]!, suite: match[3]!, components, ...(signedBy && { signedBy }) });
  }
  return found;
}

export function parseDeb822(text: string): AptSource[] {
  const found: AptSource[] = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, 'im').exec(withoutComments(paragraph))?.[1]?.trim() ?? '';
    const words = (name: string) => field(name).split(/\s+/).filter(Boolean);
    if (!words('Types').includes('deb') || field('Enabled').toLowerCase() === 'no') continue;
    const signedBy = field('Signed-By');
    for (const uri of words('URIs'))
      for (const suite of words('Suites'))
        found.push({ uri, suite, components: words('Components'), ...(signedBy && { signedBy }) });
  }
  return found;
}

const withoutComments = (text: string) =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
