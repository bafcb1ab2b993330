// SPDX-License-Identifier: MIT
/**
 * Loaded before the command (`node --import`): something happens right before its n-th system call, of those that it makes through
 * runtime/sys/calls.ts, which are all that can change another process.
 *
 *     AT_CALL=n              which; 0: none, and the number of calls is the last line on stderr
 *     AT_CALL_DO=die         the command is killed
 *     AT_CALL_DO=SIGNAL:PID  that signal is sent there
 *     AT_CALL_DO=fail-nth    the n-th allocation within that call fails (AT_CALL_NTH; the debug kernel can do that), unless it makes
 *                            fewer: a line on stderr says whether it came to that
 */
import { openSync, readSync, writeSync } from 'node:fs';
import koffi from 'koffi';

type Foreign = ((...args: unknown[]) => unknown) & { async: (...args: unknown[]) => unknown };
interface Library {
  func(name: string, ...rest: unknown[]): Foreign;
}

const at = Number(process.env.AT_CALL);
const what = process.env.AT_CALL_DO ?? 'die';
let calls = 0;
/** What makes allocations of this thread fail. */
const failNth = what === 'fail-nth' ? openSync('/proc/thread-self/fail-nth', 'r+') : -1;

/** Looking whether a thread has stopped changes nothing, and how often that is done depends on the machine. */
const WAIT4 = 61;

function makeFail(call: () => unknown): unknown {
  writeSync(failNth, process.env.AT_CALL_NTH ?? '1', 0);
  const result = call();
  const errno = koffi.errno();
  const left = Buffer.alloc(16);
  const length = readSync(failNth, left, 0, left.length, 0);
  writeSync(failNth, '0', 0);
  const has = Number(left.toString('latin1', 0, length)) === 0 ? 'an' : 'no';
  writeSync(2, `\n${has} allocation has failed\n`);
  koffi.errno(errno);
  return result;
}

/** Whether this is the call at which an allocation is to fail. */
function beforeCall(name: string, first: unknown): boolean {
  if (name === 'syscall' && first === WAIT4) return false;
  calls++;
  if (calls !== at) return false;
  if (what === 'fail-nth') return true;
  if (what === 'die') process.kill(process.pid, 'SIGKILL');
  else {
    const [signal, pid] = what.split(':') as [NodeJS.Signals, string];
    process.kill(Number(pid), signal);
  }
  return false;
}

const foreign = koffi as unknown as { load(path: string | null): Library };
const load = foreign.load.bind(foreign);
foreign.load = (path) => {
  const library = load(path);
  return {
    func(name, ...rest) {
      const call = library.func(name, ...rest);
      const counted = (...args: unknown[]) => {
        const fails = beforeCall(name, args[0]);
        return fails ? makeFail(() => call(...args)) : call(...args);
      };
      return Object.assign(counted, {
        async: (...args: unknown[]) => {
          beforeCall(name, args[0]);
          return call.async(...args);
        },
      });
    },
  };
};

if (at === 0) process.on('exit', () => void writeSync(2, `\n${calls}\n`));
