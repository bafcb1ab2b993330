// SPDX-License-Identifier: MIT
/**
 * Reading a descriptor of /proc/PID/mem.
 */
import { readSync } from 'node:fs';

/** Where user space ends on x86-64, for all that does not ask for more. */
export const USER_SPACE_END = 2 ** 47;

/** `length` bytes at `address`, or null where (part of) it cannot be read. */
export function readAt(memory: number, address: number, length: number): Buffer | null {
  // Addresses come from the target's own memory, too: whatever stands there, it is no reason to fail.
  if (!(address >= 0 && address + length <= USER_SPACE_END)) return null;
  const bytes = Buffer.alloc(length);
  let done = 0;
  try {
    while (done < length) {
      const count = readSync(memory, bytes, done, length - done, address + done);
      if (count === 0) return null;
      done += count;
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EIO' || code === 'EFAULT' || code === 'EINVAL') return null;
    throw error;
  }
  return bytes;
}
