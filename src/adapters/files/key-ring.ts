/** Signing keys in a directory: PEM (PKCS#8, SEC 1, PKCS#1) or JWK, one private key a file. */
import {
  type JsonWebKey,
  type KeyObject,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
} from 'node:crypto';
import {
  type Stats,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock, KeyRing, TokenKey } from '../../ports.ts';
import { type Problem, unplaced } from '../../document/problem.ts';
import { wordsOf } from '../failure.ts';
import type { EpochMs } from '../../time.ts';
import { foreignPath } from './own-path.ts';

/** A key and the file it is in. */
export interface KeyFile {
  readonly path: string;
  readonly key: TokenKey;
  /** Milliseconds since 1970, from the name of a file that this program made; undefined for any other. */
  readonly made: number | undefined;
  /** Published and accepted, and signs nothing until `key rotate` makes it: for registries that read keys at their start. */
  readonly isNext: boolean;
}

type KeyFilesReading =
  | { readonly ok: true; readonly files: readonly KeyFile[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const nextFile = /\.next\.pem$/;
const keyFile = /\.(?:pem|jwk|json|key)$/;
const maxKeyBytes = 65_536;

/** Every key of a directory in the order of file names: at least one that may sign, or problems. With `generate`, an empty or missing directory gets a new ES256 key. */
export function readKeyFiles(directory: string, generate: boolean): KeyFilesReading {
  const reading = readThere(directory, generate);
  return reading.ok && reading.files.every(({ isNext }) => isNext) ? noKey(directory) : reading;
}

/** The same of a directory that may hold none, or not be there yet. */
export function readKeyFilesThere(directory: string): KeyFilesReading {
  return existsSync(directory) ? readThere(directory, false) : { ok: true, files: [] };
}

function readThere(directory: string, generate: boolean): KeyFilesReading {
  let names: readonly string[];
  try {
    const foreign = foreignPath(directory);
    if (foreign !== undefined) return failed(directory, `the key directory ${foreign}`);
    if (generate) generateWhenEmpty(directory);
    names = listKeyFiles(directory);
  } catch (error) {
    return failed(directory, `the key directory cannot be used: ${wordsOf(error)}`);
  }
  const problems: Problem[] = [];
  const files: KeyFile[] = [];
  for (const name of names) {
    const path = join(directory, name);
    const key = readKey(path);
    if ('problem' in key) problems.push(unplaced(path, 'signing-key', key.problem));
    else files.push({ path, key, made: madeAt(name), isNext: nextFile.test(name) });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, files };
}

function noKey(directory: string): KeyFilesReading {
  return failed(directory, 'the key directory holds no key (*.pem, *.jwk); make one with: portcullis key rotate');
}

/** Of files that hold the same key, one. */
function uniqueKeys(files: readonly KeyFile[]): readonly TokenKey[] {
  return [...new Map(files.map(({ key }) => [key.kid, key])).values()];
}

/**
 * Makes a new ES256 key (0600) whose name sorts after all that were made before; its path. `isNext`: one that waits for
 * `adoptKey`. Throws on broken I/O.
 */
export function generateKey(directory: string, now: number, isNext = false): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const path = join(directory, `${stampOf(now)}${isNext ? '.next' : ''}.pem`);
  // In place in one step: a replica that looks meanwhile must not find half a key.
  const unfinished = join(directory, `.${randomUUID()}.tmp`);
  writeFileSync(unfinished, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  renameSync(unfinished, path);
  return path;
}

/** From `publishMs` after `now` a key that waited signs, as a new one does; its path. Throws on broken I/O. */
export function adoptKey(directory: string, next: KeyFile, now: number): string {
  const path = join(directory, `${stampOf(now)}.pem`);
  renameSync(next.path, path);
  return path;
}

function stampOf(now: number): string {
  return new Date(now).toISOString().replace(/[-:.]/g, '');
}

/** `20261123T035700123Z.pem`, as `generateKey` names files. */
function madeAt(name: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.pem$/.exec(name)?.slice(1);
  if (parts === undefined) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millisecond = 0] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
}

function listKeyFiles(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => keyFile.test(name) && !name.startsWith('.'))
    .sort();
}

function generateWhenEmpty(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  if (listKeyFiles(directory).length === 0) generateKey(directory, Date.now());
}

