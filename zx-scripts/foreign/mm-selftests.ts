// SPDX-License-Identifier: MIT
// The kernel's own selftests of memory management (tools/testing/selftests/mm), from the source that our kernel is built of.
// They are built outside that tree, from a copy of what they need: their Makefile writes beside its sources.

import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder, checkHookSeries, exec, exists, hashOf, locateSource, withLock } from '../../vm/index.js';
import { kernelTree } from '../setup.js';
import type { ShownProgress } from '../show-progress.js';
import { ensurePackages, forMmSelftests } from '../system-packages.js';
import type { ForeignSuite, ForeignTest } from './suite.js';

const quick = (name: string, command = `./${name}`): ForeignTest => ({ name, command, seconds: 300, quick: true });
const long = (name: string, seconds = 120, command = `./${name}`): ForeignTest => ({ name, command, seconds });
const huge = (pages: number, name: string): ForeignTest =>
  long(
    name,
    120,
    `echo ${pages} >/proc/sys/vm/nr_hugepages; ./${name}; s=$?; echo 0 >/proc/sys/vm/nr_hugepages; exit $s`,
  );

/**
 * Not among them: what compares speeds (gup_test's other modes), needs modules (hmm-tests, vmalloc), wants all memory
 * (virtual_address_range, compaction_test), or tests a five-level machine (va_high_addr_switch).
 */
const tests: readonly ForeignTest[] = [
  ...['droppable', 'madv_populate', 'map_fixed_noreplace', 'map_populate', 'mdwe_test', 'mkdirty', 'mlock-random-test'],
  ...['mlock2-tests', 'mrelease_test', 'mremap_dontunmap', 'mseal_test', 'seal_elf', 'pkey_sighandler_tests_64'],
]
  .map((name) => quick(name))
  .concat([
    quick('ksm_tests -M', './ksm_tests -M -p 10'),
    quick('ksm_tests -U', './ksm_tests -U'),
    quick('ksm_tests -Z', './ksm_tests -Z -p 10 -z 0'),
    long('ksm_tests -Z, zero pages', 60, './ksm_tests -Z -p 10 -z 1'),
    long('soft-dirty', 600),
    long('mremap_test', 300),
    long('on-fault-limit', 120, 'setpriv --reuid 65534 --clear-groups ./on-fault-limit'), // root has no limit
    long('protection_keys_64'),
    long('memfd_secret'),
    long('migration', 180),
    long('gup_longterm'),
    long('gup_test -u', 60, './gup_test -u'),
    long('gup_test -a', 60, './gup_test -a'),
    long('gup_test -ct', 60, './gup_test -ct -F 0x1 0 19 0x1000'),
    long('pagemap_ioctl', 240),
    long('ksm_functional_tests', 240),
    long('khugepaged', 300),
    long('khugepaged -s 2', 300, './khugepaged -s 2'),
    long('split_huge_page_test', 180),
    long('transhuge-stress', 120, './transhuge-stress -d 10'),
    long('uffd-stress anon', 180, './uffd-stress anon 20 4'),
    long('uffd-stress shmem', 180, './uffd-stress shmem 20 4'),
    long('uffd-stress shmem-private', 180, './uffd-stress shmem-private 20 4'),
    long('uffd-unit-tests', 600),
    long('cow', 900),
    huge(64, 'uffd-stress hugetlb 32 4'),
    huge(64, 'hugepage-mremap'),
    huge(64, 'hugepage-vmemmap'),
    huge(64, 'hugetlb-madvise'),
    huge(1, 'hugetlb_fault_after_madv'),
    huge(1, 'hugetlb_madv_vs_map'),
    huge(128, 'hugepage-mmap'),
    huge(128, 'hugepage-shm'),
    huge(16, 'hugetlb_dio'),
    huge(16, 'thuge-gen'),
    huge(128, 'map_hugetlb'),
  ]);

export const mmSelftests: ForeignSuite = {
  about: "the kernel's own selftests of memory management",
  tests,
  prepare: buildMmSelftests,
};

/** From the kernel's tree: what the Makefile and the sources include. */
const needed = [
  ...['include/vdso', 'mm/gup_test.h', 'scripts/subarch.include', 'tools/include'],
  'tools/testing/selftests/lib.mk',
];
const neededTests = ['mm', 'pidfd', 'x86', 'kselftest.h', 'kselftest_harness.h', 'kselftest'];

/** The folder with the programs, in the cache. */
export async function buildMmSelftests(shown: ShownProgress): Promise<string> {
  await ensurePackages(forMmSelftests, shown.say);
  const { id, home } = await locateSource();
  const compiler = (await exec('gcc', ['--version'])).stdout;
  const folder = cacheFolder('foreign', `mm-${hashOf(id, compiler)}`);
  await withLock(
    cacheFolder('foreign', 'mm.lock'),
    () => shown.onStep({ name: 'wait for another build of the mm selftests' }),
    async () => {
      if (await exists(folder)) return;
      await checkHookSeries(kernelTree, shown.onStep); // unpacks the source, if nothing has so far
      shown.onStep({ name: "build the kernel's mm selftests" });
      const part = `${folder}.part`;
      await rm(part, { recursive: true, force: true });
      await build(join(home, 'tree'), part);
      await rename(join(part, 'programs'), folder);
      await rm(part, { recursive: true, force: true });
    },
  );
  return folder;
}

async function build(tree: string, part: string): Promise<void> {
  const copy = join(part, 'tree');
  const selftests = 'tools/testing/selftests';
  for (const path of [...needed, ...neededTests.map((name) => `${selftests}/${name}`)]) {
    if (!(await exists(join(tree, path)))) continue;
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await cp(join(tree, path), join(copy, path), { recursive: true });
  }
  const headers = join(part, 'headers');
  await exec('nice', ['make', '-s', '-C', tree, `O=${part}/objects`, 'headers_install', `INSTALL_HDR_PATH=${headers}`]);
  const programs = join(part, 'programs');
  await mkdir(programs);
  // KSFT_SKIP: khugepaged.c of 6.12 forgets to include what defines it. -k: what does not build has no result, twice.
  const words = [`OUTPUT=${programs}`, `KHDR_INCLUDES=-isystem ${headers}/include`, 'EXTRA_CFLAGS=-DKSFT_SKIP=4'];
  const make = ['make', '-s', '-k', `-j${availableParallelism()}`, '-C', join(copy, selftests, 'mm'), ...words];
  await exec('nice', make, { allow: [0, 2] });
  const built = await readdir(programs);
  const missing = tests.filter(({ command }) => !built.includes(/\.\/([\w-]+)/.exec(command)![1]!));
  if (missing.length > 0)
    throw new Error(
      `expected make to build ${missing.map(({ name }) => name).join(', ')}; run it in ${copy} to see why not`,
    );
}
