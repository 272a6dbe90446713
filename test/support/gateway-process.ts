import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { startProgram } from './programs.ts';
import type { Exit } from './programs.ts';
import { answersOk } from './registry.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface GatewayOptions {
  readonly upstream: string;
  /** File name to YAML text. */
  readonly policies: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the gateway's own loopback address. */
  readonly publicUrl?: string;
  /** Where the shell sends its standard output: a file, of which nothing is seen here. */
  readonly output?: string;
  /** How many files it may have open. Default: as many as the tests. */
  readonly openFiles?: number;
}

export type LogRecord = Readonly<Record<string, unknown>>;

export interface GatewayProcess {
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  /** Where the policy files lie, for tests that edit them. */
  readonly policiesDir: string;
  readonly exited: Promise<Exit>;
  /** Every JSON line written to standard output so far. */
  readonly logs: () => readonly LogRecord[];
  /** The first record that matches, waited for: the line of a request may come after its reply. */
  readonly findLog: (matches: (record: LogRecord, index: number) => boolean) => Promise<LogRecord>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly stop: (signal?: NodeJS.Signals) => Promise<Exit>;
}

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** The built program, as in production: configured by its environment only, in an empty folder. Throws with its output when it does not start. */
export async function startGatewayProcess(options: GatewayOptions): Promise<GatewayProcess> {
  const dir = await makeTempDir('gateway');
  const policiesDir = join(dir, 'policies');
  await mkdir(policiesDir);
  for (const [name, text] of Object.entries(options.policies)) await writeFile(join(policiesDir, name), text);
  const port = await freePort();
  const adminPort = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  try {
    const { output, openFiles } = options;
    const limit = openFiles === undefined ? [] : ['sh', '-c', 'ulimit -n "$0" && exec "$@"', String(openFiles)];
    const redirect = output === undefined ? [] : ['sh', '-c', 'exec "$@" >"$0"', output];
    const [name = '', ...args] = [...limit, ...redirect, process.execPath, cli, 'serve'];
    const program = await startProgram(name, args, {
      cwd: dir,
      env: {
        NODE_ENV: 'production',
        HOME: dir,
        PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
        PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        PORTCULLIS_PUBLIC_URL: options.publicUrl ?? url,
        PORTCULLIS_UPSTREAM: options.upstream,
        PORTCULLIS_POLICIES: policiesDir,
        PORTCULLIS_STATE_DIR: join(dir, 'state'),
        ...options.env,
      },
      isReady: () => answersOk(`${adminUrl}/readyz`),
    });
    const logs = (): readonly LogRecord[] => program.stdout().split('\n').flatMap(parseLine);
    return {
      url,
      adminUrl,
      pid: program.pid,
      policiesDir,
      exited: program.exited,
      logs,
      findLog: async (matches) => {
        let found: LogRecord | undefined;
        await program.until(() => (found = logs().find(matches)) !== undefined, `it logged ${matches.toString()}`);
        if (found === undefined) throw new Error('unreachable: until() resolves with a record found');
        return found;
      },
      stdout: program.stdout,
      stderr: program.stderr,
      stop: async (signal) => {
        const exit = await program.stop(signal);
        await removeTempDir(dir);
        return exit;
      },
    };
  } catch (error) {
    await removeTempDir(dir);
    throw error;
  }
}

function parseLine(line: string): readonly LogRecord[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? [value as LogRecord] : [];
  } catch {
    return [];
  }
}
