/** `portcullis try`: what a client does from login to refusal, request by request, against a running gateway. */
import { randomBytes } from 'node:crypto';
import { digestOf } from '../distribution/digest.ts';
import { field, parseJson } from '../distribution/json.ts';
import { type DemoExchange, type Surprise, type Visit, digestSurprise, firstError, openVisit } from './demo-visit.ts';
import { builtImage } from './builder.ts';
import type { Answer } from './request.ts';
import { type SampleImage, buildSampleImage } from './sample-image.ts';

export interface DemoOptions {
  /** Origin of the gateway, such as http://127.0.0.1:5050. */
  readonly url: string;
  readonly account: string;
  readonly password: string;
  readonly print: (line: string) => void;
  /** The robot that pushes an image to release; absent where the policies have no build servers. */
  readonly builder?: Login | undefined;
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

interface Place {
  readonly repository: string;
  readonly tag: string;
}

const shared: Place = { repository: 'sandbox/hello', tag: 'try' };
const { repository, tag } = shared;
const forbiddenRepository = 'release/hello';

/**
 * Runs the whole flow and checks every answer; stops at the first that is not as expected.
 * Leaves `sandbox/hello:try` and `integration/hello:build-1` in the registry. Neither the password nor a token is ever printed.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const origin = new URL(options.url).origin;
  const print = options.json ? (): void => undefined : options.print;
  const steps: DemoStep[] = [];
  // Filled by the first step, which fails unless it finds them.
  let service: TokenService = { realm: '', service: '' };
  const { account, password, builder } = options;
  const given = { login: { account, password }, image: buildSampleImage() };

  const plan: readonly Step[] = [
    [
      'Nobody gets in without credentials',
      async (walk) => {
        const found = await readChallenge(walk);
        if ('check' in found) return found;
        service = found;
        return undefined;
      },
    ],
    [`Login as ${account}`, logIn],
    [`Push ${repository}:${tag}`, (walk) => push(walk, shared)],
    [`Pull ${repository}:${tag} back`, pull],
    [`A push to ${forbiddenRepository}:${tag} is refused`, pushWhereForbidden],
    ['A wrong password is refused', logInWrongly],
    ...(builder === undefined ? [] : [pushAs(builder)]),
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
    const surprise = await run({ ...visit, ...given, service });
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

type Step = readonly [title: string, run: (walk: Walk) => Promise<Surprise | undefined>];

/** What a release begins with: it is no image of the person who looks on. */
function pushAs(login: Login): Step {
  const image = buildSampleImage('Hello from a build server.\n');
  const step = async (walk: Walk): Promise<Surprise | undefined> => {
    const surprise = await push({ ...walk, login, image }, builtImage);
    if (surprise === undefined)
      walk.note('a tester may approve it now, and a release manager promote what was approved');
    return surprise;
  };
  return [`The build server ${login.account} pushes ${builtImage.repository}:${builtImage.tag}`, step];
}

interface TokenService {
  readonly realm: string;
  readonly service: string;
}

interface Login {
  readonly account: string;
  readonly password: string;
}

/** One step's visit, with what all of them have in hand. */
interface Walk extends Visit {
  readonly service: TokenService;
  readonly login: Login;
  readonly image: SampleImage;
}

async function readChallenge({ origin, call, note }: Walk): Promise<TokenService | Surprise> {
  const check = `is ${origin} a Portcullis?`;
  const answer = await call('GET', '/v2/', { expected: 401, what: 'GET /v2/ without credentials', check });
  if ('check' in answer) return answer;
  const challenge = answer.headers['www-authenticate'] ?? '';
  const realm = /^Bearer .*?\brealm="([^"]*)"/i.exec(challenge)?.[1];
  const service = /\bservice="([^"]*)"/.exec(challenge)?.[1];
  if (realm === undefined || service === undefined || !URL.canParse(realm)) {
    const message = 'the 401 carries no Bearer challenge with realm and service';
    return { message, check: `is ${origin} a Portcullis, and not another registry?` };
  }
  note(`log in at ${realm} (service ${service})`);
  const place = new URL(realm).origin;
  if (place === origin) return { realm, service };
  return {
    message: `the realm is not at ${origin}, so the password is not sent there`,
    check: `publicUrl in the configuration, or run: portcullis try --url ${place}`,
  };
}

async function logIn(walk: Walk): Promise<Surprise | undefined> {
  const headers = await authorize(walk, undefined);
  if ('check' in headers) return headers;
  const check = 'the clocks and the signing keys of the gateway';
  const ping = await walk.call('GET', '/v2/', { headers, expected: 200, what: 'GET /v2/ with the token', check });
  if ('check' in ping) return ping;
  walk.note('the token opens /v2/: this is what docker login does');
  return undefined;
}

async function push(walk: Walk, place: Place): Promise<Surprise | undefined> {
  const { call, image, origin } = walk;
  const { repository, tag } = place;
  const headers = await authorize(walk, `repository:${repository}:pull,push`);
  if ('check' in headers) return headers;
  const check = mayOne(walk, 'push', place);
  for (const { digest, bytes } of image.blobs) {
    const uploads = `/v2/${repository}/blobs/uploads/`;
    const started = await call('POST', uploads, { headers, expected: 202, what: 'starting an upload', check });
    if ('check' in started) return started;
    const { location } = started.headers;
    if (location === undefined) {
      return { message: 'the upload has no Location', check: 'the registry behind the gateway' };
    }
    const target = new URL(location, origin);
    target.searchParams.set('digest', digest);
    const stored = await call('PUT', target.href, {
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: bytes,
      expected: 201,
      what: 'storing a blob',
      check: 'the log of the gateway and of the registry behind it',
    });
    if ('check' in stored) return stored;
  }
  const { mediaType, bytes, digest } = image.manifest;
  const tagged = await call('PUT', `/v2/${repository}/manifests/${tag}`, {
    headers: { ...headers, 'content-type': mediaType },
    body: bytes,
    expected: 201,
    what: 'storing the manifest',
    check,
  });
  if ('check' in tagged) return tagged;
  walk.note(`stored as ${digest}`);
  return digestSurprise(String(tagged.headers['docker-content-digest']), digest, 'the manifest that was stored');
}

