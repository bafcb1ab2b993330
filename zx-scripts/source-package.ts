// SPDX-License-Identifier: MIT
// Debian source packages through an apt of our own: its lists and its downloads live in the cache, its deb-src lines follow
// from the machine's own sources. The machine's apt set-up is read and never written.

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, exec, exists, hashOf, oneLineSources, type Progress, readAptSources } from '../vm/index.js';

/**
 * Fetch and unpack one version of a source package, unpatched: what stands in debian/patches is not applied. Gives the
 * folder, which is the cache's: copy it before writing into it.
 */
export async function sourcePackage(name: string, version: string, progress: Progress): Promise<string> {
  const folder = cacheFolder('source', `${name}_${version}`);
  if (await exists(folder)) return folder;

  const apt = await privateApt();
  const part = `${folder}.part-${process.pid}`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  try {
    progress({ name: 'read the lists of source packages' });
    await exec('apt-get', [...apt, 'update']);
    progress({ name: `fetch the source of ${name} ${version}` });
    await exec('apt-get', [...apt, 'source', '--download-only', `${name}=${version}`], { cwd: part });
    const dsc = `${name}_${version.replace(/^\d+:/, '')}.dsc`;
    await exec('dpkg-source', ['--no-copy', '--skip-patches', '-x', dsc, 'tree'], { cwd: part });
    await rename(join(part, 'tree'), folder);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return folder;
}

/** The options that make apt-get use our own state. */
async function privateApt(): Promise<string[]> {
  const { sources } = await readAptSources();
  const lines = oneLineSources(sources, 'deb-src');
  const home = cacheFolder('apt', hashOf(lines));
  for (const inside of ['lists/partial', 'archives/partial', 'parts', 'preferences'])
    await mkdir(join(home, inside), { recursive: true });
  await writeFile(join(home, 'sources.list'), lines);
  const settings = {
    'Dir::Etc::SourceList': join(home, 'sources.list'),
    'Dir::Etc::SourceParts': join(home, 'parts'),
    'Dir::Etc::PreferencesParts': join(home, 'preferences'),
    'Dir::State::Lists': join(home, 'lists'),
    'Dir::Cache': home,
    'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '',
  };
  return ['-q', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
}
