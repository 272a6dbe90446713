/**
 * Access tokens that people made for their scripts. Their secrets have 178 random bits and lie as sessions in the store: what
 * it said of one is remembered for a minute, and a revocation is known without asking. Only who shows one that was not known
 * before is counted by the login guard.
 */
import { ignoresCase } from '../../policy/outside.ts';
import type { Session, SessionStore } from '../../ports.ts';
import { type EpochMs, type EpochSeconds, inMilliseconds, inSeconds } from '../../time.ts';
import { looksCarried, parseSecret, secretHash } from '../carried-secret.ts';
import { type LiveSessionParts, resume } from '../live-session.ts';
import type { LoginGuard } from '../login-guard.ts';
import type { SessionRefusal } from '../refusal.ts';
import type { Authentication, IdentitySource, Presented } from '../source.ts';

export interface PersonalParts extends LiveSessionParts {
  readonly sessions: LiveSessionParts['sessions'] & Pick<SessionStore, 'isRevoked'>;
  readonly guard: LoginGuard;
}

/** For so long the store is not asked again. */
const freshMs = 60_000;
/** For so long nobody is asked about its person again: a group that is lost counts no longer. */
const renewedMs = 4000;
/** For so long somebody who shows it again is not guessing. */
const knownMs = 3_600_000;
const maxKnown = 10_000;
/** They end when they expire, whether or not they are used. */
const idleSeconds = 400 * 86_400;

type Refused = Extract<Authentication, { readonly ok: false }>;

const unknown: Refused = { ok: false, reason: 'secret_unknown' };
const unavailable: Refused = {
  ok: false,
  reason: 'source_unavailable',
  detail: 'the store of sessions and access tokens cannot be asked',
};

/** Takes what looks like a secret of ours, as the source of robots does, which is to be asked before. */
export function createPersonalSource(parts: PersonalParts): IdentitySource {
  const { guard, sessions } = parts;
  const kept = createKept(parts);

  async function find(tokenHash: string, presented: Presented, now: EpochMs): Promise<Session | Refused> {
    const { account, password, address, isExcused = false } = presented;
    const known = kept.known(tokenHash, now);
    if (known !== undefined && isNameOf(known.session, account)) {
      if (known.isFresh) return known.session;
      const found = await kept.ask(tokenHash, presented, now);
      return found === 'unavailable' ? unavailable : (found ?? unknown);
    }
    const attempt = { account, password, storedHash: '', address, isExcused };
    const outcome = await guard.attempt(attempt, async () => {
      const found = await kept.ask(tokenHash, presented, now);
      if (found === 'unavailable') return 'busy';
      return found !== undefined && isNameOf(found, account) ? 'match' : 'mismatch';
    });
    if (typeof outcome === 'object') return { ok: false, reason: 'login_held', ...outcome };
    if (outcome === 'mismatch') return unknown;
    // Another request may have asked for this one, too.
    return (outcome === 'match' ? kept.known(tokenHash, now)?.session : undefined) ?? unavailable;
  }

  /** Who vouches for the person is asked every few seconds at most; what was said before counts a while when nobody answers. */
  async function resumeKnown(tokenHash: string, session: Session, use: Parameters<SessionStore['use']>[1]) {
    const { now } = use;
    const known = kept.renewed(tokenHash, now);
    const once = { tokenHash, use, idleSeconds };
    if (known?.isNew === true) return resume(parts, session, { ...once, renewed: known });
    const resumed = await resume(parts, session, once);
    if (!('reason' in resumed)) kept.renew(tokenHash, resumed.session, resumed.login.endsAt, now);
    else if (resumed.reason === 'source_unavailable' && known !== undefined)
      return resume(parts, session, { ...once, renewed: known });
    return resumed;
  }

  async function logIn(tokenHash: string, presented: Presented, now: EpochMs): Promise<Authentication> {
    const found = await find(tokenHash, presented, now);
    if ('ok' in found) return found;
    if (sessions.isRevoked(found.id)) {
      kept.forget(tokenHash);
      return unknown;
    }
    const { id, created, expires = 0, reach = {} } = found;
    if (expires <= now) return { ok: false, reason: 'secret_expired' };
    const use = { now, address: presented.address, userAgent: presented.userAgent };
    const resumed = await resumeKnown(tokenHash, found, use);
    if ('reason' in resumed) return refusalOf(resumed);
    const endsAt = Math.min(inSeconds(expires), resumed.login.endsAt ?? Infinity);
    return { ok: true, login: { ...resumed.login, endsAt, ownToken: { id, created, reach } } };
  }

  return {
    method: 'personal-token',
    authenticate(_policy, presented, now) {
      if (!looksCarried(presented.password)) return undefined;
      const secret = parseSecret(presented.password);
      if ('problem' in secret) return { ok: false, reason: 'secret_malformed', detail: secret.problem };
      if (secret.kind === 'session') return { ok: false, reason: 'secret_misplaced' };
      return logIn(secretHash(secret.text), presented, now);
    },
    // What is issued for one is the person's, whose own source knows the account.
    standing: () => undefined,
  };
}

