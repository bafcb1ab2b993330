// SPDX-License-Identifier: MIT
// One conversation with a server on a connection of its own: bytes out, bytes back.

import { connect } from 'node:net';

/**
 * What the server answers until `done` is content with it, until it closes the connection, or for `seconds`. Its end is told
 * from silence: after a close the text ends in `closed`.
 */
export const closed = '[closed]';

export async function talk(
  port: number,
  bytes: string | Uint8Array,
  done: (heard: string) => boolean,
  seconds = 10,
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let heard = '';
  try {
    return await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(heard), seconds * 1000);
      const end = (text: string) => {
        clearTimeout(timer);
        resolve(text);
      };
      socket.once('connect', () => socket.write(bytes));
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1');
        if (done(heard)) end(heard);
      });
      socket.on('error', (error) => end(`${heard}[${(error as NodeJS.ErrnoException).code ?? error.message}]`));
      socket.on('close', () => end(heard + closed));
    });
  } finally {
    socket.removeAllListeners();
    socket.on('error', () => {});
    socket.destroy();
  }
}
