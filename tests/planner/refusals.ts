// SPDX-License-Identifier: MIT
/**
 * Every finding that a fixture produces, and beside it the nearest case that is free of it. A row is one C file, compiled twice:
 * `found` is all that is refused and noted, as CODE SYMBOL, and nothing else may be.
 */
import type { Build } from './helpers.js';

export interface Row {
  readonly title: string;
  readonly source: string;
  readonly build: Build;
  readonly found: readonly string[];
}

const row = (title: string, source: string, define: string, ...found: string[]): Row => ({
  title,
  source,
  build: { flags: define.split(' ').filter((word) => word !== '') },
  found,
});

const SHARED = '-fPIC -shared';

export const rows: readonly Row[] = [
  row('a structure that gains a member', 'layout.c', '-DMEMBER', 'LAYOUT_CHANGED struct request'),
  row('a bit field in what was padding', 'layout.c', '-DPADDING', 'LAYOUT_CHANGED struct request'),
  row('a member of another type and the same size', 'layout.c', '-DTYPE', 'LAYOUT_CHANGED struct request'),
  row('a renumbered enumeration', 'layout.c', '-DRENUMBER', 'LAYOUT_CHANGED enum state'),
  row('a structure on the heap that one function names', 'layout.c', '-DHEAP', 'LAYOUT_CHANGED struct scan'),
  row('a structure that is reached by a cast alone', 'layout.c', '-DCAST', 'LAYOUT_CHANGED struct cast'),
  row('a class that gains a virtual function', 'layout.cpp', '', 'LAYOUT_CHANGED class Item'),
  row('a class that overrides another virtual function', 'layout.cpp', '-DOVERRIDE', 'LAYOUT_CHANGED class Item'),
  row('a structure that only others use', 'layout.c', '-DOTHER', 'LAYOUT_UNUSED struct other'),
  row('an enumeration that grows at its end', 'layout.c', '-DAPPEND'),
  row('an enumeration that grows with the number of its values', 'layout.c', '-DCOUNT'),
  row('a structure on the stack of functions that change', 'layout.c', '-DLOCAL'),
  row('a stack slot that moves', 'layout.c', '-DSLOT'),
  row('a new structure', 'layout.c', '-DFRESH'),
  row('a typedef of another name', 'layout.c', '-DRENAME'),
  row('a static member', 'layout.cpp', '-DSTATIC'),
  row('a member function that is not virtual', 'layout.cpp', '-DPLAIN'),
  row('a fix with line numbers alone', 'layout.c', '-g1 -DMEMBER', 'LAYOUT_UNCHECKED make'),
  row('a fix without debugging information', 'layout.c', '-g0 -DSLOT', 'LAYOUT_UNCHECKED null'),

  row('another initial value', 'refuse-data.c', '-DVALUE', 'DATA_CHANGED limit'),
  row('another size', 'refuse-data.c', '-DSIZE', 'DATA_CHANGED table'),
  row('a constant that other objects see', 'refuse-data.c', `-DSEEN ${SHARED}`, 'DATA_CHANGED weights'),
  row(
    'a table of virtual functions that other objects see',
    'layout.cpp',
    `-DOVERRIDE ${SHARED}`,
    'LAYOUT_CHANGED class Item',
    'DATA_CHANGED _ZTV4Item',
  ),
  row('a constant of the program’s own', 'refuse-data.c', '-DCONSTANT'),
  row('a new variable', 'refuse-data.c', '-DADDED'),
  row('a third variable of one name', 'ambiguous.c', '-DCLASH', 'DATA_AMBIGUOUS seen.0', 'DATA_AMBIGUOUS seen.1'),
  row('as many variables of one name as before', 'ambiguous.c', ''),

  row('a pointer to a function with more arguments', 'signature.c', '-DPOINTER', 'SIGNATURE_CHANGED handle'),
  row('a caller that stays', 'signature.c', '-DCALLER', 'SIGNATURE_CHANGED wide'),
  row('an address that is taken', 'signature.c', '-DTAKEN', 'SIGNATURE_CHANGED compare'),
  row('an exported function', 'signature.c', `-DEXPORTED ${SHARED}`, 'SIGNATURE_CHANGED handle'),
  row('callers that change together', 'signature.c', '-DTOGETHER'),
  row('a signature that is only spelled otherwise', 'signature.c', '-DSPELLING'),
  row('a result where there was none', 'signature.c', '-DRESULT'),

  row('a constructor that appears', 'refuse-other.c', '-DINIT', 'INIT_CHANGED early'),
  row('a constructor that changes', 'refuse-other.c', '-DBODY', 'INIT_CHANGED early'),
  row('a global that is built besides another', 'globals.cpp', '-O2 -DGLOBAL', 'INIT_CHANGED _GLOBAL__sub_I_main'),
  row('a global that begins with another value', 'globals.cpp', '-O2 -DVALUE', 'INIT_CHANGED _GLOBAL__sub_I_main'),
  row('a user of a global', 'globals.cpp', '-O2 -DPLAIN'),
  row(
    'a global that is built besides another, without optimisation',
    'globals.cpp',
    '-O0 -DGLOBAL',
    'INIT_CHANGED _Z41__static_initialization_and_destruction_0ii',
    'REFERENCE_AMBIGUOUS _Z41__static_initialization_and_destruction_0ii',
  ),
  row(
    'a constructor that changes, at fixed addresses',
    'refuse-other.c',
    '-DBODY -fno-pie -no-pie',
    'INIT_CHANGED early',
  ),
  row('a resolver that changes', 'shape.c', '-DIFUNC', 'IFUNC_CHANGED odd'),
  row('an implementation that changes', 'shape.c', '-DIFUNC -DFINE'),
  row('a new thread-local variable', 'refuse-other.c', '-DTLS', 'TLS_NEW before_all', 'TLS_UNSUPPORTED work'),
  row('a new thread-local variable of a library', 'refuse-other.c', `-DTLS -DLIBRARY ${SHARED}`, 'TLS_NEW before_all'),
  row('a moved thread-local variable', 'refuse-other.c', '-DMOVED', 'TLS_UNSUPPORTED work'),
  row('a moved thread-local variable that is found by name', 'refuse-other.c', `-DMOVED -DLIBRARY ${SHARED} -DOWN`),
  row('a thread-local variable as it was', 'refuse-other.c', '-DOWN'),

  row('an entry without room', 'refuse-entry.c', '-DSMALL', 'ENTRY_TOO_SMALL tiny', 'LAYOUT_UNCHECKED tiny'),
  row('an entry with padding behind it', 'refuse-entry.c', '-DSMALL -DPADDED', 'LAYOUT_UNCHECKED tiny'),
  row('a loop into the entry', 'refuse-entry.c', '-DLOOP', 'BRANCH_INTO_ENTRY tiny', 'LAYOUT_UNCHECKED tiny'),
  row('a loop to right behind it', 'refuse-entry.c', '-DBEHIND', 'LAYOUT_UNCHECKED tiny'),
  row('main', 'running.c', '-DMAIN=1', 'ALWAYS_RUNNING main'),
  row('what a thread begins in', 'running.c', '-DTHREAD=1', 'ALWAYS_RUNNING run'),
  row('a loop without an end', 'running.c', '-DENDLESS=1', 'ALWAYS_RUNNING serve'),
  row('a loop that waits for events', 'running.c', '-DEVENTS=1', 'ALWAYS_RUNNING events'),
  row('what a thread calls for each job', 'running.c', '-DWORKER=1'),
  row('a loop that waits for an answer', 'running.c', '-DASK=1'),

  row('a variable of another object', 'refuse-other.c', '-DIMPORT', 'IMPORT_NEW stdin@GLIBC_2.2.5'),
  row('a variable of another object in a slot', 'refuse-other.c', `-DIMPORT ${SHARED}`),
  row('a new import', 'refuse-other.c', '-DCALL', 'CALLS_NEW work'),
  {
    title: 'a new import from a new library',
    source: 'refuse-other.c',
    build: { flags: ['-DMATH', '-Wl,--no-as-needed'], new: ['-lm'] },
    found: ['LIBRARY_NEW cos@GLIBC_2.2.5', 'CALLS_NEW work'],
  },
  row(
    'a new import from a library that was there',
    'refuse-other.c',
    '-DMATH -Wl,--no-as-needed -lm',
    'CALLS_NEW work',
  ),
  row('unwinding by what the C++ library brings along', 'brought.cpp', '', 'CALLS_NEW _Z4workPKc'),
  row('a new choice by a resolver', 'carry.c', '-DIFUNC', 'IFUNC_NEW work', 'CALLS_NEW work'),
  row('a choice that was there', 'carry.c', '-DIFUNC -DKNOWN'),
  row('a variable with labels of code', 'carry.c', '-DLABELS', 'LABEL_VARIABLE labels.0'),
  row('a constant with labels of code', 'carry.c', '-DLABELS -DCONSTANT=const'),
  row('landing pads in a form of their own', 'carry.c', '-DUNWIND', 'UNWIND_NEEDED odd'),
  row('a function that catches', 'unwind.cpp', ''),
  row(
    "the same with LLVM's unwinder in the program",
    'unwind.cpp',
    '-DLLVM',
    'UNWIND_NEEDED _Z5parseRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE',
  ),
  row('a number that may be an address', 'absolute.c', '-fno-pie -no-pie', 'ABSOLUTE_AMBIGUOUS work'),
  row('a number that was a number before', 'absolute.c', '-DKNOWN -fno-pie -no-pie'),
  row('a number, by the linker’s list', 'absolute.c', '-fno-pie -no-pie -Wl,--emit-relocs'),
  row('data in code', 'shape.c', '-DUNDECODABLE', 'CODE_UNDECODABLE odd'),
  row('data behind code', 'shape.c', '-DUNDECODABLE -DFINE'),
  row('code that the loader fills in', 'shape.c', '-DRELOCATED -Wl,-z,notext', 'TEXT_RELOCATION odd'),
  row('code that needs no filling', 'shape.c', '-DRELOCATED -DFINE'),
  row('too many short branches', 'shape.c', '-DSHORT', 'BRANCH_TOO_SHORT odd'),
  row('a few short branches', 'shape.c', '-DSHORT -DFINE'),
  row('assembly without a size', 'shape.c', '-DUNSIZED', 'FUNCTION_UNSIZED odd'),
  row('assembly with a size', 'shape.c', '-DUNSIZED -DFINE'),
  row(
    'two numbered clones',
    'shape.c',
    '-DCLONES',
    'FUNCTION_AMBIGUOUS step.constprop.0',
    'FUNCTION_AMBIGUOUS step.constprop.1',
  ),
  row('one of two numbered clones', 'shape.c', '-DCLONES -DFINE'),
  row('functions within each other', 'shape.c', '-DOVERLAP', 'FUNCTIONS_OVERLAP inner'),
  row('functions behind each other', 'shape.c', '-DOVERLAP -DFINE'),
  row('a symbol that only the new file has', 'references.c', '-DUNRESOLVED', 'REFERENCE_UNRESOLVED work'),
  row('a symbol that both files have', 'references.c', '-DUNRESOLVED -DKNOWN'),
  row('an end that is a start', 'references.c', '-DAMBIGUOUS', 'REFERENCE_AMBIGUOUS sum'),
  row('an end that the old function went to', 'references.c', '-DAMBIGUOUS -DSAME'),
  row('an end that was a start before', 'references.c', '-DORDERED'),
];
