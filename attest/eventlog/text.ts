// Text out of event data: bounded, and safe to print on a terminal. Nothing here says what it means.
import type { Bytes } from '#agent/base/bytes.ts';

/** Kernel command lines are at most 2,048 characters on x86 and 4,096 anywhere (COMMAND_LINE_SIZE). */
const MAX_CHARACTERS = 4096;
/** Control characters, unpaired surrogates and what reorders or hides text. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** `text` with every unsafe character as `\xNN` or `\u{N}`, cut after 4,096 characters. */
export function printable(text: string): string {
  const shown = text.slice(0, MAX_CHARACTERS).replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
  return text.length > MAX_CHARACTERS ? `${shown}..` : shown;
}

/** UTF-16LE up to its first NUL or the end, printable. */
export const utf16Text = (bytes: Bytes): string =>
  printable(untilNul(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length & ~1), 'utf16le'));

/** UTF-8 up to its first NUL or the end, printable. */
export const utf8Text = (bytes: Bytes): string =>
  printable(untilNul(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 'utf8'));

/** True for UTF-16LE text of mostly ASCII: every second byte is zero where a byte string has letters. */
export const looksUtf16 = (bytes: Bytes): boolean =>
  bytes.length >= 2 && bytes[0] !== 0 && bytes[1] === 0;

function untilNul(bytes: Buffer, encoding: 'utf8' | 'utf16le'): string {
  const text = bytes.toString(encoding);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
