/**
 * The chain of a gateway's lines: each begins with its number, the hash of the one before and who wrote it, in exactly this
 * form, `{"seq":12,"prev":"…","instance":"…",`. What is chained cannot be changed, left out or moved without a later line
 * saying otherwise; what is signed cannot be written anew by whoever has no key.
 */
import { hash } from 'node:crypto';

/** Where a chain stands: the last line. */
export interface Tip {
  readonly seq: number;
  /** '' before the first line. */
  readonly hash: string;
}

export const beginning: Tip = { seq: 0, hash: '' };

/** What every chained line begins with. */
export interface Head {
  readonly seq: number;
  readonly prev: string;
  readonly instance: string;
}

/** The letters of base64url, by their six bits. */
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * SHA-256 of the bytes of a line, without its end: the first 16 bytes as base64url, enough that nobody finds another line
 * with the same. As text from the start, since a buffer of its own takes as long as the hash.
 */
export function hashOf(line: string | Buffer): string {
  const text = hash('sha256', line, 'base64url');
  // The last letter of 16 bytes has two bits of them; the other four are those of the next byte.
  return text.slice(0, 21) + (letters[letters.indexOf(text[21] ?? '') & 0b110000] ?? '');
}

/** A line, without its end, made of the text of an object that is not empty; and where the chain stands behind it. */
export function chainedLine(tip: Tip, instance: string, object: string): { readonly line: Buffer; readonly tip: Tip } {
  const seq = tip.seq + 1;
  const line = Buffer.from(`{"seq":${seq},"prev":"${tip.hash}","instance":"${instance}",${object.slice(1)}`);
  return { line, tip: { seq, hash: hashOf(line) } };
}

const head =
  /^\{"seq":([1-9]\d{0,14}),"prev":"([A-Za-z0-9_-]{22}|)","instance":"([A-Za-z0-9_.-]{1,64})","time":"[^"]*",".*\}$/;

/** Undefined for a line that is not in the form of the chain. */
export function headOf(line: Buffer): Head | undefined {
  // The end as well: half a line is none. Not the whole text, which nobody needs here.
  if (line.at(-1) !== 0x7d) return undefined;
  const [, seq, prev, instance] = head.exec(`${line.toString('latin1', 0, 256)}}`) ?? [];
  if (seq === undefined || prev === undefined || instance === undefined) return undefined;
  return { seq: Number(seq), prev, instance };
}

/** What a checkpoint signs. Nothing in it is a claim that a token has: no issuer, no audience, no end. */
export interface Signed {
  readonly instance: string;
  /** Of the checkpoint itself. */
  readonly seq: number;
  /** Of the line before it, and through that of all. */
  readonly hash: string;
  readonly time: string;
}

/** What the JOSE header says, so that a checkpoint never passes for a token. */
export const checkpointType = 'audit+jws';

/** The text of the object of a checkpoint. */
export function checkpointObject(
  { time, hash: signed }: Signed,
  { kid, jws }: { readonly kid: string; readonly jws: string },
): string {
  return JSON.stringify({ time, event: 'checkpoint', hash: signed, kid, jws });
}
