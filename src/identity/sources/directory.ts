/** People whom a directory outside the policy files knows, such as LDAP. */
import { hash } from 'node:crypto';
import { maxPasswordLength } from '../../distribution/credentials.ts';
import { type LoginSource, type Outside, type Policy, namePattern } from '../../policy/model.ts';
import { ignoresCase, namedGroups, spelledInFiles, tooManyGroups } from '../../policy/outside.ts';
import type {
  Directory,
  Person,
  PersonFound,
  PersonLogin,
  Session,
  SessionOutside,
  SessionStore,
} from '../../ports.ts';
import type { EpochMs } from '../../time.ts';
import { LoginQueue } from '../login-queue.ts';
import type { LoginGuard } from '../login-guard.ts';
import { loginOutside, ownerMark, standingOutside } from '../outsider.ts';
import type { PasswordOutcome } from '../password.ts';
import type { Authentication, IdentitySource, Presented, Renewal } from '../source.ts';
import { RememberedLogins } from '../verified-passwords.ts';

export interface DirectoryParts {
  readonly source: LoginSource;
  readonly directory: Pick<Directory, 'logIn' | 'look'>;
  readonly guard: LoginGuard;
  readonly sessions: Pick<SessionStore, 'own'>;
  /** A session asks again about its person when what it knows is older. */
  readonly refreshMs: number;
  /** Beyond that, how long a session goes on by what was last known while nobody can be asked. */
  readonly staleForMs: number;
  readonly pause?: (ms: number) => Promise<void>;
}

/** At once, and how long one may wait for its turn: none of the threads that hash is taken. */
const atOnce = 16;
const queueMs = 3000;
const maxWaiting = 800;
const rememberMs = 60_000;
/** The same wrong password again, as clients try POST and then GET. What was wrong may be right a moment later. */
const rememberWrongMs = 10_000;
/** Refusals are told at multiples of it: how far somebody got does not show. */
const refusalMs = 250;
/** After it could not be asked, sessions that may go on do not wait for it again for so long. */
const restMs = 5000;
const maxKnown = 10_000;

/** What is known of a person, by the policy of when the directory was asked. */
interface Known {
  readonly account: string;
  readonly outside: Outside;
  readonly lookedUp: EpochMs;
  /** Tells the store whose the name is now, once; false: it could not be told. */
  readonly own: () => Promise<boolean>;
}

type Answer = { readonly ok: true; readonly known: Known } | Extract<Authentication, { readonly ok: false }>;

/**
 * Takes whatever is presented: ask it last. An empty password is refused before anybody is asked (RFC 4513, section 5.1.2),
 * and neither is a directory that cannot be asked a failed login, nor its silence a refusal.
 */
export function createDirectorySource(parts: DirectoryParts): IdentitySource {
  const { source, guard, refreshMs, staleForMs, pause = sleep } = parts;
  const asked = createAsking(parts);
  const remembered = new RememberedLogins<Answer>();

  /** What counts as one name there is one for failed logins, too. */
  const nameOf = (account: string): string => (ignoresCase(source) ? account.toLowerCase() : account);

  async function ask(policy: Policy, { account, password }: Presented, now: EpochMs): Promise<Answer> {
    const begun = performance.now();
    const answer = namePattern.test(account) ? await asked.logIn(policy, account, password, now) : unknownName;
    if (answer.ok) remembered.keep([nameOf(account), password], answer, now, rememberMs);
    else if (answer.reason !== 'source_unavailable') {
      remembered.keep([nameOf(account), password], answer, now, rememberWrongMs);
      const took = performance.now() - begun;
      await pause(Math.ceil(took / refusalMs) * refusalMs - took);
    }
    return answer;
  }

  async function logIn(policy: Policy, presented: Presented, now: EpochMs): Promise<Authentication> {
    const { account, password, address, isExcused = false } = presented;
    if (password === '') return { ok: false, reason: 'password_missing' };
    if (Buffer.byteLength(password) > maxPasswordLength) return { ok: false, reason: 'password_too_long' };
    const name = nameOf(account);
    const known = remembered.find([name, password], now);
    if (known?.ok === true) return enter(policy, known.known, now);
    let answer: Answer | undefined;
    const attempt = { account: name, password, storedHash: source, address, isExcused, mayHaveChanged: true };
    const outcome = await guard.attempt(attempt, async () => {
      answer = remembered.find([name, password], now) ?? (await ask(policy, presented, now));
      return outcomeOf(answer);
    });
    if (typeof outcome === 'object') return { ok: false, reason: 'login_held', ...outcome };
    // Somebody else may have asked the same at the same time.
    const found = answer ?? remembered.find([name, password], now) ?? unavailable('it could not be asked');
    return found.ok ? enter(policy, found.known, now) : found;
  }

  /** Only somebody who gets in takes the name from whoever had it. */
  async function enter(policy: Policy, { account, outside, lookedUp, own }: Known, now: EpochMs) {
    const login = loginOutside(policy, account, outside, { mark: ownerMark(outside), lookedUp, now });
    return !login.ok || (await own()) ? login : ownerUntold;
  }

  return {
    method: 'password',
    login: source,
    authenticate: logIn,
    standing: (policy, { account, outside }) =>
      outside && standingOutside(policy, account, outside, ownerMark(outside)),
    async knows(account) {
      const found = await asked.find(account);
      return found.ok || (found.reason === 'unavailable' ? unavailable(found.detail) : found.reason !== 'unknown');
    },
    async renew(policy, session, now): Promise<Renewal> {
      const ageMs = Math.abs(now - session.outside.lookedUp);
      if (ageMs < refreshMs) return { ok: true, outside: session.outside };
      const isStaleEnough = ageMs < refreshMs + staleForMs;
      const renewed = await asked.look(policy, session, { now, mayRest: isStaleEnough });
      const goesOn = !renewed.ok && renewed.reason === 'source_unavailable' && isStaleEnough;
      return goesOn ? { ok: true, outside: session.outside } : renewed;
    },
  };
}

