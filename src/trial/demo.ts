/** `portcullis try`: what a client does from login to refusal, request by request, against a running gateway. */
import { randomBytes } from 'node:crypto';
import {
  type Answer,
  type DemoExchange,
  Surprise,
  type Visit,
  expectDigest,
  expectStatus,
  field,
  firstError,
  openVisit,
  parseJson,
} from './demo-visit.ts';
import { buildSampleImage, sha256Digest, type Content } from './sample-image.ts';

export interface DemoOptions {
  /** Origin of the gateway, such as http://127.0.0.1:5050. */
  readonly url: string;
  readonly account: string;
  readonly password: string;
  readonly print: (line: string) => void;
  /** Prints one JSON document at the end instead of lines as it goes. */
  readonly json: boolean;
}

export interface DemoStep {
  readonly number: number;
  readonly title: string;
  readonly ok: boolean;
  readonly exchanges: readonly DemoExchange[];
  /** What was seen, one sentence a line; after a failure what was expected and what to check. */
  readonly notes: readonly string[];
}

export interface DemoResult {
  readonly ok: boolean;
  /** Ends with the step that failed, if one did. */
  readonly steps: readonly DemoStep[];
}

const repository = 'sandbox/hello';
const forbiddenRepository = 'release/hello';
const tag = 'try';

