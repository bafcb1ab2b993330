// SPDX-License-Identifier: MIT
/**
 * Everything that the runtime can refuse, in one table: code, exit status, message.
 *
 * A message says what was expected, what was found, where, and what to do. Status 2 is unusable input, status 4 could
 * not be done and the process runs on as before. Faults of our own are not here: they stay plain errors.
 */

type Facts = Readonly<Record<string, string | number>>;
type Row = readonly [status: 2 | 4, message: (f: Facts) => string];

const table = {
  PATCH_UNREADABLE: [2, (f) => `${f.file}: cannot be read (${f.why}); give the path of a .drift file`],
  PATCH_UNUSABLE: [2, (f) => `not a usable patch file: ${f.why}; make it with "planner diff OLD NEW -o FILE.drift"`],

  FILE_UNWRITABLE: [2, (f) => `${f.file}: cannot be written (${f.why})`],

  EXE_UNKNOWN: [2, (f) => `${f.path}: cannot be found (${f.why}); give the path of the program that runs`],

  NO_TARGETS: [4, (f) => `${f.which} ${f.what}${f.hidden}; nothing was done`],
  PROCESS_GONE: [4, (f) => `process ${f.pid} does not exist (or has just ended); look the pid up again`],
  NOT_A_PROCESS: [4, (f) => `${f.pid} is the id of a thread of process ${f.tgid}; use --pid ${f.tgid}`],
  PROCESS_ZOMBIE: [4, (f) => `process ${f.pid} (${f.name}) has ended and waits to be reaped: nothing to patch`],
  KERNEL_THREAD: [4, (f) => `process ${f.pid} (${f.name}) is a kernel thread: it has no user code to patch`],
  PROCESS_CHANGED: [4, (f) => `process ${f.pid} changed while it was looked at (${f.what}); try again`],
  NO_PERMISSION: [
    4,
    (f) => `no permission to change process ${f.pid} (${f.what}); run as its owner with ptrace rights, or as root`,
  ],
  NO_VIEWS: [
    4,
    (f) => `this kernel (${f.kernel}) has no mmview_clone; boot the project's kernel: npm run vm -- COMMAND`,
  ],
  VIEWS_UNSUPPORTED: [
    4,
    (f) =>
      `no views for process ${f.pid}: the machine runs with five-level page tables (boot with no5lvl), or the process has an LDT under KPTI`,
  ],

  WRONG_BUILD: [
    4,
    (f) =>
      `process ${f.pid} runs ${f.object} with build id ${f.found}, the patch is for ${f.name} ${f.wanted}; make the patch from the build that runs`,
  ],
  NOT_X86_64: [
    4,
    (f) => `process ${f.pid} runs ${f.object}, code of 32 bits or of another machine; only x86-64 can be patched`,
  ],
  TARGET_TWICE: [4, (f) => `process ${f.pid} has ${f.name} loaded ${f.count} times; only one copy can be patched`],

  SYMBOL_OUTSIDE: [
    4,
    (f) => `${f.symbol} at ${f.address} lies outside ${f.object}; the patch file does not fit its target`,
  ],
  IMPORT_UNRESOLVED: [4, (f) => `the new code needs ${f.symbol}, and no object loaded in process ${f.pid} defines it`],
  IMPORT_AMBIGUOUS: [
    4,
    (f) =>
      `the new code needs ${f.symbol}, which ${f.one} and ${f.other} have, and the target needs neither; restart the process to patch it`,
  ],
  NO_SCOPE: [
    4,
    (f) =>
      `the new code needs ${f.symbol}, and ${f.object} is not among the objects that the loader of process ${f.pid} lists; restart the process to patch it`,
  ],
  IMPORT_IFUNC: [
    4,
    (f) =>
      `the new code needs ${f.symbol}, which is chosen at load time (IFUNC in ${f.object}), and no relocated slot holds the choice`,
  ],
  IMPORT_TLS: [4, (f) => `the new code needs the thread-local ${f.symbol} of ${f.object}: not supported`],

  UNWIND_UNREGISTERED: [
    4,
    (f) =>
      `an exception could be thrown through ${f.functions}, and the unwinder of process ${f.pid} cannot be told of new code: ${f.why}; keep the fix out of C++ functions that call others, or restart the process`,
  ],

  RELOCATION_UNKNOWN: [4, (f) => `relocation ${f.type} against ${f.symbol} at ${f.place}: this type is not supported`],
  RELOCATION_OVERFLOW: [
    4,
    (f) => `relocation ${f.type} against ${f.symbol} at ${f.place}: the value ${f.value} does not fit ${f.bits} bits`,
  ],
  RELOCATION_OUTSIDE: [2, (f) => `relocation ${f.type} at ${f.place} reaches outside its section of ${f.size} bytes`],
  SECTION_ALIGN: [4, (f) => `section ${f.section} wants alignment ${f.align}; at most a page (4096) is supported`],

  ENTRY_CHANGED: [
    4,
    (f) => `${f.symbol} at ${f.address}: expected the bytes ${f.expected}, found ${f.found}: ${f.reason}`,
  ],
  ENTRY_TOO_SMALL: [4, (f) => `${f.symbol} has room for ${f.room} bytes, the detour ends at byte ${f.needed}`],
  ENTRY_NOT_CODE: [
    4,
    (f) => `${f.symbol} at ${f.address} is not in a private, executable, read-only mapping (found ${f.found})`,
  ],
  NOT_CUMULATIVE: [
    4,
    (f) =>
      `${f.patch} replaces ${f.symbol}, which ${f.other} patches together with ${f.missing}; make it from the same old build to one with both fixes, or revert ${f.other} first`,
  ],
  GUARDS_TOO_MANY: [
    4,
    (f) => `the patch needs ${f.count} guarded ranges, the kernel takes ${f.limit}; split the patch`,
  ],

  TRACED: [4, (f) => `process ${f.pid} is traced by process ${f.tracer}; detach the debugger, or use --mode wait-free`],
  HELD: [
    4,
    (f) =>
      `process ${f.pid} could not be changed in time, and runs on as before: ${f.threads}; try again, or use --mode wait-free`,
  ],
  NO_GADGET: [
    4,
    (f) =>
      `--mode stop maps the arena with ${f.what} in the code of process ${f.pid}, and there is none; use --mode wait-free`,
  ],
  NO_THREAD: [
    4,
    (f) =>
      `none of ${f.count} threads of process ${f.pid} is at a place where it could be made to map the arena; try again, or use --mode wait-free`,
  ],
  SECCOMP_REFUSES: [
    4,
    (f) => `the seccomp filter of process ${f.pid} does not let it ${f.call} the arena; use --mode wait-free`,
  ],
  SECCOMP_UNKNOWN: [
    4,
    (f) =>
      `thread ${f.tid} is confined by seccomp, and what its filter would say cannot be found out (${f.why}); run as root, or use --mode wait-free`,
  ],
  CODE_FORBIDDEN: [4, (f) => `process ${f.pid} is not allowed new code (mmap: ${f.errno}); use --mode wait-free`],
  SAFE_POINTS: [
    4,
    (f) =>
      `process ${f.pid} declares safe points (driftpatch.h), and a stopped thread need not be in one; leave --mode stop away`,
  ],
  CALL_AT_ENTRY: [
    4,
    (f) =>
      `${f.symbol} begins with a call, and process ${f.pid} declares safe points: a coroutine that nobody sees may be suspended among the bytes that change; restart the process to patch it`,
  ],

  NO_ROOM: [4, (f) => `no gap of ${f.size} bytes within 2 GiB of ${f.object} for the arena`],
  NO_MEMORY: [
    4,
    (f) =>
      `the kernel has no memory (${f.call}): the machine, or the process's memory cgroup, is full; make room, and do it again`,
  ],
  NOT_CARRIED: [
    4,
    (f) =>
      `process ${f.pid} carries no patch ${f.patch} (it carries ${f.found}); "driftpatch list" shows what is carried`,
  ],
  AMBIGUOUS: [
    4,
    (f) =>
      `process ${f.pid} carries several patches called ${f.patch}; give the head of one's hash instead: ${f.found}`,
  ],
  COVERED: [4, (f) => `${f.patch} cannot be reverted in process ${f.pid}: ${f.over} over it; revert ${f.first} first`],
  OVERTAKEN: [
    4,
    (f) =>
      `another transition of process ${f.pid} has overtaken this one: ${f.patch} is ${f.state}; see "driftpatch status --pid ${f.pid}"`,
  ],
  INTERRUPTED: [4, (f) => `interrupted before a thread of process ${f.pid} was asked to change: nothing was done`],
  BUSY: [4, (f) => `another driftpatch is changing process ${f.pid}; try again when it is done`],
  OTHER_TRANSITION: [
    4,
    (f) =>
      `process ${f.pid} is in the middle of another transition (${f.patch}); see "driftpatch status --pid ${f.pid}"`,
  ],
  UPROBES: [
    4,
    (f) => `process ${f.pid} has uprobes in the code to be patched (${f.call}: EBUSY); remove them and try again`,
  ],
  KERNEL_REFUSED: [4, (f) => `the kernel refused ${f.call}: ${f.errno}`],
} satisfies Record<string, Row>;

export type RuntimeCode = keyof typeof table;

/** A patch or a process that cannot be worked with. Nothing has changed in the target when this is thrown. */
export class RuntimeError extends Error {
  readonly code: RuntimeCode;
  readonly status: 2 | 4;
  readonly facts: Facts;

  constructor(code: RuntimeCode, facts: Facts = {}, options?: ErrorOptions) {
    const [status, message] = table[code] as Row;
    super(message(facts), options);
    this.name = 'RuntimeError';
    this.code = code;
    this.status = status;
    this.facts = facts;
  }
}

/** '1 thread', '2 threads'. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
