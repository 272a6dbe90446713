/** What a gateway reads before it opens anything: policy, signing keys, admin token, certificate. */
import { join } from 'node:path';
import { ensureAdminToken } from '../adapters/files/admin-token.ts';
import { type KeyFile, readKeyFiles } from '../adapters/files/key-ring.ts';
import { type LoadedPolicy, type LoadingTerms, loadPolicy } from '../adapters/files/policy-loading.ts';
import { type HtpasswdReading, readHtpasswdFile } from '../adapters/files/htpasswd-file.ts';
import { wordsOf } from '../adapters/failure.ts';
import { upstreamFileProblems } from '../adapters/files/upstream-files.ts';
import type { Config, Place } from '../config/load.ts';
import { namesOf } from '../config/upstreams.ts';
import type { Secret } from '../secret.ts';
import type { Checked } from '../document/check.ts';
import { unplaced } from '../document/problem.ts';
import { type CertificateFiles, certificateProblem, readCertificate } from './certificate.ts';

export interface Inputs {
  readonly policyPaths: readonly string[];
  readonly policy: LoadedPolicy;
  readonly keyDirectory: string;
  readonly keys: readonly KeyFile[];
  readonly adminToken: Secret;
  /** undefined: none is configured. */
  readonly htpasswd: { readonly path: string; readonly reading: HtpasswdReading } | undefined;
  /** undefined: plain HTTP. */
  readonly certificate: CertificateFiles | undefined;
}

/** All of them, or all problems. A first start makes keys and the admin token. `now` in milliseconds since 1970. */
export async function readInputs(
  config: Config,
  policyPaths: readonly string[],
  now: number,
  placeOf: (key: string) => Place = () => ({ file: 'configuration', line: 0, column: 0 }),
): Promise<Checked<Inputs>> {
  const policy = await loadPolicy(policyPaths, now, loadingTerms(config));
  const keyDirectory = config.tokens.keys ?? join(config.stateDir, 'keys');
  const keys = readKeyFiles(keyDirectory, config.tokens.keys === undefined);
  const adminToken = readAdminToken(config.stateDir);
  const certificate = readTls(config.tls, now);
  const upstreams = upstreamFileProblems(config.upstreams, placeOf);
  const htpasswd = await readHtpasswd(config.logins.htpasswd?.file);
  if (policy.ok && keys.ok && adminToken.ok && certificate.ok && htpasswd.ok && upstreams.length === 0) {
    const read = { policy: policy.loaded, keys: keys.files, adminToken: adminToken.value, htpasswd: htpasswd.value };
    return { ok: true, value: { policyPaths, keyDirectory, ...read, certificate: certificate.value } };
  }
  const problems = [policy, keys, adminToken, certificate, htpasswd].flatMap((each) => (each.ok ? [] : each.problems));
  return { ok: false, problems: [...problems, ...upstreams] };
}

/** What policy files are read beside, at the start and at every reload. */
export function loadingTerms({ enforce, upstreams, tokens: { accessTtlSeconds } }: Config): LoadingTerms {
  return { upstreams: namesOf(upstreams), tokenMode: enforce === 'token' ? { accessTtlSeconds } : undefined };
}

/** Lines that cannot be used are no reason not to start. */
async function readHtpasswd(path: string | undefined): Promise<Checked<Inputs['htpasswd']>> {
  if (path === undefined) return { ok: true, value: undefined };
  const reading = await readHtpasswdFile(path);
  return reading.ok ? { ok: true, value: { path, reading } } : { ok: false, problems: [reading.problem] };
}

function readAdminToken(stateDir: string): Checked<Secret> {
  try {
    return { ok: true, value: ensureAdminToken(stateDir) };
  } catch (error) {
    return unreadable(stateDir, 'state-directory', `the state directory cannot be used: ${wordsOf(error)}`);
  }
}

function readTls(files: Config['tls'], now: number): Checked<CertificateFiles | undefined> {
  if (files === undefined) return { ok: true, value: undefined };
  try {
    const texts = readCertificate(files);
    const found = certificateProblem(texts, now);
    return found === undefined ? { ok: true, value: { files, texts } } : unreadable(files.cert, 'certificate', found);
  } catch (error) {
    return unreadable(files.cert, 'certificate', wordsOf(error));
  }
}

function unreadable(file: string, code: string, message: string): Checked<never> {
  return { ok: false, problems: [unplaced(file, code, message)] };
}
