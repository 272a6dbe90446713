/** The built program's `doctor` about a deployment of the test's own. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashPassword } from '../../src/identity/password.ts';
import { freePort } from '../support/free-port.mjs';
import { type Program, run, startProgram } from '../support/programs.ts';
import { answersOk } from '../support/registry.ts';
import { newKey } from '../support/replicas.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { cli } from '../support/trial.ts';

export interface Seen {
  readonly number: number;
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'FAIL' | 'skip';
  readonly found: string;
  readonly fix: string | null;
}

export interface Report {
  readonly code: number | null;
  readonly checks: readonly Seen[];
  readonly of: (number: number) => Seen;
  /** Numbers that are in this state. */
  readonly in: (state: Seen['state']) => readonly number[];
}

export interface Site {
  readonly dir: string;
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  readonly adminPort: number;
  /** Written anew, as JSON, which is YAML. What is undefined is left out. */
  readonly configure: (changes: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly policies: (text: string) => Promise<void>;
  /** `by`: what is run instead of Node, with Node behind it. */
  readonly serve: (env?: Readonly<Record<string, string>>, by?: readonly string[]) => Promise<Program>;
  readonly doctor: (args?: readonly string[], more?: DoctorOptions) => Promise<Report>;
  readonly remove: () => Promise<void>;
}

export interface DoctorOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** What is run instead of Node, with Node behind it. */
  readonly by?: readonly string[];
  readonly program?: string;
}

export const password = 'correct horse';

/** Every rule has a test, somebody administers, nobody is a stranger. */
export async function soundPolicy(): Promise<string> {
  return `
groups: { admins: {} }
users:
  dana: { password: '${await hashPassword(password)}', groups: [admins] }
rules:
  - name: admins-do-all
    subjects: [group:admins]
    repositories: ['**']
    actions: [pull, push, catalog, inspect, administer]
  - name: admins-tidy-the-sandbox
    subjects: [group:admins]
    repositories: ['sandbox/**']
    actions: [delete]
tests:
  - name: dana does all, and tidies
    as: user:dana
    allow: [pull sandbox/app, delete sandbox/app]
    deny: [delete release/app]
`;
}

/** A folder with a configuration in which all is well, in front of a registry at `upstream`. Nothing runs yet. */
export async function openSite(upstream: string, first: Readonly<Record<string, unknown>> = {}): Promise<Site> {
  const dir = await makeTempDir('doctor');
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  await mkdir(join(dir, 'policies'));
  await mkdir(join(dir, 'keys'), { mode: 0o700 });
  await mkdir(join(dir, 'state'), { mode: 0o700 });
  await writeFile(join(dir, 'keys/first.pem'), newKey(), { mode: 0o600 });
  const sound = {
    publicUrl: url,
    upstream,
    listen: `127.0.0.1:${port}`,
    admin: { listen: `127.0.0.1:${adminPort}` },
    policies: './policies',
    stateDir: './state',
    tokens: { keys: './keys' },
    ...first,
  };
  const env = { NODE_ENV: 'production', HOME: dir };
  const site: Site = {
    ...{ dir, url, adminUrl, port, adminPort },
    configure: (changes) => writeFile(join(dir, 'portcullis.yaml'), JSON.stringify({ ...sound, ...changes })),
    policies: (text) => writeFile(join(dir, 'policies/policy.yaml'), text),
    serve(more = {}, by = []) {
      const [name = '', ...words] = [...by, process.execPath, cli, 'serve'];
      const isReady = (): Promise<boolean> => answersOk(`${adminUrl}/readyz`);
      return startProgram(name, words, { cwd: dir, env: { ...env, ...more }, isReady });
    },
    async doctor(args = [], { env: more = {}, input = '', by = [], program = cli } = {}) {
      const [name = '', ...words] = [...by, process.execPath, program, 'doctor', '--json', ...args];
      const result = await run(name, words, { cwd: dir, env: { ...env, ...more }, input });
      // Node's own warnings, such as of listeners that pile up, are for no operator to read.
      if (!result.stdout.startsWith('{') || result.stderr.includes('Warning'))
        throw new Error(`doctor: ${result.code} ${result.stderr}${result.stdout}`);
      const { checks } = JSON.parse(result.stdout) as { readonly checks: readonly Seen[] };
      return {
        code: result.code,
        checks,
        of: (number) => {
          const found = checks.find((each) => each.number === number);
          if (found === undefined) throw new Error(`no check ${number}: ${result.stdout}`);
          return found;
        },
        in: (state) => checks.filter((each) => each.state === state).map(({ number }) => number),
      };
    },
    remove: () => removeTempDir(dir),
  };
  await site.configure({});
  await site.policies(await soundPolicy());
  return site;
}
