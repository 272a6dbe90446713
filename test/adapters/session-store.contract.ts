/** What every session store promises. */
import { createHash, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Session, SessionStore } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';

export interface SessionStoreUnderTest {
  readonly store: SessionStore;
  /** Lets time pass, as the store measures it. */
  readonly elapse: (ms: number) => Promise<void>;
  /** Milliseconds since 1970, as the store measures them. */
  readonly time: () => Promise<number>;
  /** The same state, seen by a store that begins now: another process, or this one after a restart. */
  readonly reopen: () => Promise<SessionStore>;
  readonly close: () => Promise<void>;
}

export const week = 7 * 24 * 3600;
export const now = Date.UTC(2026, 10, 23, 12);

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export function sessionOf(account: string, changes: Partial<Session> = {}): Session {
  return {
    id: randomUUID(),
    account,
    service: 'registry.example.com',
    created: now,
    lastUsed: now,
    address: '10.1.2.3',
    userAgent: 'docker/29.0',
    ...changes,
  };
}

const used = { now: now + 5000, address: '10.9.9.9', userAgent: 'containerd/2.1' };

export function describeSessionStore(open: () => Promise<SessionStoreUnderTest>): void {
  describe('as every other', () => {
    let under: SessionStoreUnderTest;
    let store: SessionStore;
    beforeEach(async () => {
      under = await open();
      ({ store } = under);
    });
    afterEach(() => under.close());

    const ended = async (which: Parameters<SessionStore['revoke']>[0]): Promise<readonly Session[]> => {
      const outcome = await store.revoke(which, now);
      if (!outcome.ok) throw new Error('the store is not available');
      return outcome.ended;
    };
    const listed = async (account?: string): Promise<readonly Session[]> => {
      const outcome = await store.list(account, now);
      if (!outcome.ok) throw new Error('the store is not available');
      return outcome.sessions;
    };

    describe('a session', () => {
      test('that was opened is found by the hash of its token, with everything it was opened with', async () => {
        const session = sessionOf('dana');
        expect(await store.open(hashOf('a'), session, week)).toEqual({ ok: true });
        expect(await listed()).toEqual([session]);
        expect(await store.use(hashOf('a'), used, week)).toEqual({
          ok: true,
          session: { ...session, lastUsed: used.now, address: used.address, userAgent: used.userAgent },
        });
      });

      test('is counted while it lives', async () => {
        const counted = (expected: number): Promise<unknown> =>
          eventually(`there are ${expected}`, () => store.count() === expected);
        await counted(0);
        await store.open(hashOf('a'), sessionOf('dana'), week);
        await store.open(hashOf('b'), sessionOf('rita'), week);
        await counted(2);
        await store.revoke({ tokenHash: hashOf('a') }, now);
        await counted(1);
      });

      test('of somebody from outside keeps what its source said, and what it says later', async () => {
        const outside = { source: 'ldap', id: 'x'.repeat(22), groups: ['a, b', 'ü', '"'], lookedUp: now } as const;
        const session = sessionOf('dana', { outside });
        await store.open(hashOf('a'), session, week);
        expect(await listed()).toEqual([session]);
        expect(await store.use(hashOf('a'), used, week)).toMatchObject({ ok: true, session: { outside } });
        const later = { ...outside, groups: [], lookedUp: now + 5000 };
        await store.use(hashOf('a'), { ...used, outside: later }, week);
        expect(await store.use(hashOf('a'), used, week)).toMatchObject({ ok: true, session: { outside: later } });
        const again = await under.reopen();
        expect(await again.use(hashOf('a'), used, week)).toMatchObject({ ok: true, session: { outside: later } });
      });

      test('of the page and an access token of a person keep what they are, until when, how they are called and how far they reach', async () => {
        const expires = (await under.time()) + week * 1000;
        const kinds: readonly Partial<Session>[] = [
          { kind: 'web', expires },
          { kind: 'personal', expires, label: 'ü "laptop", }\u0000', reach: {} },
          { kind: 'personal', expires, label: '', reach: { repositories: ['sandbox/**', '${account}/*'] } },
          { kind: 'personal', expires, label: 'x', reach: { repositories: [], actions: ['pull', 'create'] } },
        ];
        const sessions = kinds.map((kind) => sessionOf('dana', kind));
        for (const [at, session] of sessions.entries()) await store.open(hashOf(String(at)), session, week);
        for (const seen of [store, await under.reopen()]) {
          const answer = await seen.list('dana', now);
          const found = answer.ok ? answer.sessions : [];
          expect(sessions.map(({ id }) => found.find((one) => one.id === id))).toEqual(sessions);
          for (const [at, session] of sessions.entries()) {
            const use = { now, address: undefined, userAgent: undefined };
            expect(await seen.use(hashOf(String(at)), use, week)).toEqual({ ok: true, session });
          }
        }
      });

      test('that expires has ended then, however often it is used', async () => {
        const expires = (await under.time()) + 300;
        await store.open(hashOf('a'), sessionOf('dana', { kind: 'personal', expires }), week);
        expect(await store.use(hashOf('a'), used, week)).toMatchObject({ ok: true, session: { expires } });
        await under.elapse(350);
        expect(await store.use(hashOf('a'), used, week)).toEqual({ ok: false, reason: 'unknown' });
        expect(await listed('dana')).toEqual([]);
        expect(await ended({ account: 'dana' })).toEqual([]);
      });

      test('that expires ends before that when it is not used', async () => {
        const expires = (await under.time()) + week * 1000;
        await store.open(hashOf('a'), sessionOf('dana', { kind: 'web', expires }), 0.3);
        await under.elapse(350);
        expect(await store.use(hashOf('a'), used, week)).toEqual({ ok: false, reason: 'unknown' });
        expect(await listed()).toEqual([]);
      });

      test('opened after it expired never was one', async () => {
        const expires = (await under.time()) - 1;
        expect(await store.open(hashOf('a'), sessionOf('dana', { kind: 'personal', expires }), week)).toEqual({
          ok: true,
        });
        expect(await store.use(hashOf('a'), used, week)).toEqual({ ok: false, reason: 'unknown' });
        expect(await listed()).toEqual([]);
      });

      test('is found without being used, as long as it lives', async () => {
        const session = sessionOf('dana');
        await store.open(hashOf('a'), session, week);
        const found = { ok: true, session };
        expect([await store.find(hashOf('a')), await store.find(hashOf('a'))]).toEqual([found, found]);
        expect(await store.find(hashOf('b'))).toEqual({ ok: false, reason: 'unknown' });
        await ended({ id: session.id });
        expect(await store.find(hashOf('a'))).toEqual({ ok: false, reason: 'unknown' });
        expect(await (await under.reopen()).find(hashOf('a'))).toEqual({ ok: false, reason: 'unknown' });
      });

      test('that is only looked at ends all the same', async () => {
        await store.open(hashOf('a'), sessionOf('dana'), 0.3);
        await under.elapse(200);
        expect(await store.find(hashOf('a'))).toMatchObject({ ok: true });
        await under.elapse(150);
        expect(await store.find(hashOf('a'))).toEqual({ ok: false, reason: 'unknown' });
      });

      test('is unknown by any other hash', async () => {
        await store.open(hashOf('a'), sessionOf('dana'), week);
        for (const other of [hashOf('b'), hashOf('a').toUpperCase(), '', '*', hashOf('a').slice(0, -1)])
          expect(await store.use(other, used, week)).toEqual({ ok: false, reason: 'unknown' });
      });

      test('keeps the address and the user agent it had when a use names none', async () => {
        const session = sessionOf('dana');
        await store.open(hashOf('a'), session, week);
        await store.use(hashOf('a'), { now: now + 1, address: undefined, userAgent: undefined }, week);
        expect(await listed()).toEqual([{ ...session, lastUsed: now + 1 }]);
      });

      test('opened without an address and a user agent has none', async () => {
        const session = sessionOf('dana', { address: undefined, userAgent: undefined });
        await store.open(hashOf('a'), session, week);
        expect(await listed('dana')).toEqual([session]);
      });

      test('used by many at once is live for all of them: its token is not rotated', async () => {
        await store.open(hashOf('a'), sessionOf('dana'), week);
        const outcomes = await Promise.all(Array.from({ length: 50 }, () => store.use(hashOf('a'), used, week)));
        expect(outcomes.filter(({ ok }) => ok)).toHaveLength(50);
        expect(await listed()).toHaveLength(1);
      });

      test('ends when it was not used for its idle lifetime, and is not revived by a late use', async () => {
        await store.open(hashOf('short'), sessionOf('dana'), 0.3);
        await store.open(hashOf('long'), sessionOf('dana', { id: 'long' }), week);
        await under.elapse(350);
        expect((await listed()).map(({ id }) => id)).toEqual(['long']);
        expect(await store.use(hashOf('short'), used, week)).toEqual({ ok: false, reason: 'unknown' });
        expect(await ended({ tokenHash: hashOf('short') })).toEqual([]);
      });

      test('lives on while it is used', async () => {
        await store.open(hashOf('a'), sessionOf('dana'), 0.3);
        await store.use(hashOf('a'), used, week);
        await under.elapse(350);
        expect(await store.use(hashOf('a'), used, week)).toMatchObject({ ok: true });
        expect(await listed('dana')).toHaveLength(1);
      });

      test('opened with a token that another one had replaces it', async () => {
        await store.open(hashOf('a'), sessionOf('dana', { userAgent: 'first' }), week);
        const second = sessionOf('dana', { userAgent: undefined });
        await store.open(hashOf('a'), second, week);
        expect(await listed()).toEqual([second]);
      });

      test('survives that the store is opened again', async () => {
        const session = sessionOf('dana');
        await store.open(hashOf('a'), session, week);
        const again = await under.reopen();
        expect(await again.use(hashOf('a'), used, week)).toMatchObject({ ok: true, session: { id: session.id } });
      });
    });

    describe('revoking', () => {
      const ways: readonly (readonly [string, (session: Session) => Parameters<SessionStore['revoke']>[0]])[] = [
        ['its refresh token', () => ({ tokenHash: hashOf('a') })],
        ['its id', ({ id }) => ({ id })],
        ['its account', ({ account }) => ({ account })],
      ];
      test.each(ways)('by %s ends the session at once, once, and for good', async (_, which) => {
        const session = sessionOf('dana');
        const other = sessionOf('rita');
        await store.open(hashOf('a'), session, week);
        await store.open(hashOf('b'), other, week);
        expect(store.isRevoked(session.id)).toBe(false);
        expect(await ended(which(session))).toEqual([session]);
        expect(store.isRevoked(session.id)).toBe(true);
        expect(store.isRevoked(other.id)).toBe(false);
        expect(await store.use(hashOf('a'), used, week)).toEqual({ ok: false, reason: 'unknown' });
        expect(await listed()).toEqual([other]);
        expect(await ended(which(session))).toEqual([]);
      });

      test('an account ends all of its sessions and nobody else’s', async () => {
        for (let number = 0; number < 20; number += 1)
          await store.open(hashOf(`a${number}`), sessionOf('dana', { id: `dana-${number}` }), week);
        await store.open(hashOf('b'), sessionOf('dan', { id: 'dan' }), week);
        expect(await ended({ account: 'dana' })).toHaveLength(20);
        expect(await listed('dana')).toEqual([]);
        expect((await listed()).map(({ id }) => id)).toEqual(['dan']);
        for (let number = 0; number < 20; number += 1) expect(store.isRevoked(`dana-${number}`)).toBe(true);
      });

      test('what does not exist ends nothing and is fine', async () => {
        await store.open(hashOf('a'), sessionOf('dana'), week);
        expect(await ended({ tokenHash: hashOf('none') })).toEqual([]);
        expect(await ended({ account: 'nobody' })).toEqual([]);
        expect(await ended({ id: 'none' })).toEqual([]);
        expect(await listed()).toHaveLength(1);
      });

      test('an id whose session is gone still ends its access tokens', async () => {
        expect(await ended({ id: 'long-gone' })).toEqual([]);
        expect(store.isRevoked('long-gone')).toBe(true);
      });

      test('an account for good says since when nothing of it counts, never earlier again, and of nobody else', async () => {
        expect(store.endedBefore('dana')).toBe(0);
        store.endAccount('dana', now);
        store.endAccount('dana', now - 5000);
        expect(store.endedBefore('dana')).toBe(now);
        expect(store.endedBefore('dan')).toBe(0);
        expect(store.isRevoked('dana')).toBe(false);
        await store.open(hashOf('a'), sessionOf('rita'), week);
        const again = await under.reopen();
        await eventually('a store that begins now knows it', () => again.endedBefore('dana') === now);
        store.endAccount('dana', now + 1);
        expect(store.endedBefore('dana')).toBe(now + 1);
      });

      test('an account, too, when its name is somebody else’s, or the password a newer one', async () => {
        const own = async (
          id: string,
          passwordChanged: number | undefined,
          at: number,
          by = store,
        ): Promise<boolean> => {
          const answer = await by.own('olga', { id, passwordChanged }, at);
          if (!answer.ok) throw new Error('the store is not available');
          return answer.hasEnded;
        };
        expect(await own('one', undefined, now)).toBe(false);
        expect(await own('one', 5000, now + 1)).toBe(false);
        expect(await own('one', undefined, now + 2)).toBe(false);
        expect(await own('one', 4000, now + 3)).toBe(false);
        expect(store.endedBefore('olga')).toBe(0);
        expect(await own('one', 6000, now + 4)).toBe(true);
        expect(store.endedBefore('olga')).toBe(now + 4);
        expect(await own('one', 5000, now + 5)).toBe(false);
        expect(await own('two', 1000, now + 6)).toBe(true);
        expect(await own('two', 1000, now + 7)).toBe(false);
        expect(await own('two', 2000, now + 8)).toBe(true);
        const again = await under.reopen();
        expect(await own('two', 2000, now + 9, again)).toBe(false);
        await eventually('a store that begins now knows it', () => again.endedBefore('olga') === now + 8);
        expect(again.endedBefore('olg')).toBe(0);
      });

      test('of somebody with one account at their source the former one, when they come with another name', async () => {
        // Names of its own: that others have ended is heard of late.
        const said = (id: string, lookedUp: number) => ({
          id: `oidc\n${id}`,
          outside: { source: 'oidc' as const, id, groups: ['dev', 'команда "1"'], lookedUp },
        });
        const own = async (account: string, id: string, at: number): Promise<boolean> => {
          const answer = await store.own(account, said(id, at), at);
          if (!answer.ok) throw new Error('the store is not available');
          return answer.hasEnded;
        };
        expect(await store.owner('orla')).toEqual({ ok: true, owner: undefined });
        expect(await own('orla', 'one', now)).toBe(false);
        expect(await own('orla', 'one', now + 1)).toBe(false);
        expect(await store.owner('orla')).toMatchObject({ ok: true, owner: said('one', now + 1) });
        expect(await own('hedda', 'one', now + 2)).toBe(false);
        expect([store.endedBefore('orla'), store.endedBefore('hedda')]).toEqual([now + 2, 0]);
        expect(await store.owner('orla')).toEqual({ ok: true, owner: undefined });
        // The name that is free now is somebody else's, whom its former owner no longer ends.
        expect(await own('orla', 'two', now + 3)).toBe(false);
        expect(await own('hedda', 'one', now + 4)).toBe(false);
        expect(await own('orla', 'one', now + 5)).toBe(true);
        expect([store.endedBefore('orla'), store.endedBefore('hedda')]).toEqual([now + 5, now + 5]);
        expect(await own('hedda', 'two', now + 6)).toBe(false);
        const again = await under.reopen();
        expect(await again.owner('orla')).toMatchObject({ ok: true, owner: said('one', now + 5) });
        expect(await again.owner('hedda')).toMatchObject({ ok: true, owner: said('two', now + 6) });
        for (const name of ['orla', 'hedda'])
          await eventually('a store that begins now knows it', () => again.endedBefore(name) === now + 5);
      });

      test('beats every use that begins after it, however many run beside it', async () => {
        for (let round = 0; round < 10; round += 1) {
          const token = hashOf(`round ${round}`);
          await store.open(token, sessionOf('dana'), week);
          let revoked = false;
          const lateUses: Promise<{ readonly ok: boolean }>[] = [];
          const uses = Array.from({ length: 20 }, async () => {
            await store.use(token, used, week);
            if (revoked) lateUses.push(store.use(token, used, week));
          });
          const revocation = store.revoke({ tokenHash: token }, now).then((outcome) => {
            revoked = outcome.ok;
            lateUses.push(store.use(token, used, week));
          });
          await Promise.all([...uses, revocation]);
          expect(revoked).toBe(true);
          expect((await Promise.all(lateUses)).filter(({ ok }) => ok)).toEqual([]);
        }
        expect(await listed()).toEqual([]);
      });

      test('is known to a store that is opened later', async () => {
        const session = sessionOf('dana');
        await store.open(hashOf('a'), session, week);
        await store.revoke({ tokenHash: hashOf('a') }, now);
        const again = await under.reopen();
        await eventually('the revocation is known', () => again.isRevoked(session.id));
        expect(await again.use(hashOf('a'), used, week)).toEqual({ ok: false, reason: 'unknown' });
      });
    });

    describe('a list', () => {
      test('begins with the session used most recently', async () => {
        for (const [index, id] of ['first', 'second', 'third'].entries())
          await store.open(hashOf(id), sessionOf('dana', { id, lastUsed: now + index }), week);
        await store.use(hashOf('first'), used, week);
        expect((await listed()).map(({ id }) => id)).toEqual(['first', 'third', 'second']);
      });

      test('of an account has only its sessions; of an unknown account none', async () => {
        await store.open(hashOf('a'), sessionOf('dana'), week);
        await store.open(hashOf('b'), sessionOf('rita'), week);
        expect((await listed('dana')).map(({ account }) => account)).toEqual(['dana']);
        expect(await listed('nobody')).toEqual([]);
      });
    });

    describe('what clients supply', () => {
      const big = 'x'.repeat(10_000);
      const cases: readonly (readonly [string, string])[] = [
        ['10 kB', big],
        ['NULs', 'a\u0000b\u0000'],
        ['line ends and quotes', 'a\r\nb"\'{}[]'],
        ['what looks like a key or a pattern', '{sessions}:*?'],
        ['the names of object members', '__proto__'],
        ['nothing', ''],
        ['other scripts', 'дана/日本🐳'],
      ];
      test.each(cases)('may be %s in account, id and service', async (_, text) => {
        const session = sessionOf(text, { id: text, service: text });
        await store.open(hashOf('a'), session, week);
        await store.open(hashOf('b'), sessionOf('dana'), week);
        expect(await listed(text)).toEqual([session]);
        expect(await ended({ account: text })).toEqual([session]);
        expect(store.isRevoked(text)).toBe(true);
        expect(await listed()).toHaveLength(1);
        expect(await (await under.reopen()).list(text, now)).toEqual({ ok: true, sessions: [] });
      });

      test.each(cases)('may be %s in address and user agent, of which 256 characters are kept', async (_, text) => {
        const session = sessionOf('dana', { address: text, userAgent: text });
        await store.open(hashOf('a'), session, week);
        const cut = text.slice(0, 256);
        expect(await listed()).toEqual([{ ...session, address: cut, userAgent: cut }]);
        expect(await store.use(hashOf('a'), { now, address: text, userAgent: text }, week)).toMatchObject({
          ok: true,
          session: { address: cut, userAgent: cut },
        });
      });

      test('is never cut inside a character', async () => {
        await store.open(hashOf('a'), sessionOf('dana', { userAgent: `${'x'.repeat(255)}🐳` }), week);
        expect((await listed())[0]?.userAgent).toBe('x'.repeat(255));
      });
    });
  });
}
