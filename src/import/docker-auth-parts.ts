/** What the entries of docker_auth's access list come to: for each caller the part of the list that is about the caller. */
import { quote } from '../document/problem.ts';
import { isNetwork } from '../policy/conditions.ts';
import type { AclEntry, DockerAuthFile } from './docker-auth-file.ts';
import { type Candidate, convert, repositoryActions } from './first-match.ts';
import { isAccountName } from './imported.ts';
import { type Caller, type Match, matchAccount, matchRegion, matchText, namedAccounts, regionsOf } from './matching.ts';

/** `reasons`: why it has no counterpart here. `isOfKnownOnly`: nobody but accounts of the file gets anything of it. */
export type Entry = ReturnType<typeof readEntry>;

/** What one caller's part of the access list comes to. `reached`: entries that may be the first to match somewhere. */
export type Part = ReturnType<typeof partOf>;

/** `isPatterned`: some entry is about accounts by a pattern and asked of every account that the file knows. */
export type AccessList = ReturnType<typeof accessListOf>;

/** Nobody but the users of the file, everybody else and, where they are let in, anonymous callers is told apart. */
export function accessListOf(source: DockerAuthFile) {
  const named = source.entries.flatMap(({ match }) => namedAccounts(textOf(match.get('account')) ?? '') ?? []);
  const isPatterned = source.entries.some(
    ({ match }) => matchAccount(textOf(match.get('account')), { kind: 'others' }) === 'maybe',
  );
  const known = isPatterned ? source.users.map(({ name }) => name) : [];
  const accounts = [...new Set([...named, ...known])].filter(isAccountName);
  const users = accounts.map((name): Caller => ({ kind: 'user', name }));
  const anonymous: readonly Caller[] = isAnonymousLetIn(source) ? [{ kind: 'anonymous' }] : [];
  const callers: readonly Caller[] = [...anonymous, ...users, { kind: 'others' }];
  const entries = source.entries.map((entry) => readEntry(entry, callers));
  return { entries, accounts, callers, parts: callers.map((caller) => partOf(caller, entries)), isPatterned };
}

/** An entry without a password lets anybody in; only `"": {}` is an anonymous one. */
export function isAnonymousLetIn({ users }: DockerAuthFile): boolean {
  return users.some(({ name, password }) => name === '' && password === 'none');
}

const conditions: ReadonlySet<string> = new Set(['account', 'type', 'name', 'ip']);

function readEntry(source: AclEntry, callers: readonly Caller[]) {
  const { match, actions: words } = source;
  const reasons: string[] = [];
  for (const [key, value] of match) {
    // A key without a value is as good as absent, there too.
    if (value === null) continue;
    if (!conditions.has(key)) reasons.push(reasonForKey(key));
    else if (typeof value !== 'string') reasons.push(`${key} is not text (put it in quotes)`);
  }
  const [account, type, name] = ['account', 'type', 'name'].map((key) => textOf(match.get(key)));
  const ip = textOf(match.get('ip'));
  const network = ip !== undefined && isNetwork(ip) && !/^::ffff:/i.test(ip) ? ip : undefined;
  if (ip !== undefined && network === undefined) reasons.push(`ip ${quote(ip)} is not an address or CIDR`);
  const unsure = callers.filter((caller) => matchAccount(account, caller) === 'maybe');
  const isOnlyOfOthers =
    unsure.every(({ kind }) => kind === 'others') &&
    callers.some((caller) => caller.kind === 'user' && matchAccount(account, caller) === 'yes');
  if (unsure.length > 0 && !isOnlyOfOthers) {
    reasons.push(
      `the account pattern ${quote(account ?? '')} has no counterpart; put these users into a group and name it in a rule`,
    );
  }
  const concerned = callers.filter((caller) => matchAccount(account, caller) !== 'no');
  if (concerned.some((caller) => typesOf(type, caller).includes('maybe'))) {
    reasons.push(`the type pattern ${quote(type ?? '')} has no counterpart`);
  }
  if (concerned.some((caller) => regionsOf(name, caller).some(({ isExact }) => !isExact))) {
    reasons.push(`the name pattern ${quote(name ?? '')} has no counterpart; write the repositories with * and **`);
  }
  const isAll = words.length === 1 && words[0] === '*';
  const actions = new Set(repositoryActions.filter((action) => isAll || words.includes(action)));
  return {
    source,
    account,
    type,
    name,
    network,
    actions,
    givesCatalog: words.includes('*'),
    reasons,
    isOfKnownOnly: unsure.length > 0,
  };
}

function reasonForKey(key: string): string {
  if (key === 'labels') return 'labels have no counterpart; put these users into a group and name it in a rule';
  if (key === 'service') return 'service has no counterpart, since this gateway is one service';
  return `docker_auth does not know the condition ${quote(key)} and matches without it, which was hardly meant`;
}

function typesOf(type: string | undefined, caller: Caller): readonly [repository: Match, registry: Match] {
  return [matchText(type, 'repository', caller), matchText(type, 'registry', caller)];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function partOf(caller: Caller, entries: readonly Entry[]) {
  const candidates: Candidate[] = [];
  /** Entries that give the list of all repositories, all but the last of them under a network. */
  const catalog: { entry: number; network: string | undefined }[] = [];
  const catalogDropped: number[] = [];
  const reached = new Set<number>();
  let catalogEnds: 'no' | 'decided' | 'unsure' = 'no';
  for (const entry of entries) {
    const { source, network, actions, reasons, givesCatalog } = entry;
    const matched = matchAccount(entry.account, caller);
    const isCertain = reasons.length === 0 && matched !== 'maybe';
    const [repository, registry] = typesOf(entry.type, caller);
    const regions = regionsOf(entry.name, caller);
    if (matched !== 'no' && repository !== 'no') {
      for (const region of regions) {
        candidates.push({ entry: source.number, region, network, actions, isExact: isCertain });
      }
    }
    const found = regions.map((region) => matchRegion(region, 'catalog'));
    const listed = (['yes', 'maybe'] as const).find((match) => found.includes(match)) ?? 'no';
    if (matched === 'no' || registry === 'no' || listed === 'no' || catalogEnds === 'decided') continue;
    reached.add(source.number);
    const isExact = isCertain && listed === 'yes';
    if (isExact && givesCatalog) {
      if (catalogEnds === 'unsure') catalogDropped.push(source.number);
      else catalog.push({ entry: source.number, network });
    }
    if (isExact && network === undefined) catalogEnds = 'decided';
    else if (!givesCatalog) catalogEnds = 'unsure';
  }
  const conversion = convert(candidates);
  const decided = new Set(conversion.decided.map(({ candidate }) => candidate));
  for (const candidate of candidates) if (!decided.has(candidate)) reached.add(candidate.entry);
  return { caller, conversion, catalog, catalogDropped, reached };
}
