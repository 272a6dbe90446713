/** `get` and `store` of docker's credential-helper protocol: the server's name, or JSON, goes in; JSON comes out; no shell in between. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type StoredLogin, storedLogin } from '../../distribution/docker-logins.ts';
import { field, parseJson } from '../../distribution/json.ts';
import { escapeUnprintable } from '../../document/problem.ts';
import { hasCode, wordsOf } from '../failure.ts';

export interface HelperCall {
  /** `docker-credential-NAME`, on the PATH of `env`. */
  readonly name: string;
  /** Under which it keeps the login. */
  readonly server: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly waitMs: number;
  /** By a person, whose terminal it may use and who is told what it says. Otherwise neither, and what it starts ends with it. */
  readonly isAttended: boolean;
  /** To be kept by it; absent: it is asked for what it keeps. */
  readonly login?: { readonly account: string; readonly secret: string };
}

export type HelperAnswer =
  /** undefined: it keeps none for this server. */
  | { readonly ok: true; readonly login: StoredLogin | undefined }
  /** In words; holds no secret. */
  | { readonly ok: false; readonly problem: string };

const maxBytes = 65_536;
/** Milliseconds that output may take to come once the program has ended: what it left running may hold it open for ever. */
const lateMs = 250;

/** Never rejects. Nothing of it is left when it resolves, but for processes that left its group. */
export function askHelper(call: HelperCall): Promise<HelperAnswer> {
  const { name, env, waitMs, isAttended, login } = call;
  const program = `docker-credential-${name}`;
  // The name becomes a program: not one of any folder.
  if (!/^[\w.-]+$/.test(name)) return no(`${JSON.stringify(name)} is no name of a credential helper`);
  let child: ChildProcess;
  try {
    // Unattended, nobody reads its standard error, where it may say what it should not.
    const stderr = isAttended ? 'pipe' : 'ignore';
    child = spawn(program, [login === undefined ? 'get' : 'store'], {
      env: { ...env },
      stdio: ['pipe', 'pipe', stderr],
      detached: !isAttended,
    });
  } catch (error) {
    return no(`${program} cannot be run: ${wordsOf(error)}`);
  }
  return new Promise((resolve) => {
    const output = { stdout: '', stderr: '' };
    let code: number | null = null;
    let late: NodeJS.Timeout | undefined;
    const settle = (answer: HelperAnswer): void => {
      clearTimeout(timer);
      clearTimeout(late);
      resolve(answer);
      for (const stream of child.stdio) stream?.destroy();
    };
    const end = (problem: string): void => {
      kill(child, !isAttended);
      settle({ ok: false, problem });
    };
    const timer = setTimeout(
      () => end(`${program} did not answer within ${Number((waitMs / 1000).toFixed(1))} s`),
      waitMs,
    );
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.on('error', () => undefined);
      child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text;
        if (output[stream].length > maxBytes) end(`${program} says more than any login needs`);
      });
    }
    child.on('error', (error) => settle({ ok: false, problem: startProblem(call, error) }));
    child.on('exit', (exitCode) => {
      code = exitCode;
      late = setTimeout(() => {
        kill(child, !isAttended);
        settle(answerOf(call, code, output));
      }, lateMs);
    });
    child.on('close', () => settle(answerOf(call, code, output)));
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(inputOf(call));
  });
}

function inputOf({ server, login }: HelperCall): string {
  return login === undefined
    ? server
    : JSON.stringify({ ServerURL: server, Username: login.account, Secret: login.secret });
}

/** With all that it started, where it has a group of its own. */
function kill(child: ChildProcess, isGroup: boolean): void {
  if (!isGroup || child.pid === undefined) return void child.kill('SIGKILL');
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

function startProblem({ name, isAttended }: HelperCall, error: Error): string {
  const program = `docker-credential-${name}`;
  const why = isAttended ? ', and docker keeps its logins with it' : '';
  if (hasCode(error, 'ENOENT')) return `${program} is not on PATH${why}`;
  if (hasCode(error, 'EACCES')) return `${program} may not be run${why}`;
  return `${program} cannot be run: ${error.message}`;
}

function answerOf(
  { name, isAttended, login }: HelperCall,
  code: number | null,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
): HelperAnswer {
  const program = `docker-credential-${name}`;
  if (code === 0 && login !== undefined) return { ok: true, login: undefined };
  if (code === 0) {
    const told = parseJson(stdout);
    const [account, secret] = [field(told, 'Username'), field(told, 'Secret')];
    if (typeof account === 'string' && typeof secret === 'string')
      return { ok: true, login: storedLogin(account, secret) };
    return { ok: false, problem: `${program} answered in another form than docker's credential helpers do` };
  }
  // Helpers say it on standard output.
  const said = stdout.trim() || stderr.trim();
  if (login === undefined && /credentials not found/i.test(said)) return { ok: true, login: undefined };
  // One that prints what it has and fails nevertheless would have its secret in logs, in whatever words.
  if (!isAttended) {
    const how = code === null ? 'ended by a signal' : `status ${code}`;
    return { ok: false, problem: `${program} failed (${how}); run it by hand to see what it says` };
  }
  const [line = ''] = said.split('\n', 1);
  const shown =
    line === '' || /[{}]|secret["']?\s*[:=]/i.test(line) || (login !== undefined && said.includes(login.secret))
      ? ''
      : `: ${escapeUnprintable(line.slice(0, 200))}`;
  return { ok: false, problem: `${program} failed${shown}` };
}

function no(problem: string): Promise<HelperAnswer> {
  return Promise.resolve({ ok: false, problem });
}