async function pull(walk: Walk): Promise<Surprise | undefined> {
  const { call, image, note } = walk;
  const headers = await authorize(walk, `repository:${repository}:pull`);
  if ('check' in headers) return headers;
  const check = mayOne(walk, 'pull', shared);
  const manifest = await call('GET', `/v2/${repository}/manifests/${tag}`, {
    headers: { ...headers, accept: image.manifest.mediaType },
    expected: 200,
    what: 'reading the manifest',
    check,
  });
  if ('check' in manifest) return manifest;
  const other = digestSurprise(digestOf(manifest.body), image.manifest.digest, 'the manifest that came back');
  if (other !== undefined) return other;
  const { 'ratelimit-limit': limit, 'ratelimit-remaining': left } = manifest.headers;
  if (limit !== undefined && left !== undefined) {
    note(`a limit counts this: RateLimit-Limit ${String(limit)}, RateLimit-Remaining ${String(left)}`);
  }
  for (const { digest } of image.blobs) {
    const target = `/v2/${repository}/blobs/${digest}`;
    const blob = await call('GET', target, { headers, expected: 200, what: 'reading a blob', check });
    if ('check' in blob) return blob;
    const changed = digestSurprise(digestOf(blob.body), digest, 'the blob that came back');
    if (changed !== undefined) return changed;
  }
  note('every byte came back: the digests are the same');
  return undefined;
}

function mayOne({ login: { account } }: Walk, action: 'push' | 'pull', { repository, tag }: Place): string {
  return `may ${account} ${action} here? portcullis explain user:${account} ${action} ${repository}:${tag}`;
}

async function pushWhereForbidden(walk: Walk): Promise<Surprise | undefined> {
  const { call, login, note, origin } = walk;
  const headers = await authorize(walk, `repository:${forbiddenRepository}:pull,push`);
  if ('check' in headers) return headers;
  const answer = await call('POST', `/v2/${forbiddenRepository}/blobs/uploads/`, {
    headers,
    expected: 403,
    what: 'a push that only release managers may do',
    check: `do the policies allow it? portcullis explain user:${login.account} push ${forbiddenRepository}:${tag}`,
  });
  if ('check' in answer) {
    const { location } = answer.answer?.headers ?? {};
    if (location !== undefined) {
      const cancelled = {
        headers,
        expected: 204,
        what: 'cancelling the upload',
        check: 'the registry behind the gateway',
      };
      await call('DELETE', new URL(location, origin).href, cancelled);
    }
    return answer;
  }
  const problem = firstError(answer.body);
  if (problem?.code !== 'DENIED' || problem.message === '') {
    const message = 'the 403 gives no DENIED error with a reason';
    return { message, check: 'is something between here and the gateway?' };
  }
  note(`denied: ${problem.message}`);
  return undefined;
}

async function logInWrongly(walk: Walk): Promise<Surprise | undefined> {
  const password = `not-the-password-${randomBytes(6).toString('hex')}`;
  const login = { account: walk.login.account, password };
  const wanted = { expected: 401, what: 'a login with a wrong password', check: 'the users in the policy files' };
  const answer = await requestToken({ ...walk, login }, undefined, wanted);
  if ('check' in answer) return answer;
  const message = firstError(answer.body)?.message;
  if (message !== undefined) walk.note(`unauthorized: ${message}`);
  return undefined;
}

/** Headers with a token for one scope. */
async function authorize(walk: Walk, scope: string | undefined): Promise<{ authorization: string } | Surprise> {
  const what = `asking for a token as ${walk.login.account}`;
  const answer = await requestToken(walk, scope, { expected: 200, what, check: 'the account and its password' });
  if ('check' in answer) return answer;
  const token = field(parseJson(answer.body), 'token');
  if (typeof token === 'string' && token !== '') return { authorization: `Bearer ${token}` };
  const message = 'the token service answered without a token';
  return { message, check: 'is something between here and the gateway?' };
}

/** The Docker token API: GET with Basic credentials, one scope at a time. */
function requestToken(
  { call, service: { realm, service }, login: { account, password } }: Walk,
  scope: string | undefined,
  wanted: { readonly expected: number; readonly what: string; readonly check: string },
): Promise<Answer | Surprise> {
  const target = new URL(realm);
  target.searchParams.set('service', service);
  if (scope !== undefined) target.searchParams.set('scope', scope);
  target.searchParams.set('account', account);
  const basic = Buffer.from(`${account}:${password}`).toString('base64');
  return call('GET', target.href, { ...wanted, headers: { authorization: `Basic ${basic}` } });
}

/** Long digests and upload states say nothing to a reader. */
function abbreviate(target: string): string {
  return target
    .replace(/(sha256(?::|%3A)[0-9a-f]{8})[0-9a-f]{56}/gi, '$1…')
    .replace(/(_(?:state|portcullis)=.{6})[^&]+/, '$1…');
}
