// SPDX-License-Identifier: MIT
// The door of vm/: build the kernel, build the guest's root, run a command in the guest. Knows nothing of patching.

export { type AptSource, type AptSources, oneLineSources, readAptSources } from './apt-sources.js';
export { cacheFolder, exists, filesBelow, hashOf, hashOfFile, writeWhole } from './cache.js';
export { findComplaints } from './complaints.js';
export { LostVmError, VmError, type VmErrorCode } from './errors.js';
export { type ExecOptions, type ExecResult, exec } from './exec.js';
export { shellWord } from './guest-init.js';
export { buildImage, type ImageOptions } from './image.js';
export { type BuiltKernel, buildKernel, checkHookSeries, type Flavour, type KernelOptions } from './kernel.js';
export { defaultTarball, locateSource } from './kernel-source.js';
export { withLock } from './lock.js';
export { type Progress, type Step, silent } from './progress.js';
export type { GuestRoot } from './qemu.js';
export { defaults, type GuestOptions, type GuestResult, runInGuest } from './run.js';