/** The calls to the directory: a queue of their own, and what they say in our words. */
function createAsking({ source, directory, sessions }: DirectoryParts) {
  const queue = new LoginQueue(atOnce, queueMs, maxWaiting);
  const looks = new Map<string, Promise<PersonFound>>();
  const owns = createOwns(sessions);
  let restUntil = 0;

  async function inTurn<Found>(call: () => Promise<Found>) {
    const found = await queue.run(call);
    return found === 'busy'
      ? ({ ok: false, reason: 'unavailable', detail: 'too many logins wait for the directory' } as const)
      : found;
  }

  function look(account: string): Promise<PersonFound> {
    const running = looks.get(account);
    if (running !== undefined) return running;
    const begun = inTurn(() => directory.look(account)).finally(() => looks.delete(account));
    looks.set(account, begun);
    return begun;
  }

  function named(policy: Policy, person: Person): Person {
    const account = spelledInFiles(policy, source, person.account);
    return account === person.account ? person : { ...person, account };
  }

  function outsideOf(policy: Policy, { id, groups }: Person): Outside {
    const named = namedGroups(policy, source, groups);
    return { source, id: hash('sha256', id, 'base64url').slice(0, 22), groups: named };
  }

  return {
    async logIn(policy: Policy, account: string, password: string, now: EpochMs): Promise<Answer> {
      const found: PersonLogin = await inTurn(() => directory.logIn(account, password));
      if (!found.ok) return refusalOf(found);
      const person = named(policy, found.person);
      if (!namePattern.test(person.account))
        return { ok: false, reason: 'account_unknown', detail: `the name at ${person.place} is none for an account` };
      const outside = outsideOf(policy, person);
      const detail = tooManyGroups(outside.groups);
      if (detail !== undefined) return { ok: false, reason: 'groups_too_many', detail };
      let isOwner = false;
      const own = async (): Promise<boolean> => (isOwner ||= (await owns(person, outside, now)).ok);
      return { ok: true, known: { account: person.account, outside, lookedUp: now, own } };
    },

    find: look,

    /** `mayRest`: it need not be asked when it did not answer a moment ago. */
    async look(
      policy: Policy,
      { account, outside }: Session & { readonly outside: SessionOutside },
      { now, mayRest }: { readonly now: EpochMs; readonly mayRest: boolean },
    ): Promise<Renewal> {
      if (mayRest && performance.now() < restUntil) return unavailable('it did not answer a moment ago');
      const found = await look(account);
      if (found.ok || found.reason !== 'unavailable') restUntil = 0;
      else if (found.isTheirs !== true) restUntil = performance.now() + restMs;
      if (!found.ok) {
        if (found.reason === 'unavailable') return unavailable(found.detail);
        return { ok: false, reason: 'session_account_gone', detail: found.detail };
      }
      const person = named(policy, found.person);
      if (person.account !== account) return { ok: false, reason: 'session_account_gone' };
      const latest = outsideOf(policy, person);
      const login = loginOutside(policy, account, latest, { mark: ownerMark(latest), lookedUp: now, now });
      if (!login.ok) return { ok: false, reason: 'session_account_gone' };
      const owned = await owns(person, latest, now);
      if (!owned.ok) return ownerUntold;
      if (owned.hasEnded || latest.id !== outside.id) return { ok: false, reason: 'session_ended' };
      const detail = tooManyGroups(latest.groups);
      if (detail !== undefined) return { ok: false, reason: 'session_account_gone', detail };
      return { ok: true, outside: { ...latest, lookedUp: now } };
    },
  };
}

/** Who has a name now. A store that is away need not be asked about whoever it was told of before. */
function createOwns(sessions: DirectoryParts['sessions']) {
  const told = new Map<string, string>();
  return async ({ account, passwordChanged }: Person, outside: Outside, now: EpochMs) => {
    const owner = { id: ownerMark(outside), passwordChanged };
    const text = JSON.stringify(owner);
    const answer = await sessions.own(account, owner, now);
    if (!answer.ok) return told.get(account) === text ? ({ ok: true, hasEnded: false } as const) : answer;
    told.delete(account);
    if (told.size >= maxKnown) told.delete(told.keys().next().value ?? '');
    told.set(account, text);
    return answer;
  };
}

function outcomeOf(answer: Answer): PasswordOutcome {
  if (answer.ok) return 'match';
  return answer.reason === 'source_unavailable' ? 'busy' : 'mismatch';
}

const unknownName: Answer = { ok: false, reason: 'account_unknown', detail: 'this is no name of an account' };

function unavailable(detail: string) {
  return { ok: false, reason: 'source_unavailable', detail } as const;
}

const ownerUntold = unavailable('the store cannot tell who had this name before');

const reasons = {
  unknown: 'account_unknown',
  ambiguous: 'account_unknown',
  disabled: 'account_disabled',
  password_wrong: 'password_wrong',
} as const;

function refusalOf({ reason, detail }: Extract<PersonLogin, { readonly ok: false }>): Answer {
  return reason === 'unavailable' ? unavailable(detail) : { ok: false, reason: reasons[reason], detail };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