function isNameOf({ account, outside }: Session, given: string): boolean {
  if (given === account) return true;
  return outside !== undefined && ignoresCase(outside.source) && given.toLowerCase() === account.toLowerCase();
}

/** Why a token that its person still has does not count. */
function refusalOf(ended: SessionRefusal): Refused {
  switch (ended.reason) {
    case 'source_unavailable':
      return { ok: false, reason: ended.reason, detail: ended.detail };
    case 'store_unavailable':
      return unavailable;
    case 'session_password_changed':
    case 'session_ended':
      return { ok: false, reason: 'secret_ended' };
    case 'session_account_gone':
      return { ok: false, reason: 'account_disabled' };
    case 'login_needed':
      return { ok: false, reason: 'login_needed' };
    default:
      return unknown;
  }
}

interface Kept {
  readonly session: Session;
  /** When the store was asked. */
  readonly at: EpochMs;
  /** When the source was asked about the person, and until when that counts. */
  readonly renewed?: { readonly at: EpochMs; readonly endsAt: EpochSeconds | undefined };
}

/** What the store said, for a while; it is asked about one token once at a time. */
function createKept({ sessions, service }: Pick<PersonalParts, 'sessions' | 'service'>) {
  const entries = new Map<string, Kept>();
  const asking = new Map<string, Promise<Session | undefined | 'unavailable'>>();

  function keep(tokenHash: string, session: Session, at: EpochMs): void {
    entries.delete(tokenHash);
    if (entries.size >= maxKnown) entries.delete(entries.keys().next().value ?? '');
    entries.set(tokenHash, { session, at });
  }

  async function ask(tokenHash: string, { address, userAgent }: Presented, now: EpochMs) {
    const used = await sessions.use(tokenHash, { now, address, userAgent }, idleSeconds);
    if (!used.ok && used.reason === 'unavailable') return 'unavailable';
    entries.delete(tokenHash);
    if (!used.ok || used.session.kind !== 'personal' || used.session.service !== service) return undefined;
    keep(tokenHash, used.session, now);
    return used.session;
  }

  return {
    /** What a source said of the person, as long as the store need not be asked. */
    renew(tokenHash: string, session: Session, endsAt: EpochSeconds | undefined, now: EpochMs): void {
      const entry = entries.get(tokenHash);
      if (entry !== undefined) entries.set(tokenHash, { session, at: entry.at, renewed: { at: now, endsAt } });
    },
    renewed(tokenHash: string, now: EpochMs): { readonly endsAt?: EpochSeconds; readonly isNew: boolean } | undefined {
      const { at, endsAt } = entries.get(tokenHash)?.renewed ?? {};
      const ageMs = at === undefined ? freshMs : Math.abs(now - at);
      if (ageMs >= freshMs || (endsAt !== undefined && now >= inMilliseconds(endsAt))) return undefined;
      return { ...(endsAt === undefined ? {} : { endsAt }), isNew: ageMs < renewedMs };
    },
    forget: (tokenHash: string) => void entries.delete(tokenHash),
    known(tokenHash: string, now: EpochMs): { readonly session: Session; readonly isFresh: boolean } | undefined {
      const entry = entries.get(tokenHash);
      const ageMs = entry === undefined ? knownMs : Math.abs(now - entry.at);
      return entry === undefined || ageMs >= knownMs ? undefined : { session: entry.session, isFresh: ageMs < freshMs };
    },
    /** undefined: there is no such token. */
    ask(tokenHash: string, presented: Presented, now: EpochMs): Promise<Session | undefined | 'unavailable'> {
      const running = asking.get(tokenHash);
      if (running !== undefined) return running;
      const begun = ask(tokenHash, presented, now).finally(() => asking.delete(tokenHash));
      asking.set(tokenHash, begun);
      return begun;
    },
  };
}
