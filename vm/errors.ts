// SPDX-License-Identifier: MIT
// One family of errors for everything that can go wrong around the guest. Code and wording stand together in one row;
// a caller decides by `code`, a person reads the message, and nobody parses text.

const table = {
  NO_APT: (p: Facts) =>
    `expected a Debian or Ubuntu machine with apt sources for "${p.what}", found none in ${p.where}`,
  BAD_KERNEL_SOURCE: (p: Facts) =>
    `expected a Linux 6.12 source folder or tarball at ${p.where}, found ${p.what}; set KERNEL_SOURCE to one, or unset it`,
  SERIES_DOES_NOT_APPLY: (p: Facts) => `${p.where} does not apply to the kernel source:\n${p.what}`,
  CONFIG_NOT_SET: (p: Facts) =>
    `these lines of ${p.where} are not in the kernel's final configuration (a dependency is missing, or no such symbol exists):\n${p.what}`,
  TOOL_FAILED: (p: Facts) => `${p.where} failed (${p.what})`,
  NO_TOOL: (p: Facts) => `${p.where} could not be started: ${p.what}; is it installed?`,
  BAD_OPTION: (p: Facts) => `${p.where}: ${p.what}`,
  LOST_PANIC: (p: Facts) => `the guest's kernel panicked before the command had ended${p.what}`,
  LOST_TIMEOUT: (p: Facts) =>
    `no verdict from the guest within ${p.where} s: it hangs, or needs a longer --timeout${p.what}`,
  LOST_SILENT: (p: Facts) => `the guest ended (QEMU: ${p.where}) without a verdict${p.what}`,
  CANCELLED: (p: Facts) => `the guest was stopped because ${p.what}`,
} as const;

export type VmErrorCode = keyof typeof table;

interface Facts {
  /** What was found. */
  readonly what: string;
  /** The file, program or number that the finding is about. */
  readonly where: string;
}

export class VmError extends Error {
  readonly code: VmErrorCode;
  readonly facts: Facts;

  constructor(code: VmErrorCode, facts: Partial<Facts>, options?: ErrorOptions) {
    const whole = { what: '', where: '', ...facts };
    super(table[code](whole), options);
    this.name = 'VmError';
    this.code = code;
    this.facts = whole;
  }
}

/** The guest gave no verdict: it panicked, hung, or went away. Never a pass, whatever was printed before. */
export class LostVmError extends VmError {
  /** The end of what the guest's kernel said. */
  readonly consoleTail: string;

  constructor(code: 'LOST_PANIC' | 'LOST_TIMEOUT' | 'LOST_SILENT', where: string, consoleText: string) {
    const consoleTail = consoleText.split('\n').slice(-40).join('\n').trimEnd();
    super(code, {
      where,
      what: consoleTail ? `; the end of its console:\n${consoleTail}` : '; its console says nothing',
    });
    this.name = 'LostVmError';
    this.consoleTail = consoleTail;
  }
}
