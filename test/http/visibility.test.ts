/**
 * What `GET` on `/v2` refuses somebody is named to them nowhere: random policies, viewers of every kind and repositories, each
 * with words of its own, asked of a whole gateway through every operation of `/api/v1` and every page, by names that are
 * hidden as well. What is hidden is answered as what is not there is, and asks the registry as much: nothing.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { operations } from '../../src/gateway/page.ts';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { withoutIds } from '../support/error-body.ts';
import { World, imageOf, layerOf } from '../support/image-world.ts';
import { type Issuer, type SigningKey, makeSigningKey, signToken, startIssuer } from '../support/issuer.ts';
import { quickHash } from '../support/policies.ts';
import { numbers } from '../support/shelf.ts';
import { sized } from '../support/size.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { type Seen, Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, service, startFront } from './support/front.ts';

const policies = sized(50, 1);
const folders = ['alpha', 'alpha/deep', 'beta', 'gamma'];
const patterns = ['**', 'alpha/**', 'alpha/deep/**', 'beta/*', 'gamma/**'];
/** Of each kind so many are asked for by name. */
const asked = sized(4, 1);

interface Stocked {
  readonly name: string;
  readonly tag: string;
  readonly digest: string;
  /** What only it has: of its name, its tag and its image. */
  readonly words: readonly string[];
}

const world = new World();
const stock: readonly Stocked[] = Array.from({ length: sized(200, 12) }, (_, number) => {
  const word = (kind: string): string => `${kind}q${number.toString(36).padStart(3, '0')}z`;
  const name = `${folders[number % folders.length] ?? ''}/${word('repo')}`;
  const tag = `v${word('tag')}`;
  const labels = { note: word('label') };
  const digest = world.put(name, imageOf([layerOf(name)], { config: { config: { Labels: labels } } }), tag);
  return { name, tag, digest, words: [word('repo'), word('tag'), word('label'), digest.slice(7)] };
});

const ownerOf = new Map(stock.flatMap((each) => each.words.map((word) => [word, each] as const)));
/** Whatever may be one of these words. */
const anyWord = /(?:repo|tag|label)q[0-9a-z]{3}z|[0-9a-f]{64}/g;

let registry: StandIn;
let issuer: Issuer;
let key: SigningKey;
let front: Front;
let hash: string;
const robot = makeSecret('robot').text;
const narrow = makeSecret('robot').text;

beforeAll(async () => {
  const realNow = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => realNow() + skewMs);
  const names = stock.map(({ name }) => name).sort();
  registry = await startStandIn((request, response) =>
    request.url?.startsWith('/v2/_catalog') === true
      ? void response.end(JSON.stringify({ repositories: names }))
      : world.answer(request, response),
  );
  key = await makeSigningKey('first');
  issuer = await startIssuer([key]);
  hash = await quickHash('correct horse');
  front = await startFront({
    rules: 'rules: []',
    upstream: registry.url,
    env: { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1' },
  });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await front.close();
  await issuer.close();
  await registry.close();
  expect(front.errors).toEqual([]);
});

interface Viewer {
  readonly kind: string;
  /** Undefined: by no header. */
  readonly authorization: string | undefined;
  /** A browser, where there can be one. */
  readonly visitor: Visitor | undefined;
}

/** Names of their own for each policy, since activity and limits outlive a policy. */
function policyText(seed: number, random: (below: number) => number): string {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const subjects = ['user:ada', 'user:dan', 'user:tom', 'robot:bot', 'workload:job', 'group:team', 'everyone'];
  const rules = Array.from({ length: 4 + random(6) }, (_, number) => {
    const named = pick([...subjects, 'authenticated', 'anonymous']).replace(
      /(?<=user:|robot:|workload:).+/,
      `$&${seed}`,
    );
    const effect = random(3) === 0 ? ', effect: deny' : '';
    const actions = pick(['[pull]', '[pull, push]', '[push]', '[pull, delete]', '[catalog, pull]', '[pull, promote]']);
    const only = random(4) === 0 ? stock[random(stock.length)]?.name : undefined;
    // A rule about one repository is somebody else's, or forbids.
    const subject = only === undefined || effect !== '' ? named : `user:eve${seed}`;
    return `  - { name: r${number}, subjects: ["${subject}"], repositories: ["${only ?? pick(patterns)}"], actions: ${actions}${effect} }`;
  });
  return `
users:
  ada${seed}: { password: "${hash}", groups: [team] }
  dan${seed}: { password: "${hash}", groups: [team] }
  tom${seed}: { password: "${hash}" }
  ivy${seed}: { password: "${hash}" }
  eve${seed}: { password: "${hash}" }
robots:
  bot${seed}:
    groups: [team]
    tokens: [{ id: wide0000, sha256: ${secretHash(robot)} }, { id: narrow00, sha256: ${secretHash(narrow)}, repositories: ["alpha/**"], actions: [pull] }]
workloads:
  job${seed}: { issuer: ${issuer.url}, audience: ${service}, ca: ${issuer.ca}, claims: { job: "${seed}" }, groups: [team] }
groups: { team: }
rules:
  - { name: ivy-inspects, subjects: ["user:ivy${seed}"], repositories: ["${pick(patterns.slice(1))}"], actions: [inspect] }
  - { name: eve-does-all, subjects: ["user:eve${seed}"], repositories: ["**"], actions: [pull, push, delete, overwrite, promote, catalog] }
${seed % 2 === 1 ? '  - { name: deep, subjects: [authenticated], repositories: ["alpha/deep/**"], actions: [pull] }' : ''}
${rules.join('\n')}
`;
}

