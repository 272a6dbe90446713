/** Files that the terms of a registry name: a password that may change while the gateway runs, and an authority of certificates. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type StoredLogin, storedLogin } from '../../distribution/docker-logins.ts';
import type { Problem } from '../../document/problem.ts';
import { type Parsed, refuse } from '../../document/parsed.ts';
import type { CredentialReading, CredentialSource } from '../../ports.ts';
import type { Secret } from '../../secret.ts';
import { wordsOf } from '../failure.ts';

/** Bytes of a password; more is another file. */
const maxPasswordBytes = 65_536;

/** The file is read at each question, so that a new password needs no restart. */
export function createFileCredentials(username: string, path: string): CredentialSource {
  let known: { readonly password: string; readonly login: StoredLogin } | undefined;
  const get = async (): Promise<CredentialReading> => {
    const found = await readFile(path).then(passwordIn, (error: unknown) => refuse(wordsOf(error)));
    if (!found.ok) return { ok: false, detail: `its password file cannot be used: ${found.message}` };
    if (known?.password !== found.value) {
      const login = storedLogin(username, found.value);
      if (login === undefined) return { ok: false, detail: 'its user name is empty' };
      known = { password: found.value, login };
    }
    return { ok: true, login: known.login };
  };
  return { get, forget: () => undefined };
}

/** As the configuration has them. */
export function createGivenCredentials(username: string, password: Secret): CredentialSource {
  const login = storedLogin(username, password.reveal());
  const reading: CredentialReading =
    login === undefined ? { ok: false, detail: 'its user name or password is empty' } : { ok: true, login };
  return { get: () => Promise.resolve(reading), forget: () => undefined };
}

/** One line, without its end. The reason never repeats the text. */
function passwordIn(bytes: Buffer): Parsed<string> {
  if (bytes.length > maxPasswordBytes) return refuse('it is larger than 64 KiB');
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (text === '') return refuse('it is empty');
  return /[\u0000-\u001f\u007f]/.test(text)
    ? refuse('it holds more than one line, or control characters')
    : { ok: true, value: text };
}

/** What of the terms of a registry is in files. */
export interface UpstreamFiles {
  readonly name: string;
  readonly ca: string | undefined;
  readonly credentials: object | undefined;
}

/** A problem for each file that cannot be used, where `placeOf` says that it is named. */
export function upstreamFileProblems(
  upstreams: readonly UpstreamFiles[],
  placeOf: (key: string) => Pick<Problem, 'file' | 'line' | 'column'>,
): readonly Problem[] {
  return upstreams.flatMap(({ name, ca, credentials = {} }) => {
    const report = (key: string, path: string, check: (bytes: Buffer) => string | undefined): readonly Problem[] => {
      const message = readable(path, check);
      const named = `upstreams.${name}.${key}`;
      return message === undefined
        ? []
        : [{ ...placeOf(named), code: 'unreadable-file', message: `${named}: ${path} ${message}` }];
    };
    const password = 'passwordFile' in credentials ? String(credentials.passwordFile) : undefined;
    return [
      ...(ca === undefined ? [] : report('ca', ca, authorityProblem)),
      ...(password === undefined ? [] : report('credentials.passwordFile', password, passwordProblem)),
    ];
  });
}

function readable(path: string, check: (bytes: Buffer) => string | undefined): string | undefined {
  try {
    return check(readFileSync(path));
  } catch (error) {
    return `cannot be read: ${wordsOf(error)}`;
  }
}

function passwordProblem(bytes: Buffer): string | undefined {
  const found = passwordIn(bytes);
  return found.ok ? undefined : `cannot be used as a password: ${found.message}`;
}

function authorityProblem(bytes: Buffer): string | undefined {
  try {
    return new X509Certificate(bytes).subject === undefined ? 'names nobody' : undefined;
  } catch {
    return 'holds no certificate in PEM';
  }
}
