// SPDX-License-Identifier: MIT
/** What build.ts writes beside load.js: the optimised core in base64, so that the library reads no file. */
export const coreBytes: string;
