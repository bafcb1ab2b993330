// SPDX-License-Identifier: MIT
declare module 'elfy' {
  export interface ElfySection {
    name: string;
    type: string | number;
    flags: Record<string, true>;
    addr: number;
    off: number;
    size: number;
    link: number;
    info: number;
    addralign: number;
    entsize: number;
    data: Buffer;
  }
  export interface ElfyProgram {
    type: string | undefined;
    offset: number;
    vaddr: number;
    filesz: number;
    memsz: number;
    flags: Record<string, true>;
    align: number;
  }
  export interface ElfyFile {
    type: string;
    machine: string;
    entry: number;
    body: { programs: ElfyProgram[]; sections: ElfySection[] };
  }
  const elfy: { parse(bytes: Buffer): ElfyFile };
  export default elfy;
}
