/** Everybody that the gateway knows: from the policy files, and from sources of logins as far as they are logged in. */
import { z } from 'zod';
import { inMilliseconds } from '../time.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { grouped } from '../policy/grouped.ts';
import { type NamedEntry, type RobotToken, entriesOf } from '../policy/model.ts';
import { mappedGroups } from '../policy/outside.ts';
import { reachOf } from '../policy/own-reach.ts';
import { describeReach } from '../policy/secret-reach.ts';
import type { Clock, Recent, RobotUses, Session, SessionStore } from '../ports.ts';
import { type AccountList, type AccountView, accountList } from './answers.ts';
import { type Operation, type Outcome, instant, instantOf, operation } from './operation.ts';
import { wholeNumber } from './values.ts';

export interface AccountParts {
  readonly policy: () => { readonly compiled: CompiledPolicy };
  readonly sessions: Pick<SessionStore, 'list'>;
  readonly robotUses: Pick<RobotUses, 'lastUsed'>;
  readonly recent: Pick<Recent, 'list'>;
  readonly clock: Clock;
}

const unusedMs = 90 * 86_400_000;
const usualLimit = 50;

export const accounts = operation<AccountParts>()({
  method: 'GET',
  path: '/accounts',
  summary:
    'People, robots and workloads, those of login sources as far as they are logged in; secrets with their age and last use.',
  needs: 'inspect',
  input: z.object({
    find: z.string().optional().describe('a part of the name, or the whole of a group'),
    after: z.string().optional().describe('as next of an answer says it'),
    limit: wholeNumber.pipe(z.int().min(1).max(1000)).optional().describe('at most so many; 50 when left out'),
  }),
  answer: accountList,
  run: (parts, _viewer, input) => list(parts, input),
});

export const accountOperations: readonly Operation<AccountParts>[] = [accounts];

interface Wanted {
  readonly find?: string | undefined;
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/** What is known of an account before it is looked at closely. */
type Known = Pick<AccountView, 'kind' | 'name' | 'groups' | 'disabled' | 'login'> & {
  readonly tokens: readonly RobotToken[];
};

async function list(
  parts: AccountParts,
  { find = '', after, limit = usualLimit }: Wanted,
): Promise<Outcome<AccountList>> {
  const now = parts.clock();
  const { compiled } = parts.policy();
  const listed = await parts.sessions.list(undefined, now);
  if (!listed.ok) return { ok: false, reason: 'unavailable', detail: 'the store of sessions cannot be reached' };
  const sessions = grouped(listed.sessions, ({ account }) => account);
  const declared = entriesOf(compiled.policy).map(knownOf);
  const names = new Set(declared.map(({ name }) => name));
  const outside = [...sessions].flatMap(([name, [latest]]) =>
    names.has(name) || latest?.outside === undefined ? [] : [outsiderOf(name, latest, compiled)],
  );
  const wanted = [...declared, ...outside]
    .filter(({ name, groups }) => find === '' || name.includes(find) || groups.includes(find))
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const rest = after === undefined ? wanted : wanted.filter((each) => keyOf(each) > after);
  const shown = rest.slice(0, limit);
  const uses = await parts.robotUses.lastUsed(shown.flatMap(({ tokens }) => tokens.map(({ id }) => id)));
  const seen = lastSeen(parts.recent);
  const last = shown.at(-1);
  return {
    ok: true,
    answer: {
      accounts: shown.map((each) => viewOf(each, { sessions: sessions.get(each.name) ?? [], uses, seen, now })),
      total: wanted.length,
      next: last !== undefined && rest.length > shown.length ? keyOf(last) : undefined,
    },
  };
}

/** People first, then machines. */
function keyOf({ kind, name }: Pick<Known, 'kind' | 'name'>): string {
  return `${{ user: 1, robot: 2, workload: 3 }[kind]}:${name}`;
}

function knownOf({ kind, entry }: NamedEntry): Known {
  const { name, groups, disabled } = entry;
  const tokens = 'tokens' in entry ? entry.tokens : [];
  const login =
    'issuer' in entry
      ? entry.issuer
      : 'tokens' in entry
        ? 'secrets'
        : entry.password === undefined
          ? 'a source of logins, or not at all'
          : 'a password';
  return { kind, name, groups: [...groups], disabled, login, tokens };
}

function outsiderOf(name: string, { outside }: Session, { policy }: CompiledPolicy): Known {
  const groups = outside === undefined ? [] : [...mappedGroups(policy, outside)];
  return { kind: 'user', name, groups, disabled: false, login: outside?.source ?? '', tokens: [] };
}

/** When each account was last let do something, of what this gateway remembers. */
function lastSeen(recent: AccountParts['recent']): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  recent.list({
    limit: 1,
    matches({ account, kind, decision }, at) {
      if (decision === 'allow' && kind !== undefined && account !== undefined && !seen.has(account))
        seen.set(account, at);
      return false;
    },
  });
  return seen;
}

interface Facts {
  readonly sessions: readonly Session[];
  readonly uses: ReadonlyMap<string, number>;
  readonly seen: ReadonlyMap<string, number>;
  readonly now: number;
}

function viewOf({ tokens, ...known }: Known, { sessions, uses, seen, now }: Facts): AccountView {
  const secrets = [
    ...tokens.map((token) => robotSecret(token, uses.get(token.id), now)),
    ...sessions.filter(({ kind }) => kind === 'personal').map((session) => ownSecret(session, now)),
  ];
  const times = [
    ...sessions.map(({ lastUsed }) => lastUsed),
    ...tokens.flatMap(({ id }) => uses.get(id) ?? []),
    ...(seen.get(known.name) === undefined ? [] : [seen.get(known.name) ?? 0]),
  ];
  const lastUsed = times.length === 0 ? undefined : instant(Math.max(...times));
  return { ...known, lastUsed, sessions: sessions.filter(({ kind }) => kind !== 'personal').length, secrets };
}

type SecretView = AccountView['secrets'][number];

function robotSecret(token: RobotToken, lastUsed: number | undefined, now: number): SecretView {
  const expires = token.expires === undefined ? undefined : inMilliseconds(token.expires);
  return secretView({ id: token.id, reach: describeReach(token) }, { expires, lastUsed, now });
}

function ownSecret({ id, label, reach, created, lastUsed, expires }: Session, now: number): SecretView {
  const words = reach === undefined ? describeReach({}) : describeReach(reachOf(reach));
  // It is made with a last use, which is none.
  const used = lastUsed > created ? lastUsed : undefined;
  const view = secretView({ id, reach: words }, { expires, lastUsed: used ?? created, now });
  return { ...view, label, created: instant(created), lastUsed: instantOf(used) };
}

function secretView(
  named: Pick<SecretView, 'id' | 'reach'>,
  { expires, lastUsed, now }: { expires: number | undefined; lastUsed: number | undefined; now: number },
): SecretView {
  const marks: SecretView['marks'] = [
    ...(expires === undefined ? (['never expires'] as const) : []),
    ...(expires !== undefined && expires <= now ? (['expired'] as const) : []),
    ...(lastUsed !== undefined && now - lastUsed > unusedMs ? (['unused 90 days'] as const) : []),
  ];
  return { ...named, expires: instantOf(expires), lastUsed: instantOf(lastUsed), marks };
}
