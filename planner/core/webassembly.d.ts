// SPDX-License-Identifier: MIT
/** The part of the WebAssembly API that load.ts uses; without the DOM's types TypeScript knows nothing of it. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: unknown;
  }
}
