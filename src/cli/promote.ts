/** `portcullis promote`: an image from where it was tested to where it is released, through the gateway, without moving it. */
import { readStoredLogin } from '../adapters/docker/stored-login.ts';
import type { StoredLogin } from '../distribution/docker-logins.ts';
import { field } from '../distribution/json.ts';
import { type GatewayAnswer, type Trouble, askGateway } from './gateway-client.ts';
import { readCredential } from './password.ts';
import { type Place, type PromoteWish, locate } from './promote-names.ts';
import { answerTrouble, promotedWords } from './promote-words.ts';
import { startProgress } from './progress.ts';
import { type ExitCode, complain, exitCodes, printJson, reportBroken } from './report.ts';
import { type Command, example, usageProblem } from './verb.ts';

export interface PromoteOptions extends PromoteWish {
  readonly reason?: string;
  readonly attachments: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly user?: string;
  readonly passwordStdin?: boolean;
}

const about = `
SOURCE is [HOST/]REPOSITORY:TAG or [HOST/]REPOSITORY@sha256:…, TARGET the same with a tag, or without one for the same tag.
HOST is --gateway, else the one in the names, else publicUrl of the configuration. The login is what docker, podman
or skopeo stored for HOST (docker login HOST), or --user with --password-stdin. Nothing is pulled, and no Docker engine is needed.

You need pull on the source and the action promote on the target; push does not give it. What gates ask of a push they ask
of a promotion. Repeating is safe: the tag comes last.

Exit status: 0 promoted, 1 refused or failed, 2 not understood, 78 the configuration is broken.
`;

/** `promote SOURCE TARGET`. */
export function addPromote(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('promote')
    .argument('<source>', 'the image to promote, such as integration/app:1.2.3')
    .argument('<target>', 'where to, such as release/app:v1.2.3')
    .description('release what integration holds: the same image under another name, with its signatures and SBOMs')
    .option('--reason <text>', 'why, for the audit log')
    .option('--no-attachments', 'leave signatures and SBOMs behind')
    .option('--dry-run', 'say what would be done and change nothing')
    .option('--json', 'one JSON object instead of text')
    .option('--gateway <url>', 'the gateway, as a URL or HOST[:PORT]')
    .option('--user <name>', 'log in with this name instead of what docker stored')
    .option('--password-stdin', 'read the password or secret of --user from standard input')
    .addHelpText(
      'after',
      example(
        'portcullis promote registry.example.com/integration/app:approved-1.2.3 release/app:v1.2.3',
        'portcullis promote integration/app:v1.2.3 release/app --reason "ticket 123"',
        'portcullis promote integration/app@sha256:… release/app:v1.2.3 --dry-run',
        'portcullis promote integration/app:v1.2.3 release/app --user release-bot --password-stdin < bot.secret',
      ) + about,
    )
    .action(async (source: string, target: string, options: PromoteOptions) =>
      done(await promote(source, target, options)),
    );
}

/** 1 when it was refused or failed; nothing is printed of any credential. */
export async function promote(source: string, target: string, options: PromoteOptions): Promise<ExitCode> {
  const located = locate(source, target, options);
  if ('usage' in located) return usageProblem(located.usage);
  if ('problems' in located) return reportBroken(located.problems, options.json);
  if (options.passwordStdin === true && options.user === undefined)
    return usageProblem('--password-stdin needs --user NAME');
  const login = await chosenLogin(located, options);
  if ('problem' in login) return tell(login, options);

  const progress = startProgress(process.stderr, `promoting ${located.source} to ${located.target}`);
  const answer = await ask(located, login, options).finally(progress.end);
  if ('problem' in answer) return tell(answer, options);
  const trouble = answerTrouble(answer, located, options.dryRun);
  if (trouble !== undefined) return tell(trouble, options, answer.body);
  if (options.json === true) printJson(answer.body);
  else process.stdout.write(promotedWords(answer.body, located, options.dryRun === true));
  return exitCodes.ok;
}

function tell({ problem, fix }: Trouble, { json }: PromoteOptions, body?: unknown): ExitCode {
  if (json === true) printJson({ ...(typeof body === 'object' ? body : {}), ok: false, problem, fix });
  return complain(`${problem}\n    fix: ${fix}`);
}

async function chosenLogin(
  { url, isTls }: Place,
  { user, passwordStdin }: PromoteOptions,
): Promise<StoredLogin | Trouble> {
  if (user !== undefined) {
    const password = await readCredential({ passwordStdin: passwordStdin === true });
    if (typeof password === 'string') return { kind: 'password', account: user, password };
    return { problem: password.problem, fix: 'pipe it in: … --user NAME --password-stdin < FILE' };
  }
  const stored = await readStoredLogin(process.env, url.host, isTls);
  if (!stored.ok) return stored;
  if (stored.login !== undefined) return stored.login;
  const fix = `docker login ${url.host} (or podman login), or --user NAME --password-stdin`;
  return { problem: `neither docker nor podman is logged in at ${url.host}`, fix };
}

/** The gateway's answer to the wish; an identity token is changed for an access token first. */
async function ask(place: Place, login: StoredLogin, options: PromoteOptions): Promise<GatewayAnswer | Trouble> {
  const authorization =
    login.kind === 'password'
      ? `Basic ${Buffer.from(`${login.account}:${login.password}`).toString('base64')}`
      : await accessToken(place, login.token);
  if (typeof authorization !== 'string') return authorization;
  const { reason, attachments, dryRun } = options;
  return askGateway(new URL('/api/v1/promotions', place.url), {
    verb: 'promote',
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ source: place.source, target: place.target, reason, attachments, dryRun }),
  });
}

const tokenMs = 30_000;

/** The value of an Authorization header, by the refresh grant of distribution's oauth.md. */
async function accessToken(place: Place, refreshToken: string): Promise<string | Trouble> {
  const { url, sourceRepository, targetRepository } = place;
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'portcullis',
    refresh_token: refreshToken,
    scope: `repository:${sourceRepository}:pull repository:${targetRepository}:promote`,
  });
  const answer = await askGateway(new URL('/token', url), {
    verb: 'promote',
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: form.toString(),
    timeoutMs: tokenMs,
  });
  if ('problem' in answer) return answer;
  const token = field(answer.body, 'access_token') ?? field(answer.body, 'token');
  if (answer.status === 200 && typeof token === 'string' && token !== '') return `Bearer ${token}`;
  return (
    answerTrouble({ ...answer, status: answer.status === 200 ? 502 : answer.status }, place) ?? unreadableToken(url)
  );
}

function unreadableToken({ host }: URL): Trouble {
  return { problem: `${host} answered without a token`, fix: `is ${host} a Portcullis?` };
}
