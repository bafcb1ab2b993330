// SPDX-License-Identifier: MIT
/**
 * Texts from files end on terminals and in logs. A control character there could move the cursor, hide a line or turn
 * the direction of writing; so names with one are not believed, and messages show it as its number.
 */

// C0 and C1 controls, DEL, line and paragraph separators, marks and overrides of direction, the byte order mark
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const EVERY = new RegExp(UNPRINTABLE, 'g');

export const isPrintable = (text: string): boolean => !UNPRINTABLE.test(text);

/** The text with every character of that kind as `\u{1b}`. */
export const printable = (text: string): string =>
  text.replace(EVERY, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);

/** Making one takes longer than decoding a name. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes that are valid UTF-8 and printable, as text; null for others. */
export function printableText(bytes: Uint8Array): string | null {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return null;
  }
  return isPrintable(text) ? text : null;
}

/** Bytes that are valid UTF-8 in quotes, escaped, and cut to `most` characters; null for others. */
export function quotedText(bytes: Uint8Array, most: number): string | null {
  try {
    const text = UTF8.decode(bytes);
    return printable(JSON.stringify(text.length > most ? `${text.slice(0, most)}…` : text));
  } catch {
    return null;
  }
}
