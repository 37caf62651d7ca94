// The cells that lines of bpftrace are made of: what a number, a text or an address must be before it is
// believed. No line is known here.
import { isIP } from 'node:net';
import { z } from 'zod';
import type { Endpoint } from './events.ts';

const MAX_PID = 1 << 22; // PID_MAX_LIMIT of the kernel

/** Inode of a network namespace. */
export const netns = z.int().min(0).max(0xffffffff);
/** Lower 48 bits of the address of a socket: its name while it lives. 0: none. */
export const socket = z
  .int()
  .min(0)
  .max(2 ** 48 - 1);
export const pid = z.int().min(0).max(MAX_PID);
export const uid = z.int().min(0).max(0xffffffff);
export const word = z.string().max(256);
export const port = z.int().min(0).max(65_535);

const MAPPED = '::ffff:';

/** What `ntop` prints; an IPv4 address in an IPv6 one is taken out of it (RFC 4291 2.5.5.2). */
export const address = z
  .string()
  .max(45)
  .refine((text) => isIP(text) !== 0)
  .transform((text) => {
    const inner = text.slice(MAPPED.length);
    return text.startsWith(MAPPED) && isIP(inner) === 4 ? inner : text;
  });

/** Both cells of an endpoint as one value. */
export const endpoint = (at: string, on: number): Endpoint => ({ address: at, port: on });
