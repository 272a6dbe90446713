/** `portcullis login HOST`: a terminal is let in by the page, and docker has the login. */
import { setTimeout as sleep } from 'node:timers/promises';
import { keepLogin } from '../adapters/docker/keep-login.ts';
import { isHostAndPort } from '../distribution/image-name.ts';
import { field } from '../distribution/json.ts';
import { escapeUnprintable } from '../document/problem.ts';
import { isLoopback } from '../network/host.ts';
import { readInstant } from '../time.ts';
import { version } from '../version.ts';
import { type GatewayAnswer, type Trouble, askGateway } from './gateway-client.ts';
import { startProgress } from './progress.ts';
import { type ExitCode, complain, exitCodes, printJson } from './report.ts';
import { type Command, example, usageProblem } from './verb.ts';

interface LoginOptions {
  readonly json?: boolean;
}

const about = `
It shows an address and a code. Open the address in a browser, anywhere, log in, and type the code: docker, podman, skopeo and
Jib on this machine have an access token then, kept by docker's credential helper (credsStore, credHelpers) or, without one, in
config.json for you alone. Revoke it on the page, under My account.

HOST is a URL or HOST[:PORT]: plain HTTP for this machine, https for every other unless a URL says otherwise. An authority of
your own: NODE_EXTRA_CA_CERTS=ca.pem portcullis login …

Exit status: 0 logged in, 1 refused or failed, 2 not understood.
`;

/** `login HOST`. */
export function addLogin(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('login')
    .argument('<host>', 'the gateway, as docker names it')
    .description('log in with a browser: docker gets an access token, no password is typed here')
    .option('--json', 'one JSON object at the end instead of text')
    .addHelpText('after', example('portcullis login registry.example.com', 'portcullis login 127.0.0.1:5050') + about)
    .action(async (host: string, options: LoginOptions) => done(await login(host, options)));
}

const grant = 'urn:ietf:params:oauth:grant-type:device_code';
const requestMs = 30_000;
/** What is asked for more than this is no time that a person waits. */
const longestPauseSeconds = 60;

/** Where docker keeps the login is told; the token itself nowhere. */
export async function login(text: string, { json = false }: LoginOptions): Promise<ExitCode> {
  const origin = originOf(text);
  if (origin === undefined) return usageProblem('HOST is a URL or HOST[:PORT], without a path, a name or a password');
  const begun = await begin(origin);
  if ('problem' in begun) return tell(begun);
  const { code, page, deviceCode } = begun;
  process.stderr.write(`Open   ${page}\nType   ${code}\n`);
  const progress = startProgress(process.stderr, 'waiting for the browser');
  const granted = await waitFor(origin, deviceCode, begun).finally(progress.end);
  if ('problem' in granted) return tell(granted);
  const { account, secret, expires } = granted;
  const kept = await keepLogin(process.env, {
    host: origin.host,
    isTls: origin.protocol === 'https:',
    account,
    secret,
  });
  if (!kept.ok) {
    const fix = `${kept.fix}; then log in again, and revoke the token that is lost on ${origin.origin}/ui/me`;
    return tell({ problem: kept.problem, fix });
  }
  if (json) printJson({ ok: true, host: origin.host, account, expires, kept: kept.where });
  else {
    const until = expires.slice(0, 10);
    const name = escapeUnprintable(account);
    process.stdout.write(`logged in at ${origin.host} as ${name}, until ${until}; kept by ${kept.where}\n`);
    if (!kept.isHelper)
      process.stderr.write(
        'It is not encrypted there; a credential helper would (docs.docker.com/go/credential-store/).\n',
      );
  }
  return exitCodes.ok;
}

function originOf(text: string): URL | undefined {
  const [, scheme, host = ''] = /^(?:(https?):\/\/)?([^/]*)\/?$/i.exec(text) ?? [];
  if (!isHostAndPort(host)) return undefined;
  const isHere = isLoopback(new URL(`http://${host}`).hostname);
  return new URL(`${scheme?.toLowerCase() ?? (isHere ? 'http' : 'https')}://${host.toLowerCase()}`);
}

function tell({ problem, fix }: Trouble): ExitCode {
  return complain(`${problem}\n  ${fix}`);
}

interface Begun {
  readonly deviceCode: string;
  readonly code: string;
  readonly page: string;
  readonly seconds: number;
  readonly intervalSeconds: number;
}

function post(origin: URL, path: string, form: Readonly<Record<string, string>>): Promise<GatewayAnswer | Trouble> {
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'user-agent': `portcullis/${version} (${process.platform})`,
  };
  const body = new URLSearchParams(form).toString();
  return askGateway(new URL(path, origin), { verb: 'login', method: 'POST', headers, body, timeoutMs: requestMs });
}

async function begin(origin: URL): Promise<Begun | Trouble> {
  const answer = await post(origin, '/device', { client_id: 'portcullis' });
  if ('problem' in answer) return answer;
  const { body, status } = answer;
  const [deviceCode, code, page] = ['device_code', 'user_code', 'verification_uri'].map((name) => field(body, name));
  const [seconds, interval] = [field(body, 'expires_in'), field(body, 'interval')];
  if (status === 200 && typeof deviceCode === 'string' && typeof code === 'string' && typeof page === 'string')
    return {
      deviceCode,
      code: escapeUnprintable(code.slice(0, 32)),
      page: escapeUnprintable(page.slice(0, 300)),
      seconds: typeof seconds === 'number' ? seconds : 600,
      intervalSeconds: typeof interval === 'number' && interval > 0 ? Math.min(interval, longestPauseSeconds) : 5,
    };
  const fix = 'log in with docker login, a password or an access token from the page';
  if (status === 404) return { problem: `${origin.host} lets nobody in by a browser`, fix };
  return { problem: `${origin.host} answers ${status}: ${sentenceOf(body)}`, fix: 'try again in a while' };
}

interface Granted {
  readonly account: string;
  readonly secret: string;
  /** ISO 8601. */
  readonly expires: string;
}

/** Asks as often as it may until somebody has answered, or the time is over. */
async function waitFor(
  origin: URL,
  deviceCode: string,
  { seconds, intervalSeconds }: Begun,
): Promise<Granted | Trouble> {
  const until = performance.now() + seconds * 1000;
  for (let pause = intervalSeconds; performance.now() < until;) {
    await sleep(pause * 1000);
    const answer = await post(origin, '/token', { grant_type: grant, device_code: deviceCode });
    // A gateway that is away for a moment may be back, or another one.
    if ('problem' in answer || answer.status >= 500 || answer.status === 429) continue;
    const { body, status } = answer;
    const [account, secret, lives] = ['account', 'secret', 'expires_in'].map((name) => field(body, name));
    const ends = typeof lives === 'number' ? readInstant(Date.now() + lives * 1000) : undefined;
    if (status === 200 && typeof account === 'string' && typeof secret === 'string' && ends !== undefined)
      return { account, secret, expires: new Date(ends).toISOString() };
    const error = field(body, 'error');
    if (error === 'slow_down') pause += 5;
    else if (error === 'access_denied') return { problem: 'the login was refused on the page', fix: 'log in again' };
    else if (error !== 'authorization_pending')
      return { problem: `${origin.host} answers ${status}: ${sentenceOf(body)}`, fix: 'log in again' };
  }
  return { problem: 'nobody typed the code in time', fix: 'log in again' };
}

function sentenceOf(body: unknown): string {
  const errors = field(body, 'errors');
  const said = field(Array.isArray(errors) ? errors[0] : undefined, 'message');
  return typeof said === 'string' ? escapeUnprintable(said.slice(0, 200)) : 'nothing that this program knows';
}