function readKey(path: string): TokenKey | { readonly problem: string } {
  const stat = statOf(path);
  if (stat === undefined || !stat.isFile()) return { problem: 'is not a regular file' };
  if (stat.size > maxKeyBytes) return { problem: 'is too large for a key' };
  // The mode of what a symlink points to: its own means nothing.
  if ((stat.mode & 0o007) !== 0) {
    return {
      problem: `can be read by every user of this machine; fix: chmod 600 ${path} (in Kubernetes: defaultMode)`,
    };
  }
  const foreign = foreignPath(path);
  if (foreign !== undefined) return { problem: foreign };
  let privateKey: KeyObject;
  try {
    const text = readFileSync(path, 'utf8');
    privateKey = text.trimStart().startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' })
      : createPrivateKey(text);
  } catch {
    return { problem: 'is not a private key in PEM or JWK form' };
  }
  const algorithm = algorithmOf(privateKey);
  if (algorithm === undefined) {
    return { problem: 'has the wrong type; accepted are EC P-256 or P-384, Ed25519 and RSA of at least 2048 bits' };
  }
  const publicKey = createPublicKey(privateKey);
  return { kid: thumbprint(publicKey), algorithm, privateKey, publicKey };
}

/** Also undefined for a link that leads nowhere or in a circle, and when the directory may be listed but not entered. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function algorithmOf(key: KeyObject): TokenKey['algorithm'] | undefined {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return namedCurve === 'prime256v1' ? 'ES256' : namedCurve === 'secp384r1' ? 'ES384' : undefined;
    case 'ed25519':
      return 'EdDSA';
    case 'rsa':
      return modulusLength >= 2048 ? 'RS256' : undefined;
    default:
      return undefined;
  }
}

/** RFC 7638: SHA-256 over the required members in alphabetical order. */
function thumbprint(publicKey: KeyObject): string {
  const { crv, e, kty, n, x, y } = publicKey.export({ format: 'jwk' });
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

function failed(file: string, text: string): { readonly ok: false; readonly problems: readonly Problem[] } {
  return { ok: false, problems: [unplaced(file, 'signing-key', text)] };
}

export interface FollowedKeys extends KeyRing {
  readonly problems: () => readonly Problem[];
  /** When the key that signs now was made, by its name or else by its file; undefined where neither tells. */
  readonly signingSince: () => EpochMs | undefined;
  close(): void;
}

interface KeyDirectoryOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Called when keys came or went, or cannot be read any more. */
  readonly onChange: (kids: readonly string[], problems: readonly Problem[]) => void;
  readonly pollMs?: number;
}

/** Milliseconds between publishing a key and signing with it: several polls of every replica. */
export const publishMs = 30_000;
const defaultPollMs = 2000;
/** Milliseconds between looks that tokens with an unknown `kid` can cause. */
const refreshEveryMs = 10_000;

/** `first` are the keys read at the start. Bad files later on leave the last good keys in use. */
export function followKeyDirectory(first: readonly KeyFile[], options: KeyDirectoryOptions): FollowedKeys {
  const { directory, clock, onChange, pollMs = defaultPollMs } = options;
  let files = first;
  let all = uniqueKeys(first);
  let problems: readonly Problem[] = [];
  let refreshed = -Infinity;
  /** When a key that is not named by its making was first seen here; those of the start count as known everywhere. */
  const seen = new Map<string, number>();

  function read(): boolean {
    const reading = readKeyFiles(directory, false);
    const before = all.map(({ kid }) => kid).join();
    const hadProblems = problems.length > 0;
    problems = reading.ok ? [] : reading.problems;
    if (reading.ok) {
      files = reading.files;
      all = uniqueKeys(files);
      for (const { key } of files) {
        if (!seen.has(key.kid) && !first.some((known) => known.key.kid === key.kid)) seen.set(key.kid, clock());
      }
    }
    const changed = all.map(({ kid }) => kid).join() !== before;
    if (changed || problems.length > 0 !== hadProblems)
      onChange(
        all.map(({ kid }) => kid),
        problems,
      );
    return changed;
  }

  /** The newest key that every replica has had time to read; the oldest when none has been there that long. */
  function signing(): KeyFile {
    const now = clock();
    const candidates = files.filter(({ isNext }) => !isNext);
    const published = candidates.filter(({ key, made }) => (made ?? seen.get(key.kid) ?? -Infinity) + publishMs <= now);
    const chosen = published.at(-1) ?? candidates[0];
    if (chosen === undefined) throw new Error('a key directory without keys');
    return chosen;
  }

  const timer = setInterval(read, pollMs).unref();
  return {
    signingKey: () => signing().key,
    signingSince() {
      const { made, path } = signing();
      return made ?? statOf(path)?.mtimeMs;
    },
    keys: () => all,
    problems: () => problems,
    refresh() {
      if (clock() - refreshed < refreshEveryMs && clock() >= refreshed) return false;
      refreshed = clock();
      return read();
    },
    close: () => clearInterval(timer),
  };
}
