/** Entries of the sections of policy files. */
import {
  type Action,
  type Expectation,
  type Gate,
  type Group,
  type Limit,
  type PolicyTest,
  type Robot,
  type RobotToken,
  type Rule,
  type User,
  type Workload,
  rightsOfAll,
} from '../model.ts';
import { parsePasswordHash } from '../password-hash.ts';
import { readDuration } from '../../time.ts';
import { readFrom } from './outside-group.ts';
import { type Place, parseSubject } from './place.ts';
import {
  type GateEntry,
  type LimitEntry,
  type PolicyFile,
  type RuleEntry,
  type TestEntry,
  policyFileSchema,
} from './schema.ts';
import { inSeconds } from '../../time.ts';
import { type Conditions, isNetwork, isZone } from '../conditions.ts';
import {
  type PatternProblem,
  type RepositoryPattern,
  type TagPattern,
  parseRepositoryPattern,
  parseTagPattern,
} from '../pattern.ts';
import { claimNameProblem, maxClaimLength } from '../claims.ts';
import { formatRate, parseRate } from '../rate.ts';
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';

export type AccountSections = Pick<PolicyFile, 'users' | 'robots' | 'workloads' | 'groups'>;

type Entry<Section extends keyof AccountSections> = NonNullable<PolicyFile[Section]>[string];

const sectionsSchema = policyFileSchema.pick({ users: true, robots: true, workloads: true, groups: true });

/**
 * The sections of accounts in a file that breaks the schema elsewhere. undefined when nobody can tell what they are: one
 * breaks it, too, or a key may be one of them, misspelt or moved into what stands above it.
 */
export function accountsApart(file: unknown): AccountSections | undefined {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) return undefined;
  const { users, robots, workloads, groups, ...others } = file as Readonly<Record<string, unknown>>;
  const isStray = (key: string): boolean => !Object.hasOwn(policyFileSchema.shape, key);
  if (Object.keys(others).some(isStray) || /"(?:users|robots|workloads)":/.test(JSON.stringify(others)))
    return undefined;
  return sectionsSchema.safeParse({ users, robots, workloads, groups }).data;
}

/** undefined when its password cannot be used. */
export function readUser(place: Place, name: string, entry: Entry<'users'>): User | undefined {
  const source = place.declare('account', name);
  const password = entry.password === undefined ? undefined : parsePasswordHash(entry.password);
  if (password !== undefined && 'problem' in password) {
    place.at('password').problem('invalid-hash', `password of user "${name}": ${password.problem}`);
    return undefined;
  }
  return { name, password, ...sharedBy(place, entry), source };
}

/** Its name is one among all accounts: docker sends only a name. */
export function readRobot(place: Place, name: string, entry: Entry<'robots'>): Robot {
  const source = place.declare('account', name);
  const tokens = (entry.tokens ?? []).map((token, index) => readRobotToken(place.at('tokens', index), token));
  return { name, ...sharedBy(place, entry), tokens, source };
}

function readRobotToken(place: Place, token: NonNullable<Entry<'robots'>['tokens']>[number]): RobotToken {
  const { id, sha256, actions } = token;
  const expires = token.expires === undefined ? undefined : place.at('expires').instant(token.expires);
  const repositories = token.repositories && place.at('repositories').patterns(token.repositories);
  return {
    id,
    sha256,
    expires: expires === undefined ? undefined : inSeconds(expires),
    repositories,
    rights: actions && rightsOfAll(actions),
    source: place.at('id').declare('robot token', id),
  };
}

/** Its name is one among all accounts. */
export function readWorkload(place: Place, name: string, entry: Entry<'workloads'>): Workload {
  return {
    name,
    issuer: entry.issuer,
    audiences: typeof entry.audience === 'string' ? [entry.audience] : entry.audience,
    claims: readClaims(place.at('claims'), entry.claims ?? {}),
    lifetimeSeconds: entry.lifetime === undefined ? undefined : readLifetime(place.at('lifetime'), entry.lifetime),
    jwks: entry.jwks && place.beside(entry.jwks),
    ca: entry.ca && place.beside(entry.ca),
    ...sharedBy(place, entry),
    source: place.declare('account', name),
  };
}

function readClaims(place: Place, claims: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  for (const [name, pattern] of Object.entries(claims)) {
    const tooLong = `a pattern has at most ${maxClaimLength} characters`;
    const wrong = claimNameProblem(name) ?? (pattern.length > maxClaimLength ? tooLong : undefined);
    if (wrong !== undefined) place.at(name).problem('invalid-value', wrong);
  }
  return new Map(Object.entries(claims));
}

const maxLifetimeSeconds = 6 * 3600;

/** Already of this form by the schema. */
function readLifetime(place: Place, text: string): number {
  const seconds = readDuration(text) ?? Infinity;
  if (seconds > maxLifetimeSeconds) place.problem('invalid-value', 'a token of a CI job is taken for at most 6h');
  return seconds;
}

