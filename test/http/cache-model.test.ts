/**
 * Reads, pushes, moves, deletions, policy edits and revocations in any order and at the same time, through two gateways that
 * share a Redis and one that has none, in front of one registry that also changes behind their backs and sometimes lies.
 * No reply may hold what the registry's history and the policy did not allow while it was asked for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { HistoryRegistry, imageType, manifestOf, sha256 } from '../support/history-registry.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { sized } from '../support/size.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const tagTtlMs = 1000;
const contentTtlMs = 2000;
/** Timers and the event loop of a busy machine. */
const slackMs = 50;
/** After an outage of Redis a write that it fell into counts as one behind the gateway's back. */
const outageMs = 3000;
const repositories = ['team/a', 'team/b'] as const;
const tags = ['v1', 'v2'] as const;
const accounts = ['dana', 'tess'] as const;
const variants = [imageType, `${imageType}, application/old`] as const;

const rulesFor = (isTessAllowed: boolean): string => `rules:
  - { name: team, subjects: [group:devs], repositories: ['team/**'], actions: [pull, push, delete] }
  - { name: tess, subjects: ['user:tess'], repositories: [${isTessAllowed ? "'team/**'" : "'team/a'"}], actions: [pull] }
`;

/** mulberry32: numbers from 0 to 1, the same for a seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Span {
  readonly from: number;
  to: number;
}

/** One gateway, and what is known of whom it lets in. */
interface Door {
  readonly front: Front;
  /** Who learns at once of whose writes. */
  readonly group: string;
  /** When tess might not have been allowed, or might have been, to read team/b; the last one is open. */
  readonly tess: { readonly span: Span; readonly allowed: readonly boolean[] }[];
  readonly tokens: { readonly text: string; revokedAt: number }[];
}

interface Read {
  readonly door: Door;
  readonly account: (typeof accounts)[number];
  readonly repository: (typeof repositories)[number];
  readonly reference: string;
  readonly kind: 'manifests' | 'blobs';
  readonly variant: number;
  readonly method: string;
  readonly token: Door['tokens'][number] | undefined;
}

class World {
  readonly registry = new HistoryRegistry();
  readonly doors: Door[] = [];
  readonly outages: Span[] = [];
  readonly lies: Span[] = [];
  readonly random: () => number;
  readonly problems: string[] = [];
  readonly counts = new Map<string, number>();
  /** Digest of what is given for an old client -> of what is stored. */
  readonly converted = new Map<string, string>();
  readonly contents = new Map<string, string>();
  serial = 0;
  isEditing = false;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.registry.convert = (text, accept) => (accept.includes('application/old') ? `${text} ` : text);
    const pause = (): Promise<void> => (this.random() < 0.3 ? delay(this.random() * 8) : Promise.resolve());
    this.registry.before = pause;
    this.registry.hold = pause;
  }

  pick<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.random() * choices.length)];
    if (chosen === undefined) throw new Error('nothing to choose from');
    return chosen;
  }

  /** A manifest that may be new. */
  manifest(): string {
    const text = manifestOf(this.random() < 0.5 ? `${this.serial++}` : `${Math.floor(this.random() * 4)}`);
    this.contents.set(sha256(text), text);
    this.converted.set(sha256(`${text} `), sha256(text));
    return text;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** What `name` may have been to a reader of `group` who asked from `from` to `to`: undefined among it for nothing. */
  truths(name: string, group: string, from: number, to: number, ttlMs: number): ReadonlySet<string | undefined> {
    const seen = new Set<string | undefined>();
    let isOver = false;
    // Backwards: each state lasted until the change after it, and longer where that was made unseen.
    let until = Infinity;
    for (const { at, name: of, digest, by } of this.registry.changes.toReversed()) {
      if (of !== name || isOver) continue;
      if (at <= to && until >= from) seen.add(digest);
      const isUnseen = by !== group || this.outages.some((span) => at >= span.from && at <= span.to + outageMs);
      until = Math.max(at, isUnseen ? at + ttlMs + slackMs : at);
      isOver = until < from && at + ttlMs + slackMs < from;
    }
    if (until >= from) seen.add(undefined);
    return seen;
  }

  /** Whether it lied at that time, or so many milliseconds before. */
  isLying(from: number, to: number, ttlMs = 0): boolean {
    return this.lies.some((span) => span.from <= to && span.to + ttlMs >= from);
  }
}