const basic = (name: string, secret: string): string => `Basic ${credentials(name, secret)}`;

async function viewersOf(seed: number): Promise<readonly Viewer[]> {
  const person = async (name: string): Promise<Viewer> => {
    const visitor = new Visitor(front.url);
    expect((await visitor.logIn(`${name}${seed}`, 'correct horse')).status).toBe(303);
    return { kind: name, authorization: basic(`${name}${seed}`, 'correct horse'), visitor };
  };
  const now = Math.floor(Date.now() / 1000);
  const idToken = await signToken(key, {
    ...{ iss: issuer.url, aud: service, sub: `job ${seed}`, job: String(seed), iat: now, exp: now + 600 },
  });
  const made = await fetch(`${front.url}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: basic(`dan${seed}`, 'correct horse'), 'content-type': 'application/json' },
    body: JSON.stringify({ label: 'narrow', repositories: ['beta/**', 'alpha/**'], actions: ['pull', 'inspect'] }),
  });
  expect(made.status).toBe(200);
  const { secret } = (await made.json()) as { readonly secret: string };
  const [first, second] = stock;
  const scope = `scope=repository:${first?.name}:pull&scope=repository:${second?.name}:pull,inspect`;
  const token = await fetch(`${front.url}/token?service=${service}&${scope}`, {
    headers: { authorization: basic(`ada${seed}`, 'correct horse') },
  });
  const bearer = ((await token.json()) as { readonly token: string }).token;
  return [
    ...(await Promise.all(['ada', 'dan', 'tom', 'ivy'].map(person))),
    { kind: 'nobody', authorization: undefined, visitor: new Visitor(front.url) },
    { kind: 'robot', authorization: basic(`bot${seed}`, robot), visitor: undefined },
    { kind: 'narrow robot', authorization: basic(`bot${seed}`, narrow), visitor: undefined },
    { kind: 'own token', authorization: basic(`dan${seed}`, secret), visitor: undefined },
    { kind: 'bearer', authorization: `Bearer ${bearer}`, visitor: undefined },
    { kind: 'workload', authorization: basic(`job${seed}`, idToken), visitor: undefined },
  ];
}

/** Time that budgets of requests have had beside the real one. */
let skewMs = 0;
let requests = 0;
let compared = 0;
/** Images that are elsewhere as well since somebody promoted them. */
const promoted = new Set<string>();
/** Each comes from another network: whoever has no account has a budget of pages for each. */
function from(): Readonly<Record<string, string>> {
  requests++;
  skewMs += 2000;
  return { 'x-forwarded-for': `10.${(requests >> 16) & 255}.${(requests >> 8) & 255}.${requests & 255}` };
}

function get({ authorization }: Viewer, path: string): Promise<Seen> {
  return ask(front.url, path, { headers: { ...from(), ...(authorization === undefined ? {} : { authorization }) } });
}

/** Places where a long name may break are no part of it. */
const look = async ({ visitor }: Viewer, path: string): Promise<Seen | undefined> => {
  const seen = await visitor?.get(path, from());
  return seen && { ...seen, body: seen.body.replaceAll('<wbr/>', '') };
};

/** Of the table of operations: no operation is forgotten. */
const apiPaths = operations
  .filter(({ method }) => method === 'GET')
  .map(({ path }) => `/api/v1${path.replace('{id}', 'none')}`);
const pagePaths = [
  '/ui/',
  '/ui/access',
  '/ui/me',
  '/ui/activity',
  '/ui/policy',
  '/ui/limits',
  '/ui/accounts',
  '/ui/health',
  '/ui/device',
];

/** Everything that takes a name of a repository, for this one. */
function apiAbout({ name, tag, digest }: Pick<Stocked, 'name' | 'tag' | 'digest'>): readonly string[] {
  const query = new URLSearchParams({ repository: name }).toString();
  return [
    ...['', '&order=size', '&q=v*'].map((more) => `/api/v1/tags?${query}${more}`),
    ...[tag, digest, 'none'].map((reference) => `/api/v1/image?${query}&reference=${encodeURIComponent(reference)}`),
    ...[`/api/v1/delete?${query}&tag=${tag}`, `/api/v1/promotions?${query}`, `/api/v1/activity?${query}`],
    ...['pull', 'delete'].map((action) => `/api/v1/explain?${query}&action=${action}&tag=${tag}`),
    ...[`/api/v1/access?${query}`, `/api/v1/access?${query}&as=group:team&action=pull`],
    ...[`/api/v1/repositories?under=${name}`, `/api/v1/repositories?q=${name}`, `/api/v1/repositories?after=${name}`],
  ];
}

function pagesAbout({ name, tag }: Pick<Stocked, 'name' | 'tag'>): readonly string[] {
  const query = new URLSearchParams({ repository: name }).toString();
  return [
    ...[`/ui/r/${name}`, `/ui/r/${name}?tag=${tag}`, `/ui/delete?${query}&tag=${tag}`],
    ...[`/ui/access?${query}&action=pull`, `/ui/activity?${query}`, `/ui/?q=${name}`],
  ];
}

function textOf({ headers, body }: Seen): string {
  return `${JSON.stringify(headers)}\n${body}`;
}

/** Clients without an account come with a token for everybody. */
async function getAsNobody(name: string, path: string): Promise<Seen> {
  const token = await front.token('', `repository:${name}:pull`);
  return ask(front.url, path, { headers: { ...from(), authorization: `Bearer ${token}` } });
}

/** Repositories that `GET` on `/v2` lets the viewer see. */
async function seenBy(viewer: Viewer): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  for (const { name, tag } of stock) {
    const path = `/v2/${name}/manifests/${tag}`;
    const { status } = viewer.kind === 'nobody' ? await getAsNobody(name, path) : await get(viewer, path);
    expect([200, 401, 403], `${viewer.kind} ${name}`).toContain(status);
    if (status === 200) seen.add(name);
  }
  return seen;
}

interface Answered {
  readonly path: string;
  readonly about: string | undefined;
  readonly text: string;
}

/** Before the oracle asks: what one asked for oneself is in one's own activity. */
async function sweep(viewer: Viewer, random: (below: number) => number): Promise<readonly Answered[]> {
  const all: Answered[] = [];
  const add = async (path: string, seen: Promise<Seen | undefined>, about?: string): Promise<void> => {
    const answer = await seen;
    if (answer !== undefined) all.push({ path, about, text: textOf(answer) });
    expect(answer?.status, path).not.toBe(429);
    expect(answer?.status ?? 0, path).toBeLessThan(500);
  };
  for (const path of apiPaths) await add(path, get(viewer, path));
  for (const path of ['order=name', 'under=alpha', 'q=*z', 'q=repo'].map((query) => `/api/v1/repositories?${query}`))
    await add(path, get(viewer, path));
  for (const path of pagePaths) await add(path, look(viewer, path));
  for (let time = 0; time < 2 * asked; time++) {
    const one = stock[random(stock.length)] as Stocked;
    for (const path of apiAbout(one)) await add(path, get(viewer, path), one.name);
    if (time < asked) for (const path of pagesAbout(one)) await add(path, look(viewer, path), one.name);
  }
  return all;
}

test(`of ${policies} policies nothing hidden is named to anybody, in any answer`, async () => {
  let [shown, hidden] = [0, 0];
  for (let seed = 1; seed <= policies; seed++) {
    const random = numbers(`policy ${seed}`);
    await front.setPolicy(policyText(seed, random));
    expect(front.gateway.policy().compiled.policy.users.has(`ada${seed}`)).toBe(true);
    const viewers = await viewersOf(seed);
    await actAs(seed, random);
    for (const viewer of viewers) {
      const inspected = viewer.kind === 'ivy' ? inspectedBy(seed) : () => false;
      const answers = await sweep(viewer, random);
      await expectAlike(viewer, inspected);
      const seen = await seenBy(viewer);
      shown += seen.size;
      hidden += stock.length - seen.size;
      for (const { path, about, text } of answers)
        for (const word of new Set(text.match(anyWord))) {
          const owner = ownerOf.get(word);
          if (owner === undefined || seen.has(owner.name) || inspected(owner.name) || promoted.has(word)) continue;
          // What was asked for may be repeated, and nothing else of it.
          if (about === owner.name && path.includes(word)) continue;
          expect.fail(`${word} to ${viewer.kind}${seed} at ${path}: ${around(text, word)}`);
        }
    }
  }
  expect([shown > 5, hidden > 10, compared > 2]).toEqual([true, true, true]);
}, 5_400_000);

/** Somebody who may do everything leaves traces everywhere, which others must not see. */
async function actAs(seed: number, random: (below: number) => number): Promise<void> {
  const authorization = basic(`eve${seed}`, 'correct horse');
  for (let time = 0; time < 6; time++) {
    const [source, target] = [stock[random(stock.length)], stock[random(stock.length)]];
    await ask(front.url, `/v2/${source?.name}/manifests/${source?.tag}`, { headers: { authorization } });
    await ask(front.url, `/v2/${source?.name}/manifests/none`, { method: 'DELETE', headers: { authorization } });
    promoted.add(source?.digest.slice(7) ?? '');
    const body = JSON.stringify({ source: `${source?.name}:${source?.tag}`, target: `${target?.name}:moved` });
    await ask(front.url, '/api/v1/promotions', {
      ...{ method: 'POST', body, headers: { authorization, 'content-type': 'application/json' } },
    });
  }
}

/** Whoever inspects a repository learns of it. */
function inspectedBy(seed: number): (name: string) => boolean {
  const { compiled } = front.gateway.policy();
  const principal = compiled.policy.users.get(`ivy${seed}`);
  if (principal === undefined) throw new Error(`no ivy${seed}`);
  return (name) =>
    compiled.decide({
      ...{ principal: { kind: 'user', name: `ivy${seed}`, groups: principal.groups }, now: Date.now() },
      ...{ action: 'inspect', repository: name },
    }).allowed;
}

const around = (text: string, word: string): string => text.slice(Math.max(0, text.indexOf(word) - 80)).slice(0, 200);

/** The same status, headers and words as for a name that nothing has, and no question to the registry. */
async function expectAlike(viewer: Viewer, inspected: (name: string) => boolean): Promise<void> {
  const exact = new Set(
    front.gateway.policy().compiled.policy.rules.flatMap(({ repositories }) => repositories.map(({ text }) => text)),
  );
  // The first two are named by the token of the bearer, who knows them.
  const candidates = stock.slice(2).filter(({ name }) => !exact.has(name) && !inspected(name));
  const isHidden = async ({ name }: Stocked): Promise<boolean> =>
    (await get(viewer, `/api/v1/tags?repository=${name}`)).status !== 200;
  let one: Stocked | undefined;
  for (let at = 0; at < candidates.length && one === undefined; at++) {
    const each = candidates[at];
    if (each !== undefined && (await isHidden(each))) one = each;
  }
  if (one === undefined) return;
  compared++;
  const none = {
    name: `${one.name.slice(0, one.name.lastIndexOf('/'))}/nothingzz`,
    tag: 'vnothingz',
    digest: `sha256:${'0'.repeat(64)}`,
  };
  const plain = async (reading: Promise<Seen | undefined>, about: typeof none): Promise<string> => {
    const before = world.requests.length;
    const reply = await reading;
    if (reply === undefined) return '';
    const headers = Object.entries(reply.headers).filter(
      ([name]) => !/^(?:date|content-length|x-request-id)$/.test(name),
    );
    const body = withoutIds(reply.body)
      .replaceAll(/(?<=(?:Request|trace) <code>)[^<]*/g, 'ID')
      .replaceAll(/(?<=name="csrf" value=")[^"]*/g, 'TOKEN');
    const text = `${reply.status} ${JSON.stringify(headers)} ${body}`;
    const names = [about.name, about.tag, about.digest];
    const encoded = names.map(encodeURIComponent);
    const spellings = [...names, ...encoded, ...encoded.map(encodeURIComponent)];
    const said = spellings.reduce((rest, spelling) => rest.replaceAll(spelling, 'NAME'), text);
    return `${world.requests.length - before} questions: ${said}`;
  };
  // Those that answer with lists have no answer about one.
  const isNamed = (path: string): boolean => !/activity|repositories\?after|\/ui\/\?/.test(path);
  const pairs = (all: (about: typeof none) => readonly string[]): readonly (readonly [string, string])[] => {
    const others = all(none).filter(isNamed);
    return all(one)
      .filter(isNamed)
      .map((path, at) => [path, others[at] ?? '']);
  };
  const same = (path: string, hidden: string, absent: string): void => {
    if (hidden === absent) return;
    const at = [...hidden].findIndex((letter, index) => letter !== absent[index]);
    expect.fail(
      `${viewer.kind} ${path}: ${hidden.slice(Math.max(0, at - 60), at + 60)} is not ${absent.slice(Math.max(0, at - 60), at + 60)}`,
    );
  };
  for (const [path, other] of pairs(apiAbout))
    same(path, await plain(get(viewer, path), one), await plain(get(viewer, other), none));
  for (const [path, other] of pairs(pagesAbout))
    same(path, await plain(look(viewer, path), one), await plain(look(viewer, other), none));
}