/** `groups: { a: }` is a group without a description. */
export function readGroup(place: Place, name: string, entry: Entry<'groups'>): Group {
  const source = place.declare('group', name);
  const from = entry?.from && readFrom(place.at('from'), entry.from);
  return { name, source, description: entry?.description, ...(from === undefined ? {} : { from }) };
}

/** What accounts of every kind have. */
function sharedBy(place: Place, { groups, disabled = false, validFrom }: Partial<Entry<'users'>>) {
  const instant = validFrom === undefined ? undefined : place.at('validFrom').instant(validFrom);
  return { groups: place.groups(groups), disabled, validFrom: instant };
}

/** What is wrong in it is reported at its place; the files are not put into force then. */
export function readRule(place: Place, entry: RuleEntry): Rule {
  place.at('name').declare('rule', entry.name);
  const tags = entry.tags && place.at('tags').each(entry.tags, parseTagPattern, 'invalid-pattern');
  const when = entry.when && readConditions(place.at('when'), entry.when);
  return {
    name: entry.name,
    effect: entry.effect ?? 'allow',
    mode: entry.mode ?? 'enforce',
    subjects: place.at('subjects').subjects(entry.subjects),
    except: place.at('except').subjects(entry.except),
    repositories: place.at('repositories').patterns(entry.repositories),
    rights: rightsOfAll(entry.actions),
    ...(tags === undefined ? {} : { tags }),
    ...(when === undefined ? {} : { when }),
    source: place.key(),
  };
}

function readConditions(place: Place, entry: NonNullable<RuleEntry['when']>): Conditions {
  for (const [index, network] of (entry.addresses ?? []).entries()) {
    if (isNetwork(network)) continue;
    const message = `"${network}" is not a network; expected an address or CIDR as 10.0.0.0/8`;
    place.at('addresses', index).problem('invalid-network', message);
  }
  if (entry.zone !== undefined && !isZone(entry.zone)) {
    place.at('zone').problem('unknown-zone', `"${entry.zone}" is not a known time zone`);
  }
  const after = entry.after === undefined ? undefined : place.at('after').instant(entry.after);
  const before = entry.before === undefined ? undefined : place.at('before').instant(entry.before);
  if (after !== undefined && before !== undefined && after >= before) {
    place.at('before').problem('never-applies', 'before is not later than after, so this rule could never apply');
  }
  const hours = entry.hours === undefined ? undefined : parseHours(entry.hours);
  if (hours !== undefined && hours.from === hours.until) {
    const message = 'these hours begin and end at the same minute; leave them out for the whole day';
    place.at('hours').problem('never-applies', message);
  }
  const { addresses, days, zone } = entry;
  return { addresses, after, before, days, hours, zone };
}

function parseHours(text: string): { readonly from: number; readonly until: number } {
  const [from = 0, until = 0] = text.split('-').map((time) => {
    const [hours = 0, minutes = 0] = time.split(':').map(Number);
    return hours * 60 + minutes;
  });
  return { from, until };
}

/** undefined when its rate cannot be read. */
export function readLimit(place: Place, entry: LimitEntry): Limit | undefined {
  place.at('name').declare('limit', entry.name);
  const { count, per } = entry;
  if (count === 'token' && per === 'repository') {
    const message = 'a token request names no one repository; count it per account or address';
    place.at('per').problem('never-applies', message);
  }
  if (per === 'account' && entry.subjects.every((subject) => subject === 'anonymous')) {
    place.at('per').problem('never-applies', 'anonymous callers have no account; write per: address');
  }
  const rate = parseRate(entry.rate);
  if ('problem' in rate) {
    place.at('rate').problem('invalid-rate', rate.problem);
    return undefined;
  }
  const { burst = rate.amount } = entry;
  if (burst > rate.amount) {
    const longer = { amount: burst, seconds: (rate.seconds * burst) / rate.amount };
    const isRate = Number.isInteger(longer.seconds) && !('problem' in parseRate(formatRate(longer)));
    const fix = isRate ? `; for ${burst} at once at the same pace write rate: ${formatRate(longer)}` : '';
    place.at('burst').problem('invalid-rate', `a burst is at most the amount of the rate, ${rate.amount}${fix}`);
  }
  return {
    name: entry.name,
    mode: entry.mode ?? 'enforce',
    subjects: place.at('subjects').subjects(entry.subjects),
    except: place.at('except').subjects(entry.except),
    count,
    per,
    rate,
    burst,
    source: place.key(),
  };
}

