// SPDX-License-Identifier: MIT
// The system packages that a job needs. What is missing is named with its reason before anything is installed; without root
// or sudo nothing is installed, and the message says what to run.

import { $ } from 'zx';

/** Package by package: why we need it. */
export const reasons = {
  'linux-source-6.12': "the kernel's source",
  gcc: 'compiles the kernel',
  make: 'builds the kernel',
  flex: "generates the kernel's configuration parser",
  bison: "generates the kernel's configuration parser",
  bc: 'computes constants in the kernel build',
  'libelf-dev': "the kernel build's object tool",
  'libssl-dev': "the kernel build's certificate tool",
  'xz-utils': 'unpacks the source',
  cpio: "packs the kernel's header archive",
  rsync: 'installs kernel headers',
  patch: 'applies the hook series',
  'qemu-system-x86': 'runs the guest',
  mmdebstrap: "makes the guest's root",
  e2fsprogs: "makes the guest's file system",
  'util-linux': 'locks, and ends QEMU with us',
  fakeroot: "owns the guest's files without root",
  sparse: 'checks our part of the kernel, as a test',
  'dpkg-dev': 'unpacks Debian source packages',
  'libc6-dev': 'compiles the tests and servers',
  clang: "compiles the planner's tests once more, as clang does it (250 MB)",
  'libevent-dev': 'memcached is built with it',
  'libsasl2-dev': 'memcached is built with it',
  'chromium-headless-shell': 'looks at the report, as a test',
  ccache: 'builds of a server before and after a fix share what is the same',
  'libpcre2-dev': 'nginx is built with it',
  'zlib1g-dev': 'nginx is built with it',
  'libltdl-dev': 'slapd is built with it',
  autoconf: 'libevent and libxml2 are built with it',
  automake: 'libevent and libxml2 are built with it',
  libtool: 'libevent, libxml2 and slapd are built with it',
  'pkg-config': 'finds the libraries that servers are built with',
  'g++': 'compiles squid, and links what the planner is measured over',
  'llvm-14-dev': "the planner is measured over LLVM's libraries",
  dwz: "shrinks debug files, which the planner's tests then read",
  binutils: 'objdump, which the planner is measured against',
  diffutils: 'diff, which the planner is measured against',
  gdb: 'looks at patched processes',
  'linux-perf': 'looks at patched processes',
  zstd: 'unpacks the corpus',
  'libcap-dev': "the kernel's mm selftests are built with it",
  'libnuma-dev': "the kernel's mm selftests are built with it",
  'liburing-dev': "the kernel's mm selftests are built with it",
  'stress-ng': 'stresses processes in views',
  trinity: 'fuzzes system calls of processes in views',
  bochs: 'emulates a processor with PCID',
  bochsbios: 'its BIOS',
  'bochs-term': 'its display',
  bsdutils: 'script, its terminal',
  isolinux: 'boots from its CD',
  'syslinux-common': 'boots from its CD',
  xorriso: 'makes its CD',
  'busybox-static': 'the shell on its CD',
} as const;

export type SystemPackage = keyof typeof reasons;

export const forKernel: readonly SystemPackage[] = [
  ...(process.env.KERNEL_SOURCE ? [] : (['linux-source-6.12'] as const)),
  ...(['gcc', 'make', 'flex', 'bison', 'bc', 'libelf-dev', 'libssl-dev', 'xz-utils', 'cpio', 'rsync'] as const),
  ...(['patch', 'util-linux'] as const),
];
export const forGuest: readonly SystemPackage[] = ['qemu-system-x86', 'util-linux'];
export const forImage: readonly SystemPackage[] = [
  ...(['mmdebstrap', 'e2fsprogs', 'util-linux'] as const),
  ...(process.getuid?.() === 0 ? [] : (['fakeroot'] as const)),
];
export const forTests: readonly SystemPackage[] = [
  ...(['gcc', 'g++', 'clang', 'libc6-dev', 'binutils', 'dwz', 'gdb', 'linux-perf', 'chromium-headless-shell'] as const),
  'sparse',
];
export const forThreads: readonly SystemPackage[] = ['gcc', 'libc6-dev'];
/** Whatever is built from Debian's sources. What a program needs beyond this stands with it, in servers/. */
export const forSources: readonly SystemPackage[] = [
  ...(['gcc', 'make', 'libc6-dev', 'patch', 'dpkg-dev', 'xz-utils', 'util-linux', 'ccache'] as const),
];