async function ask(door: Door, method: string, path: string, headers: Readonly<Record<string, string>>, body?: string) {
  const reply = await fetch(`${door.front.url}/v2/${path}`, {
    method,
    headers: { 'user-agent': door.group, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: reply.status, text: await reply.text(), digest: reply.headers.get('docker-content-digest') ?? '' };
}

const basic = (account: string) => ({ authorization: `Basic ${credentials(account)}` });

function aRead(world: World): Read {
  const { registry } = world;
  const repository = world.pick(repositories);
  const account = world.pick(accounts);
  const door = world.pick(world.doors);
  const kind = world.random() < 0.2 ? 'blobs' : 'manifests';
  const { manifests, blobs } = registry.of(repository);
  const known = [...(kind === 'blobs' ? blobs : manifests).keys()];
  const anywhere = [...(kind === 'blobs' ? world.contents.keys() : world.contents.keys())];
  const digest = world.random() < 0.8 && known.length > 0 ? world.pick(known) : world.pick(anywhere);
  const reference = kind === 'manifests' && world.random() < 0.6 ? world.pick(tags) : digest;
  const variant = kind === 'manifests' && world.random() < 0.3 ? 1 : 0;
  const token =
    account === 'tess' && repository === 'team/a' && world.random() < 0.5 ? world.pick(door.tokens) : undefined;
  return { door, account, repository, reference, kind, variant, method: world.random() < 0.3 ? 'HEAD' : 'GET', token };
}

async function read(world: World): Promise<void> {
  const wanted = aRead(world);
  const { door, account, repository, reference, kind, variant, method, token } = wanted;
  const wasRevoked = token !== undefined && token.revokedAt < performance.now();
  const from = performance.now();
  const reply = await ask(door, method, `${repository}/${kind}/${reference}`, {
    accept: variants[variant] ?? imageType,
    ...(token === undefined ? basic(account) : { authorization: `Bearer ${token.text}` }),
  });
  const to = performance.now();
  world.count(`${kind} ${reply.status}`);
  const problem = (what: string): void =>
    void world.problems.push(
      `${what}: ${method} ${repository}/${kind}/${reference} (${variant}) by ${account} through ${door.group} from ` +
        `${from.toFixed(1)} to ${to.toFixed(1)}: ${reply.status} ${reply.digest} ${reply.text.slice(0, 120)}`,
    );
  if (wasRevoked) return reply.status === 401 ? undefined : problem('a revoked token works');
  if (token !== undefined && token.revokedAt < Infinity && reply.status === 401) return;
  const permits = door.tess.filter(({ span }) => span.from <= to && span.to >= from).flatMap(({ allowed }) => allowed);
  const mayRead = account === 'dana' || repository === 'team/a' || permits.includes(true);
  // To a HEAD of a blob a refusal is a 404.
  const isRefused = reply.status === 403 || (reply.status === 404 && method === 'HEAD' && kind === 'blobs' && !mayRead);
  if (isRefused) {
    if (account === 'dana' || repository === 'team/a' || !permits.includes(false)) problem('refused');
    return;
  }
  if (!mayRead) return problem('policy forbids it');
  const isTag = !reference.startsWith('sha256:');
  const truths = world.truths(
    `${repository} ${kind === 'blobs' ? 'blob ' : ''}${reference}`,
    door.group,
    from,
    to,
    isTag ? tagTtlMs : contentTtlMs,
  );
  if (reply.status === 404) {
    const mayBeRefused = method === 'HEAD' && kind === 'blobs' && account === 'tess' && permits.includes(false);
    if (!truths.has(undefined) && !(mayBeRefused && repository === 'team/b'))
      problem(`it was there: ${[...truths].join()}`);
    return;
  }
  if (reply.status !== 200) return problem('no answer');
  if (world.isLying(from, to)) return;
  if (method === 'GET' && sha256(reply.text) !== reply.digest) problem('another content');
  // What a tag is called is believed: no content shows it in a reply to a HEAD.
  if (isTag && world.isLying(from, to, tagTtlMs + slackMs)) return;
  const base = world.converted.get(reply.digest) ?? reply.digest;
  if (!truths.has(base)) problem(`it was ${[...truths].join()}`);
  if (kind === 'manifests' && isTag && world.converted.has(reply.digest) !== (variant === 1))
    problem('the other variant');
}

/** A push whose client leaves in the middle: the registry may still do it. */
async function leave(world: World): Promise<void> {
  const door = world.pick(world.doors);
  const reply = fetch(`${door.front.url}/v2/team/b/manifests/${world.pick(tags)}`, {
    method: 'PUT',
    headers: { 'user-agent': door.group, ...basic('dana'), 'content-type': imageType },
    body: world.manifest(),
    signal: AbortSignal.timeout(1 + Math.floor(world.random() * 8)),
  });
  await reply.then(
    (answered) => answered.text(),
    () => undefined,
  );
  world.count('left');
}

async function write(world: World): Promise<void> {
  const door = world.pick(world.doors);
  const repository = world.pick(repositories);
  const { manifests, blobs } = world.registry.of(repository);
  const chance = world.random();
  const headers = { ...basic('dana'), 'content-type': imageType };
  const digests = [...(chance < 0.85 ? manifests : blobs).keys()];
  const reply =
    chance < 0.6
      ? await ask(door, 'PUT', `${repository}/manifests/${world.pick(tags)}`, headers, world.manifest())
      : digests.length === 0
        ? undefined
        : await ask(
            door,
            'DELETE',
            `${repository}/${chance < 0.85 ? 'manifests' : 'blobs'}/${world.pick(digests)}`,
            headers,
          );
  if (reply === undefined) return;
  world.count(`write ${reply.status}`);
  const isDown = reply.status === 503 && world.outages.length > 0 && door.group === 'shared';
  if (![201, 202, 404].includes(reply.status) && !isDown)
    world.problems.push(`a write is ${reply.status}: ${reply.text}`);
}

function behind(world: World): void {
  const { registry } = world;
  const repository = world.pick(repositories);
  const { manifests, blobs } = registry.of(repository);
  const chance = world.random();
  if (chance < 0.4) registry.put(repository, world.pick(tags), world.manifest());
  else if (chance < 0.6) registry.putBlob(repository, Buffer.from(world.manifest()));
  else if (chance < 0.8 && manifests.size > 0) registry.remove(repository, world.pick([...manifests.keys()]));
  else if (blobs.size > 0) registry.removeBlob(repository, world.pick([...blobs.keys()]));
}

/** One edit at a time: which of two that overlap is in force last, nobody knows. */
async function editPolicy(world: World): Promise<void> {
  if (world.isEditing) return;
  world.isEditing = true;
  const isAllowed = world.random() < 0.5;
  await Promise.all(
    world.doors.map(async ({ front, tess }) => {
      const before = tess.at(-1);
      const known = before?.allowed ?? [];
      const now = performance.now();
      if (before !== undefined) before.span.to = now;
      const changing = { span: { from: now, to: Infinity }, allowed: [...known, isAllowed] };
      tess.push(changing);
      await front.setPolicy(rulesFor(isAllowed));
      changing.span.to = performance.now();
      tess.push({ span: { from: changing.span.to, to: Infinity }, allowed: [isAllowed] });
    }),
  );
  world.isEditing = false;
}

async function revoke(world: World): Promise<void> {
  const door = world.pick(world.doors);
  const token = world.pick(door.tokens);
  if (token.revokedAt < Infinity) return;
  token.revokedAt = Number.MAX_SAFE_INTEGER;
  const body = new URLSearchParams({ token: token.text });
  const reply = await fetch(`${door.front.url}/token/revoke`, { method: 'POST', body });
  await reply.text();
  token.revokedAt = reply.status === 200 ? performance.now() : Number.MAX_SAFE_INTEGER;
}

async function lie(world: World): Promise<void> {
  const { registry } = world;
  if (world.isLying(performance.now(), Infinity)) return;
  const span = { from: performance.now(), to: Infinity };
  world.lies.push(span);
  const { convert, name } = registry;
  if (world.random() < 0.5)
    registry.name = (digest) => [...world.contents.keys()].find((each) => each !== digest) ?? digest;
  else registry.convert = () => manifestOf('a lie');
  await delay(20);
  Object.assign(registry, { convert, name });
  span.to = performance.now() + 2 * slackMs;
}

async function loseRedis(world: World, redis: RedisServer): Promise<void> {
  const span = { from: performance.now(), to: Infinity };
  world.outages.push(span);
  await redis.kill();
  await delay(100 + world.random() * 300);
  await redis.restart();
  span.to = performance.now() + 1000;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openDoor(world: World, group: string, redis?: string): Promise<void> {
  const front = await startFront({
    rules: rulesFor(true),
    upstream: world.registry.url,
    env: {
      PORTCULLIS_CACHE_TAG_TTL: `${tagTtlMs / 1000}s`,
      PORTCULLIS_CACHE_CONTENT_TTL: `${contentTtlMs / 1000}s`,
      PORTCULLIS_CACHE_MEMORY: world.random() < 0.5 ? '64MiB' : '24KiB',
      ...(redis === undefined ? {} : { PORTCULLIS_REDIS: redis }),
    },
  });
  closers.push(() => front.close());
  const tokens = [];
  for (let count = 0; count < 6; count++)
    tokens.push({ text: await front.token('tess', 'repository:team/a:pull'), revokedAt: Infinity });
  const tess = [{ span: { from: 0, to: Infinity }, allowed: [true] }];
  world.doors.push({ front, group, tess, tokens });
}

/** So many workers do one thing after the other. */
async function run(world: World, steps: number, redis?: RedisServer): Promise<void> {
  for (const repository of repositories) {
    for (const tag of tags) world.registry.put(repository, tag, world.manifest());
    world.registry.putBlob(repository, Buffer.from(world.manifest()));
  }
  let left = steps;
  let isLosing = false;
  const step = async (): Promise<void> => {
    const chance = world.random();
    // Late: a repository has nothing in memory for a minute after it.
    if (left < steps / 4 && chance > 0.992) return leave(world);
    if (chance < 0.9) await read(world);
    else if (chance < 0.96) await write(world);
    else if (chance < 0.975) behind(world);
    else if (chance < 0.98) await editPolicy(world);
    else if (chance < 0.985) await revoke(world);
    else if (chance < 0.99) await lie(world);
  };
  const worker = async (): Promise<void> => {
    while (left-- > 0 && world.problems.length === 0) {
      if (redis !== undefined && !isLosing && left % 400 === 200) {
        isLosing = true;
        void loseRedis(world, redis).finally(() => (isLosing = false));
      }
      await step();
    }
  };
  await Promise.all(Array.from({ length: 12 }, worker));
  while (isLosing) await delay(20);
}

async function hits(front: Front): Promise<number> {
  const text = await (await fetch(`${front.adminUrl}/metrics`)).text();
  return [...text.matchAll(/cache_requests_total\{[^}]*result="hit"\} (\d+)/g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

const seeds = Array.from({ length: sized(12, 1) }, (_, index) => index + 1).concat(Math.floor(Math.random() * 1e9));

describeWithPrograms(['redis-server'], 'what memory answers was true while it was asked for', () => {
  test.each(seeds)('in any order of reads and changes (seed %i)', { timeout: 180_000 }, async (seed) => {
    const world = new World(seed);
    await world.registry.start();
    closers.push(() => world.registry.stop());
    const redis = await startRedisServer();
    closers.push(() => redis.stop());
    await openDoor(world, 'shared', redis.url);
    await openDoor(world, 'shared', redis.url);
    await openDoor(world, 'alone');
    await run(world, sized(6000, 1500), redis);
    expect(world.problems).toEqual([]);
    // It was about something.
    const counted = await Promise.all(world.doors.map(({ front }) => hits(front)));
    expect(counted.reduce((sum, count) => sum + count)).toBeGreaterThan(40);
    for (const what of ['manifests 200', 'manifests 404', 'write 201', 'write 202', 'blobs 200'])
      expect(world.counts.get(what), what).toBeGreaterThan(0);
    for (const { front } of world.doors) expect(front.errors.filter((error) => !error.includes('Redis'))).toEqual([]);
  });
});
