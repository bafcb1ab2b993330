// SPDX-License-Identifier: MIT
// timeout: 400
/**
 * Small files that ask for much: tables that share bytes, names that share letters, thousands of things with one name. Fuzzing does not
 * find them, people do. Each is an error or a result within seconds and some hundred MiB.
 */
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openElf } from '../../planner/elf/open.js';
import { type ElfParts, elfOf, type SymbolParts, symbolTable } from './elf-builder.js';

const test = suite('bombs');

/** Of processor time. */
const SECONDS = 20;
const MEBIBYTES = 1500;

/** Compares the two in a thread of its own; gives what came out. */
async function outcome(old: Uint8Array, now: Uint8Array): Promise<string> {
  const script = `import { parentPort, workerData } from 'node:worker_threads';
const { diff, PlannerError } = await import(workerData.library);
try { diff(workerData.old, workerData.now, { oldName: 'old', newName: 'new' }); parentPort.postMessage('a result'); }
catch (error) { parentPort.postMessage(error instanceof PlannerError ? error.code : String(error.stack)); }`;
  const library = new URL('../../planner/index.js', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
    workerData: { library, old, now },
    resourceLimits: { maxOldGenerationSizeMb: MEBIBYTES },
  });
  const since = process.cpuUsage();
  return await new Promise((done) => {
    const timer = setInterval(() => {
      const { user, system } = process.cpuUsage(since);
      if (user + system > SECONDS * 1e6) void worker.terminate();
    }, 50);
    let said = `no end after ${SECONDS} s`;
    worker.on('message', (text: string) => {
      said = text;
    });
    worker.on('error', (error) => {
      said = String(error);
    });
    worker.on('exit', () => {
      clearInterval(timer);
      done(said);
    });
  });
}

const RET = 0xc3;
const text = (size: number) => ({
  name: '.text',
  type: 1,
  flags: 6,
  address: 0x1000,
  bytes: new Uint8Array(size).fill(RET),
});
const fn = (name: string, value: number, size: number, more: Partial<SymbolParts> = {}): SymbolParts => ({
  ...{ name, value, size, type: 2, bind: 0, section: 1, ...more },
});
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const bombs: readonly [string, () => ElfParts, RegExp][] = [
  [
    'sections that all have one long name',
    () => ({
      sections: [text(64), ...symbolTable(2, [fn('one', 0x1000, 16)]), ...many(2000, () => ({ name: '', type: 1 }))],
      names: new Uint8Array(16 << 20).fill(0x41),
    }),
    /HEADER|SECTION/,
  ],
  [
    'relocation sections over the same bytes',
    () => {
      const rela = new Uint8Array(24 * 400_000);
      return {
        sections: [
          text(64),
          ...symbolTable(2, [fn('one', 0x1000, 16)]),
          { name: '.rela.dyn', type: 4, flags: 2, address: 0x9000, link: 2, entrySize: 24, bytes: rela },
          ...many(2000, () => ({
            name: '.rela.dyn',
            type: 4,
            flags: 2,
            address: 0x9000,
            link: 2,
            entrySize: 24,
            like: 4,
          })),
        ],
      };
    },
    /HEADER|SECTION/,
  ],
  [
    'notes over the same bytes',
    () => ({
      sections: [
        text(64),
        ...symbolTable(2, [fn('one', 0x1000, 16)]),
        { name: '.note', type: 7, flags: 2, bytes: new Uint8Array(4 << 20) },
        ...many(2000, () => ({ name: '.note', type: 7, flags: 2, like: 4 })),
      ],
    }),
    /HEADER|SECTION/,
  ],
  [
    'symbols that all have one long name',
    () => {
      const [table, strings] = symbolTable(
        2,
        many(200_000, () => fn('', 0x1000, 16)),
        1,
      );
      return { sections: [text(64), table!, { ...strings!, bytes: new Uint8Array(2 << 20).fill(0x41) }] };
    },
    /SYMBOL|SECTION/,
  ],
  [
    'functions that reach over each other',
    () => ({
      sections: [
        text(1 << 20),
        ...symbolTable(
          2,
          many(60_000, (i) => fn(`f${i}`, 0x1000 + i, (1 << 20) - i)),
        ),
      ],
    }),
    /SYMBOL/,
  ],
  [
    'functions of one name',
    () => ({
      sections: [
        text(1 << 20),
        ...symbolTable(
          2,
          many(20_000, (i) => fn('f', 0x1000 + i * 16, 16)),
        ),
      ],
    }),
    /a result/,
  ],
  [
    'functions that differ in their numbers alone',
    () => ({
      sections: [
        numbered(20_000),
        ...symbolTable(
          2,
          many(20_000, (i) => fn(`f.${i}`, 0x1000 + i * 16, 16)),
        ),
      ],
    }),
    /./,
  ],
  [
    'names of one function',
    () => ({
      sections: [
        text(64),
        ...symbolTable(
          2,
          many(20_000, (i) => fn(`f${i}`, 0x1000, 16)),
        ),
      ],
    }),
    /./,
  ],
  [
    'names of one variable',
    () => ({
      sections: [
        text(64),
        ...symbolTable(2, [
          fn('one', 0x1000, 16),
          ...many(200_000, (i) => fn(`v${i}`, 0x8000, 8, { type: 1, section: 4 })),
        ]),
        { name: '.data', type: 1, flags: 3, address: 0x8000, bytes: new Uint8Array(1 << 20) },
      ],
    }),
    /a result/,
  ],
  [
    'parts of one function',
    () => ({
      sections: [
        text(1 << 20),
        ...symbolTable(
          2,
          many(20_000, (i) => fn(i === 0 ? 'f' : `f.cold.${i}`, 0x1000 + i * 16, 16)),
        ),
      ],
    }),
    /./,
  ],
  [
    'variables over each other',
    () => ({
      sections: [
        text(64),
        ...symbolTable(2, [
          fn('one', 0x1000, 16),
          ...many(30_000, (i) => fn(`v${i}`, 0x8000 + i, (1 << 20) - i, { type: 1, section: 4 })),
        ]),
        { name: '.rodata', type: 1, flags: 2, address: 0x8000, bytes: new Uint8Array(1 << 20).fill(1) },
      ],
    }),
    /./,
  ],
  [
    'slots that lead to each other in a circle',
    () => ({
      sections: [
        loadsSlot(),
        ...symbolTable(2, [fn('one', 0x1000, 16)]),
        { name: '.got', type: 1, flags: 3, address: 0x8000, bytes: new Uint8Array(16) },
        { name: '.rela.dyn', type: 4, flags: 2, entrySize: 24, bytes: relative([0x8000, 0x8008], [0x8008, 0x8000]) },
      ],
    }),
    /a result/,
  ],
  [
    'units that each have an abbreviation table to the end',
    () => ({
      sections: [
        text(64),
        ...symbolTable(2, [fn('one', 0x1000, 16)]),
        { name: '.debug_info', type: 1, bytes: units(40_000) },
        { name: '.debug_abbrev', type: 1, bytes: abbreviations(200_000) },
      ],
    }),
    /./,
  ],
];