export const forMmSelftests: readonly SystemPackage[] = [
  ...forKernel,
  ...(['libc6-dev', 'libcap-dev', 'libnuma-dev', 'liburing-dev'] as const),
];
export const forStressNg: readonly SystemPackage[] = ['stress-ng'];
export const forBochs: readonly SystemPackage[] = [
  ...(['bochs', 'bochsbios', 'bochs-term', 'bsdutils', 'isolinux', 'syslinux-common', 'xorriso'] as const),
  ...(['busybox-static', 'cpio', 'gcc', 'make', 'libc6-dev'] as const),
];
export const forTrinity: readonly SystemPackage[] = ['trinity', 'gcc', 'libc6-dev'];

/** Somebody has to install packages, and it cannot be us. */
export class MissingPackagesError extends Error {
  readonly code = 'MISSING_PACKAGES';
  readonly packages: readonly SystemPackage[];

  constructor(packages: readonly SystemPackage[], found: string) {
    super(
      `expected the system packages ${packages.join(', ')}; they are not installed, and ${found}. ` +
        `Run as root: apt-get update && apt-get install --no-install-recommends ${packages.join(' ')}`,
    );
    this.name = 'MissingPackagesError';
    this.packages = packages;
  }
}

export async function ensurePackages(wanted: readonly SystemPackage[], say: (line: string) => void): Promise<void> {
  const missing = await missingOf(wanted);
  if (missing.length === 0) return;
  const become = await becomeRoot();
  if (!become) throw new MissingPackagesError(missing, 'this user is neither root nor has sudo without a password');
  say(`Installing system packages with apt-get:\n${missing.map((name) => `  ${name}: ${reasons[name]}`).join('\n')}`);

  const quiet = $({ quiet: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const apt = [...become, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=300'];
  const install = () => quiet`${apt} install -y --no-install-recommends ${missing}`;
  try {
    await install();
  } catch {
    // The machine's lists may be absent or old: a fresh machine has none.
    const updated = await $({ quiet: true, nothrow: true })`${apt} update`;
    const installed = await $({ quiet: true, nothrow: true })`${apt} install -y --no-install-recommends ${missing}`;
    if (installed.exitCode !== 0) throw new MissingPackagesError(missing, refusalOf(`${updated}${installed}`));
  }
  const still = await missingOf(missing);
  if (still.length > 0) throw new MissingPackagesError(still, 'apt-get did not install them');
}

async function missingOf(wanted: readonly SystemPackage[]): Promise<SystemPackage[]> {
  const names = [...new Set(wanted)];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  const format = '--showformat=${Package} ${db:Status-Status}\\n';
  const { stdout } = await $({ quiet: true, nothrow: true })`dpkg-query ${format} --show ${names}`;
  const installed = new Set(stdout.split('\n').map((line) => line.trim()));
  return names.filter((name) => !installed.has(`${name} installed`));
}

/** What apt-get's errors say, for a person; and what else helps where Debian's kernel source is not to be had. */
function refusalOf(output: string): string {
  const errors = output.split('\n').filter((line) => line.startsWith('E: '));
  const hint = /linux-source-6\.12/.test(errors.join())
    ? '; or set KERNEL_SOURCE to a Linux 6.12 folder or tarball'
    : '';
  return `apt-get could not install them (${errors.join(' ') || 'it did not say why'}${hint})`;
}

/** The words that make a command run as root: none for root itself; null if there is no way. */
async function becomeRoot(): Promise<string[] | null> {
  if (process.getuid?.() === 0) return [];
  const { exitCode } = await $({ quiet: true, nothrow: true })`sudo -n true`;
  return exitCode === 0 ? ['sudo', '-n'] : null;
}
