/** The way of clients: the name, what stands in between, and whose addresses are believed. */
import { field, parseJson } from '../distribution/json.ts';
import { isLoopback } from '../network/host.ts';
import { inNetworks } from '../policy/conditions.ts';
import { type Check, type Outcome, fail, ok, skip, warn } from './check.ts';
import { type Context, isFailure } from './context.ts';
import type { WebAnswer } from '../ports/doctor.ts';

/** What is sent to see whether it comes through: more than proxies take that were not told of images. */
const pouredBytes = 20 * 1024 * 1024;

const publicUrlOf = ({ config }: Context): readonly string[] => [config.publicUrl];

export const frontChecks: readonly Check[] = [
  { number: 7, name: 'publicUrl', asks: publicUrlOf, run: judgeFront },
  { number: 8, name: 'proxy: request bodies', asks: publicUrlOf, run: judgeProxy },
  { number: 9, name: 'proxy: client addresses', asks: publicUrlOf, run: judgeForwarded },
];

/** Why what is asked through `publicUrl` cannot be judged; undefined: the gateway answers there. */
export async function unanswered(context: Context): Promise<Outcome | undefined> {
  const answer = await context.front();
  if (!isFailure(answer) && isOurs(context, answer)) return undefined;
  return skip(`publicUrl does not lead to this gateway: see 7`);
}

/** The realm of a Bearer challenge. */
export function realmOf(answer: WebAnswer): string | undefined {
  return /^Bearer .*?realm="([^"]*)"/i.exec(answer.headers['www-authenticate'] ?? '')?.[1];
}

function isOurs({ config }: Context, answer: WebAnswer): boolean {
  if (config.enforce === 'token') return answer.status === 200 && answer.body.includes('"keys"');
  return answer.status === 401 && realmOf(answer) === `${config.publicUrl}/token`;
}

async function judgeFront(context: Context): Promise<Outcome> {
  const { publicUrl, enforce, listen } = context.config;
  const { hostname } = new URL(publicUrl);
  const addresses = await context.web.resolve(hostname.replace(/^\[|\]$/g, ''));
  if (isFailure(addresses))
    return fail(`there is no host ${hostname}: ${addresses.failed}`, 'correct publicUrl, or make the name known');
  const answer = await context.front();
  if (isFailure(answer)) {
    const fix = `start the gateway, and lead ${publicUrl} to its port ${listen.port}`;
    return fail(`nothing answers at ${publicUrl}: ${answer.failed}`, fix);
  }
  const { status, headers } = answer;
  if (status >= 300 && status < 400) {
    const fix = `set publicUrl to where it leads, ${headers['location'] ?? 'which it does not say'}, or take the redirect out`;
    return fail(`${publicUrl} redirects; clients lose their credentials on the way`, fix);
  }
  if (isOurs(context, answer)) {
    const isKept = enforce === 'token' || headers['docker-distribution-api-version'] === 'registry/2.0';
    if (!isKept)
      return fail('the proxy takes Docker-Distribution-Api-Version away', 'let it pass the headers of answers');
    return (await judgeTokenPath(context)) ?? ok(`${publicUrl} (${addresses.join(', ')}) answers with our challenge`);
  }
  const realm = realmOf(answer);
  if (realm !== undefined)
    return fail(
      `${publicUrl} names ${realm} for logins`,
      `set publicUrl of that gateway to ${publicUrl}, or correct it here`,
    );
  const what = status === 200 ? 'answers without asking who you are: that is no gateway' : `answers ${status}`;
  return fail(`${publicUrl}/v2/ ${what}`, `lead ${publicUrl} to port ${listen.port} of this gateway`);
}

/** A proxy may lead some paths here and others elsewhere; undefined: the one for logins comes here. */
async function judgeTokenPath({ config, web }: Context): Promise<Outcome | undefined> {
  const url = `${config.publicUrl}/token`;
  const asked = new URLSearchParams({ service: config.tokens.service });
  const answer = await web.ask(`${url}?${asked.toString()}`, { believesAnybody: true });
  const body = isFailure(answer) ? undefined : parseJson(answer.body);
  if (field(body, 'token') !== undefined || field(body, 'errors') !== undefined) return undefined;
  const found = isFailure(answer)
    ? `does not answer: ${answer.failed}`
    : `answers ${answer.status}, and not by this gateway`;
  return fail(
    `${url} ${found}: nobody can log in`,
    `lead every path of ${config.publicUrl} to port ${config.listen.port}`,
  );
}