/** mov slot(%rip),%rax at 0x1000, for a slot at 0x8000. */
function loadsSlot() {
  const section = text(64);
  section.bytes.set([0x48, 0x8b, 0x05, 0xf9, 0x6f, 0, 0]);
  return section;
}

/** Relocations of type RELATIVE. */
function relative(...pairs: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(pairs.length * 24);
  const view = new DataView(bytes.buffer);
  pairs.forEach(([at, to], i) => {
    view.setBigUint64(i * 24, BigInt(at), true);
    view.setUint32(i * 24 + 8, 8, true);
    view.setBigUint64(i * 24 + 16, BigInt(to), true);
  });
  return bytes;
}

/** Functions of 16 bytes that are all different. */
function numbered(count: number) {
  const section = text(count * 16);
  for (let i = 0; i < count; i++) {
    section.bytes[i * 16] = 0xb8;
    new DataView(section.bytes.buffer).setUint32(i * 16 + 1, i, true);
  }
  return section;
}

/** DWARF 4 units of one entry; the i-th has its table at the i-th abbreviation. */
function units(count: number): Uint8Array {
  const bytes = new Uint8Array(count * 13);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint32(i * 13, 9, true);
    view.setUint16(i * 13 + 4, 4, true);
    view.setUint32(i * 13 + 6, i * 5, true);
    bytes.set([8, 2, 0], i * 13 + 10);
  }
  return bytes;
}

/** Code 2, a compilation unit without attributes or children, over and over; code 1 never comes. */
function abbreviations(count: number): Uint8Array {
  const bytes = new Uint8Array(count * 5 + 1);
  for (let i = 0; i < count; i++) bytes.set([1, 0x11, 0, 0, 0], i * 5);
  bytes.set([2, 0x11, 0, 0, 0], (count - 1) * 5);
  return bytes;
}

for (const [title, make, expected] of bombs)
  test(title, async () => {
    const bytes = elfOf(make());
    const found = await outcome(bytes, bytes);
    assert.match(found, /^(a result|[A-Z_]+)$/);
    assert.match(found, expected);
  });

test('a damaged table without a name is told by its number', () => {
  const [table, strings] = symbolTable(
    2,
    many(60_000, (i) => fn(`f${i}`, 0x1000 + i, (1 << 20) - i)),
  );
  const bytes = elfOf({ sections: [text(1 << 20), { ...table!, name: '' }, strings!] });
  assert.throws(() => openElf(bytes, 'damaged'), /damaged: a symbol is wrong: section 2: expected functions/);
  const lost = elfOf({
    sections: [text(1 << 20), { ...table!, name: '', bytes: table!.bytes!.subarray(0, 100) }, strings!],
  });
  assert.throws(() => openElf(lost, 'damaged'), /damaged: a section is wrong: section 2: expected entries/);
});

test.run();
