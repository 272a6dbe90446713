import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.mjs';
import { startProgram } from './programs.ts';
import type { Program } from './programs.ts';
import { answersOk } from './registry.ts';

export const projectDir = fileURLToPath(new URL('../..', import.meta.url));
export const cli = join(projectDir, 'dist/cli.js');

/** Ports and environment of one place where try mode runs, the same at every start. */
export interface TrialPlace {
  readonly dir: string;
  readonly url: string;
  readonly adminUrl: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `dir` becomes a place to start try mode in, on ports of its own. Nothing is copied there. */
export async function trialPlace(dir: string): Promise<TrialPlace> {
  const listen = `127.0.0.1:${await freePort()}`;
  const adminListen = `127.0.0.1:${await freePort()}`;
  return {
    dir,
    url: `http://${listen}`,
    adminUrl: `http://${adminListen}`,
    env: { HOME: dir, NO_COLOR: '1', PORTCULLIS_LISTEN: listen, PORTCULLIS_ADMIN_LISTEN: adminListen },
  };
}

/** The shipped policies, and nothing else. */
export async function copyPolicies(dir: string): Promise<void> {
  await cp(join(projectDir, 'policies'), join(dir, 'policies'), { recursive: true });
}

/** What a clone holds after `npm ci` and a build, without the time that both take. */
export async function copyProject(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'bundle.mjs', 'src', 'dist', 'policies']) {
    await cp(join(projectDir, name), join(dir, name), { recursive: true });
  }
  await symlink(join(projectDir, 'node_modules'), join(dir, 'node_modules'));
}

/** Starts try mode and resolves once it serves and has said all, in front of a registry of its own: never somebody's that runs here. */
export async function startTrial(
  place: TrialPlace,
  [program, ...args]: readonly [string, ...string[]] = [process.execPath, cli, 'serve'],
): Promise<Program> {
  if (await answersOk('http://127.0.0.1:5000/v2/'))
    throw new Error('an open registry runs on 127.0.0.1:5000; try mode would use it, and tests would write to it');
  const trial = await startProgram(program, args, {
    cwd: place.dir,
    env: place.env,
    isReady: () => answersOk(`${place.adminUrl}/readyz`),
    // Compiling alone takes two minutes on a slow machine that does much else.
    readyWithinMs: 350_000,
  });
  // It answers before the last line is written.
  await trial.until(() => /^ {2}Next /m.test(trial.stdout()), 'it said what to do next');
  return trial;
}

/** The registry that a trial says it started. */
export function registryOf(program: Program): string {
  const url = /^ {2}Registry +(http:\/\/\S+)/m.exec(program.stdout())?.[1];
  if (url === undefined) throw new Error(`no registry is named in:\n${program.stdout()}`);
  return url;
}

/** The generated password, as its file holds it. */
export async function adminPassword({ dir }: TrialPlace): Promise<string> {
  return (await readFile(join(dir, '.portcullis/initial-admin-password'), 'utf8')).trimEnd();
}

/** The value of an Authorization header. */
export function basic(account: string, password: string): string {
  return `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
}

/** An access token by the Docker token API, or the status that came instead of one. */
export async function fetchToken(
  place: Pick<TrialPlace, 'url'>,
  login: { readonly account: string; readonly password: string },
  scope: string,
): Promise<string | number> {
  const query = new URLSearchParams({ service: new URL(place.url).host, scope });
  const reply = await fetch(`${place.url}/token?${query.toString()}`, {
    headers: { authorization: basic(login.account, login.password) },
  });
  const body: unknown = await reply.json();
  const token = typeof body === 'object' && body !== null && 'token' in body ? body.token : undefined;
  return typeof token === 'string' ? token : reply.status;
}