/**
 * Runs the whole flow and checks every answer; stops at the first that is not as expected.
 * Leaves `sandbox/hello:try` in the registry. Neither the password nor a token is ever printed.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const origin = new URL(options.url).origin;
  const print = options.json ? (): void => undefined : options.print;
  const steps: DemoStep[] = [];
  const image = buildSampleImage();
  const login = { account: options.account, password: options.password };
  // Filled by the first step, which fails unless it finds them.
  let tokenService: TokenService = { realm: '', service: '' };

  const plan: readonly (readonly [title: string, run: (visit: Visit) => Promise<void>])[] = [
    [
      'Nobody gets in without credentials',
      async (visit) => {
        tokenService = await readChallenge(visit, origin);
      },
    ],
    [`Login as ${login.account}`, (visit) => logIn(visit, tokenService, login)],
    [`Push ${repository}:${tag}`, (visit) => push(visit, tokenService, login, image)],
    [`Pull ${repository}:${tag} back`, (visit) => pull(visit, tokenService, login, image)],
    [`A push to ${forbiddenRepository}:${tag} is refused`, (visit) => pushWhereForbidden(visit, tokenService, login)],
    ['A wrong password is refused', (visit) => logInWrongly(visit, tokenService, login.account)],
  ];
  for (const [index, [title, run]] of plan.entries()) {
    print(`${index + 1}. ${title}`);
    const exchanges: DemoExchange[] = [];
    const notes: string[] = [];
    const note = (text: string): void => {
      // Some of it was written by whatever answers at the address: no terminal control sequences.
      const line = text.replace(/\p{Cc}/gu, '?');
      notes.push(line);
      print(`   ${line}`);
    };
    const visit = openVisit(origin, note, (exchange) => {
      exchanges.push(exchange);
      print(`   ${exchange.method.padEnd(5)} ${abbreviate(exchange.target)}  ${exchange.status}`);
    });
    const surprise = await run(visit).then(() => undefined, asSurprise);
    if (surprise !== undefined) {
      note(`NOT AS EXPECTED: ${surprise.message}`);
      note(`Check: ${surprise.check}`);
    }
    steps.push({ number: index + 1, title, ok: surprise === undefined, exchanges, notes });
    if (surprise !== undefined) break;
  }
  const ok = steps.every((step) => step.ok) && steps.length === plan.length;
  print(ok ? `All ${plan.length} steps went as they should.` : `Stopped at step ${steps.length} of ${plan.length}.`);
  if (options.json) options.print(JSON.stringify({ ok, steps }));
  return { ok, steps };
}

function asSurprise(error: unknown): Surprise {
  if (error instanceof Surprise) return error;
  throw error;
}

interface TokenService {
  readonly realm: string;
  readonly service: string;
}

interface Login {
  readonly account: string;
  readonly password: string;
}

async function readChallenge(visit: Visit, origin: string): Promise<TokenService> {
  const answer = expectStatus(
    await visit.call('GET', '/v2/'),
    [401],
    'GET /v2/ without credentials',
    `is ${origin} a Portcullis?`,
  );
  const challenge = answer.headers['www-authenticate'] ?? '';
  const realm = /^Bearer .*?\brealm="([^"]*)"/i.exec(challenge)?.[1];
  const service = /\bservice="([^"]*)"/.exec(challenge)?.[1];
  if (realm === undefined || service === undefined || !URL.canParse(realm)) {
    throw new Surprise(
      'the 401 carries no Bearer challenge with realm and service',
      `is ${origin} a Portcullis, and not another registry?`,
    );
  }
  visit.note(`log in at ${realm} (service ${service})`);
  if (new URL(realm).origin !== origin) {
    throw new Surprise(
      `the realm is not at ${origin}, so the password is not sent there`,
      `publicUrl in the configuration, or run: portcullis try --url ${new URL(realm).origin}`,
    );
  }
  return { realm, service };
}

async function logIn(visit: Visit, tokenService: TokenService, login: Login): Promise<void> {
  const token = await fetchToken(visit, tokenService, login, undefined);
  const ping = await visit.call('GET', '/v2/', { headers: { authorization: `Bearer ${token}` } });
  expectStatus(ping, [200], 'GET /v2/ with the token', 'the clocks and the signing keys of the gateway');
  visit.note('the token opens /v2/: this is what docker login does');
}

async function push(
  visit: Visit,
  tokenService: TokenService,
  login: Login,
  image: { readonly blobs: readonly Content[]; readonly manifest: Content },
): Promise<void> {
  const scope = `repository:${repository}:pull,push`;
  const authorization = `Bearer ${await fetchToken(visit, tokenService, login, scope)}`;
  const mayPush = `may ${login.account} push here? portcullis explain user:${login.account} push ${repository}:${tag}`;
  for (const blob of image.blobs) {
    const started = await visit.call('POST', `/v2/${repository}/blobs/uploads/`, { headers: { authorization } });
    expectStatus(started, [202], 'starting an upload', mayPush);
    const location = started.headers.location;
    if (location === undefined) throw new Surprise('the upload has no Location', 'the registry behind the gateway');
    const target = new URL(location, visit.origin);
    target.searchParams.set('digest', blob.digest);
    const stored = await visit.call('PUT', target.href, {
      headers: { authorization, 'content-type': 'application/octet-stream' },
      body: blob.bytes,
    });
    expectStatus(stored, [201], 'storing a blob', 'the log of the gateway and of the registry behind it');
  }
  const tagged = await visit.call('PUT', `/v2/${repository}/manifests/${tag}`, {
    headers: { authorization, 'content-type': image.manifest.mediaType },
    body: image.manifest.bytes,
  });
  expectStatus(tagged, [201], 'storing the manifest', mayPush);
  expectDigest(String(tagged.headers['docker-content-digest']), image.manifest.digest, 'the manifest that was stored');
  visit.note(`stored as ${image.manifest.digest}`);
}

async function pull(
  visit: Visit,
  tokenService: TokenService,
  login: Login,
  image: { readonly blobs: readonly Content[]; readonly manifest: Content },
): Promise<void> {
  const authorization = `Bearer ${await fetchToken(visit, tokenService, login, `repository:${repository}:pull`)}`;
  const mayPull = `may ${login.account} pull here? portcullis explain user:${login.account} pull ${repository}:${tag}`;
  const manifest = await visit.call('GET', `/v2/${repository}/manifests/${tag}`, {
    headers: { authorization, accept: image.manifest.mediaType },
  });
  expectStatus(manifest, [200], 'reading the manifest', mayPull);
  expectDigest(sha256Digest(manifest.body), image.manifest.digest, 'the manifest that came back');
  const { 'ratelimit-limit': limit, 'ratelimit-remaining': left } = manifest.headers;
  if (limit !== undefined && left !== undefined) {
    visit.note(`a limit counts this: RateLimit-Limit ${String(limit)}, RateLimit-Remaining ${String(left)}`);
  }
  for (const blob of image.blobs) {
    const answer = await visit.call('GET', `/v2/${repository}/blobs/${blob.digest}`, { headers: { authorization } });
    expectStatus(answer, [200], 'reading a blob', mayPull);
    expectDigest(sha256Digest(answer.body), blob.digest, 'the blob that came back');
  }
  visit.note('every byte came back: the digests are the same');
}

async function pushWhereForbidden(visit: Visit, tokenService: TokenService, login: Login): Promise<void> {
  const scope = `repository:${forbiddenRepository}:pull,push`;
  const authorization = `Bearer ${await fetchToken(visit, tokenService, login, scope)}`;
  const answer = await visit.call('POST', `/v2/${forbiddenRepository}/blobs/uploads/`, { headers: { authorization } });
  const explain = `portcullis explain user:${login.account} push ${forbiddenRepository}:${tag}`;
  if (answer.status === 202 && answer.headers.location !== undefined) {
    const abandoned = new URL(answer.headers.location, visit.origin).href;
    await visit.call('DELETE', abandoned, { headers: { authorization } });
  }
  expectStatus(answer, [403], 'a push that only release managers may do', `do the policies allow it? ${explain}`);
  const problem = firstError(answer.body);
  if (problem?.code !== 'DENIED' || problem.message === '') {
    throw new Surprise('the 403 gives no DENIED error with a reason', 'is something between here and the gateway?');
  }
  visit.note(`denied: ${problem.message}`);
}

async function logInWrongly(visit: Visit, tokenService: TokenService, account: string): Promise<void> {
  const password = `not-the-password-${randomBytes(6).toString('hex')}`;
  const answer = await requestToken(visit, tokenService, { account, password }, undefined);
  expectStatus(answer, [401], 'a login with a wrong password', 'the users in the policy files');
  const message = firstError(answer.body)?.message;
  if (message !== undefined) visit.note(`unauthorized: ${message}`);
}

async function fetchToken(
  visit: Visit,
  tokenService: TokenService,
  login: Login,
  scope: string | undefined,
): Promise<string> {
  const answer = await requestToken(visit, tokenService, login, scope);
  expectStatus(answer, [200], `asking for a token as ${login.account}`, 'the account and its password');
  const token = field(parseJson(answer.body), 'token');
  if (typeof token === 'string' && token !== '') return token;
  throw new Surprise('the token service answered without a token', 'is something between here and the gateway?');
}

/** The Docker token API: GET with Basic credentials, one scope at a time. */
function requestToken(
  visit: Visit,
  { realm, service }: TokenService,
  { account, password }: Login,
  scope: string | undefined,
): Promise<Answer> {
  const target = new URL(realm);
  target.searchParams.set('service', service);
  if (scope !== undefined) target.searchParams.set('scope', scope);
  target.searchParams.set('account', account);
  const basic = Buffer.from(`${account}:${password}`).toString('base64');
  return visit.call('GET', target.href, { headers: { authorization: `Basic ${basic}` } });
}

/** Long digests and upload states say nothing to a reader. */
function abbreviate(target: string): string {
  return target.replace(/(sha256(?::|%3A)[0-9a-f]{8})[0-9a-f]{56}/gi, '$1…').replace(/(_state=.{6})[^&]*/, '$1…');
}