/** A push without credentials into a repository that nobody has: our refusal is the sign that it came through. */
async function judgeProxy(context: Context): Promise<Outcome> {
  const { config, web } = context;
  if (config.enforce === 'token') return skip('enforce: token: no content comes through this gateway');
  const not = await unanswered(context);
  if (not !== undefined) return not;
  const url = `${config.publicUrl}/v2/portcullis-doctor/blobs/uploads/0?digest=sha256:${'0'.repeat(64)}`;
  const [declared, chunked] = await Promise.all([
    web.pour(url, { bytes: pouredBytes, isDeclared: true }),
    web.pour(url, { bytes: pouredBytes, isDeclared: false }),
  ]);
  for (const answer of [declared, chunked]) {
    if (isFailure(answer)) continue;
    if (answer.status === 413)
      return fail('a proxy refuses large bodies (413)', 'let it take any size; nginx: client_max_body_size 0');
    if (answer.status === 411)
      return fail(
        'a proxy wants the length of bodies (411)',
        'let it pass chunked requests; nginx: proxy_http_version 1.1',
      );
    if (!isOurs(context, answer))
      return fail(`a push is answered ${answer.status}, and not by this gateway`, 'let the proxy pass PUT below /v2/');
  }
  if (isFailure(chunked) && isFailure(declared))
    return fail(`a push of 20 MB does not come through: ${chunked.failed}`, 'let the proxy take any size, in any time');
  if (!isFailure(chunked) && !chunked.isEarly) {
    const fix = 'pass bodies on as they come; nginx: proxy_request_buffering off';
    return warn('a proxy keeps whole pushes before it passes them on', fix);
  }
  return ok('20 MB, with and without a length, reach this gateway as they come');
}

/** Reserved for documentation (RFC 5737): nobody has it. */
const forged = '203.0.113.77';

/** Nobody else comes from it: a proxy on this machine has 127.0.0.1. */
const ownLoopback = '127.77.0.1';

/** Where `publicUrl` leads to loopback, from an address that tells doctor from a proxy here, if the system has such. */
async function askForged({ config, web }: Context, headers: Readonly<Record<string, string>>) {
  const url = `${config.publicUrl}/v2/`;
  const addresses = await web.resolve(new URL(url).hostname.replace(/^\[|\]$/g, ''));
  const isHere = !isFailure(addresses) && addresses.some((address) => address.startsWith('127.'));
  const answer = isHere ? await web.ask(url, { headers, believesAnybody: true, from: ownLoopback }) : undefined;
  return answer === undefined || isFailure(answer) ? web.ask(url, { headers, believesAnybody: true }) : answer;
}

async function judgeForwarded(context: Context): Promise<Outcome> {
  const { config, gateway, machine } = context;
  if (inNetworks(config.trustedProxies, forged)) {
    const fix = 'name in trustedProxies the addresses of your proxies, and nothing else';
    return fail('trustedProxies has addresses of strangers, who can say what address they come from', fix);
  }
  const not = await unanswered(context);
  if (not !== undefined) return not;
  const name = `portcullis-doctor/${context.now()}.${process.pid}`;
  const answer = await askForged(context, { 'user-agent': name, 'x-forwarded-for': forged });
  if (isFailure(answer)) return skip(`publicUrl did not answer: ${answer.failed}`);
  const records = await gateway.records();
  if (isFailure(records)) return skip(`how it counts addresses, the gateway says here only: ${records.failed}`);
  const seen = records.find(({ userAgent }) => userAgent === name)?.address;
  if (seen === undefined) return skip('another replica was asked, whose records are not here');
  const { localAddress = '' } = answer;
  const isTrusted = inNetworks(config.trustedProxies, localAddress);
  if (seen === forged && !isTrusted) {
    const fix = 'let the proxy append the address of its client to X-Forwarded-For, or overwrite it';
    return fail('a client can say what address it comes from: the proxy passes its X-Forwarded-For on', fix);
  }
  const isOfProxy = isLoopback(seen) && seen !== localAddress;
  if (seen === forged || seen === localAddress || (machine.addresses().includes(seen) && !isOfProxy))
    return ok(`a request from here counts as from ${seen === forged ? localAddress : seen}`);
  const found = `all clients behind ${seen} count as one: it is the other end here, and no proxy that is trusted`;
  const fix = `if ${seen} is your proxy: trustedProxies: [${seen}]`;
  return isLoopback(seen) ? fail(found, fix) : warn(found, fix);
}