/** A gate leads from one repository to one other for each pattern; what stands for the caller, or for anything, leads to many. */
export function readGate(place: Place, entry: GateEntry): Gate {
  place.at('name').declare('gate', entry.name);
  const isLed = entry.from.some((text) => text.split('/').includes('**'));
  const tags = entry.tags && place.at('tags').each(entry.tags, parseGateTag, 'invalid-pattern');
  const fromTags = entry.fromTags && place.at('fromTags').each(entry.fromTags, parseGateTag, 'invalid-pattern');
  return {
    name: entry.name,
    mode: entry.mode ?? 'enforce',
    repositories: place.at('repositories').each(entry.repositories, parseGated(isLed), 'invalid-pattern'),
    tags,
    except: place.at('except').subjects(entry.except),
    from: place.at('from').each(entry.from, parseGateSource, 'invalid-pattern'),
    fromTags,
    match: entry.match ?? 'image',
    attachments: entry.attachments ?? 'allow',
    source: place.key(),
  };
}

const ownName: PatternProblem = { problem: 'a gate is the same for everybody: there is no ${account} in it' };

function parseGateTag(text: string): TagPattern | PatternProblem {
  return text.includes('${account}') ? ownName : parseTagPattern(text);
}

function parseGated(isLed: boolean): (text: string) => RepositoryPattern | PatternProblem {
  return (text) => {
    const pattern = text.includes('${account}') ? ownName : parseRepositoryPattern(text);
    if ('problem' in pattern) return pattern;
    const depths = pattern.segments.filter(({ kind }) => kind === 'any-depth').length;
    if (depths > 1) return { problem: 'a gate has at most one ** in a pattern' };
    return isLed && depths === 0 ? { problem: 'expected one **, for the ** in `from` to stand for' } : pattern;
  };
}

function parseGateSource(text: string): RepositoryPattern | PatternProblem {
  const pattern = parseRepositoryPattern(text);
  if ('problem' in pattern) return pattern;
  const depths = pattern.segments.filter(({ kind }) => kind === 'any-depth').length;
  const isOne = depths <= 1 && pattern.segments.every(({ kind }) => kind !== 'pieces');
  if (isOne) return pattern;
  return {
    problem:
      'a gate looks in one repository: names, and at most one **, which stands for the same segments as in `repositories`',
  };
}

type Asking = Pick<PolicyTest, 'principal' | 'address' | 'at'>;

/** undefined when nobody asks in it. */
export function readTest(place: Place, entry: TestEntry): PolicyTest | undefined {
  const asking = readAsking(place.at('as'), entry.as);
  const expectations = [
    ...readExpectations(place.at('allow'), entry.allow ?? [], true),
    ...readExpectations(place.at('deny'), entry.deny ?? [], false),
  ];
  if (expectations.length === 0) place.problem('empty-test', 'a test needs `allow` or `deny`');
  const { name, image = 'approved' } = entry;
  return asking && { name, ...asking, image, expectations, source: place.key() };
}

function readAsking(place: Place, as: TestEntry['as']): Asking | undefined {
  if (typeof as === 'string') {
    const subject = place.refer(parseSubject(as));
    if (subject.kind !== 'everyone' && subject.kind !== 'authenticated') return { principal: subject };
    place.problem('invalid-value', 'a test asks for somebody: user:NAME, robot:NAME, group:NAME or anonymous');
    return undefined;
  }
  const kinds = (['user', 'robot', 'workload', 'group'] as const).filter((kind) => as[kind] !== undefined);
  const [kind] = kinds;
  const name = kind === undefined ? undefined : as[kind];
  if (kinds.length + (as.anonymous === undefined ? 0 : 1) !== 1) {
    place.problem('invalid-value', 'expected exactly one of user, robot, workload, group, anonymous');
    return undefined;
  }
  const { address } = as;
  if (address !== undefined && (!isNetwork(address) || address.includes('/'))) {
    place.at('address').problem('invalid-value', `"${address}" is not an address`);
  }
  const at = as.at === undefined ? undefined : place.at('at').instant(as.at);
  return {
    principal: kind === undefined || name === undefined ? { kind: 'anonymous' } : place.at(kind).refer({ kind, name }),
    address,
    at,
  };
}

function readExpectations(place: Place, texts: readonly string[], allowed: boolean): readonly Expectation[] {
  return texts.flatMap((text, index) => {
    const question = parseQuestion(text);
    if (!('problem' in question)) return [{ ...question, allowed, source: place.at(index).value() }];
    place.at(index).problem('invalid-value', question.problem);
    return [];
  });
}

/** `push sandbox/app:1.0`; the action is already checked by the schema. */
function parseQuestion(
  text: string,
): Pick<Expectation, 'action' | 'repository' | 'tag'> | { readonly problem: string } {
  const [action = '', target = ''] = text.split(/ +/);
  const colon = target.indexOf(':');
  const repository = parseRepositoryName(colon === -1 ? target : target.slice(0, colon));
  if (repository === undefined)
    return { problem: `"${target}" is not a repository name (lower case, as in sandbox/app)` };
  const tag = colon === -1 ? undefined : parseTag(target.slice(colon + 1));
  if (colon !== -1 && tag === undefined) return { problem: `"${target.slice(colon + 1)}" is not a tag` };
  return { action: action as Action, repository, ...(tag === undefined ? {} : { tag }) };
}
