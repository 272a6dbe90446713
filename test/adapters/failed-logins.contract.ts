/** What every store of failed logins promises. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailedLogins, LoginAttempt } from '../../src/ports.ts';

export interface FailedLoginsUnderTest {
  readonly failed: FailedLogins;
  /** Lets time pass, as the store measures it. */
  readonly elapse: (ms: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export const hour = 3_600_000;
const office = '192.0.2.1';
const elsewhere = '198.51.100.7';

/** Fingerprints have one length. */
export function attemptOf(account: string, password: string, network = office): LoginAttempt {
  return { account, network, fingerprint: `${account}/${password}`.padEnd(22, '-').slice(-22) };
}

/** Failures of the pair, the network and the account. */
export async function countsOf(failed: FailedLogins, attempt: LoginAttempt): Promise<readonly number[]> {
  const { failures } = await failed.look(attempt);
  return [failures.pair.count, failures.network.count, failures.account.count];
}

export function describeFailedLogins(open: () => Promise<FailedLoginsUnderTest>): void {
  describe('as every other', () => {
    let under: FailedLoginsUnderTest;
    let failed: FailedLogins;
    beforeEach(async () => {
      under = await open();
      ({ failed } = under);
    });
    afterEach(() => under.close());

    const fail = async (account: string, times: number, network = office, from = 0): Promise<void> => {
      for (let n = from; n < from + times; n++) await failed.fail(attemptOf(account, `guess ${n}`, network));
    };
    const counts = (account: string, network = office): Promise<readonly number[]> =>
      countsOf(failed, attemptOf(account, 'asked', network));

    test('counts for the pair, for its network and for its account', async () => {
      await fail('dana', 2);
      await fail('dana', 3, elsewhere, 10);
      await fail('rita', 4);
      expect(await counts('dana')).toEqual([2, 6, 5]);
      expect(await counts('dana', elsewhere)).toEqual([3, 3, 5]);
      expect(await counts('nobody', '203.0.113.1')).toEqual([0, 0, 0]);
    });

    test('counts one mistake once, however often it comes from one network, and knows it again there only', async () => {
      const mistake = attemptOf('dana', 'old');
      expect(await failed.look(mistake)).toMatchObject({ isKnownWrong: false });
      for (let n = 0; n < 3; n++) await failed.fail(mistake);
      expect(await counts('dana')).toEqual([1, 1, 1]);
      expect(await failed.look(mistake)).toMatchObject({ isKnownWrong: true });
      expect(await failed.look(attemptOf('dana', 'old', elsewhere))).toMatchObject({ isKnownWrong: false });
      expect(await failed.look(attemptOf('rita', 'old'))).toMatchObject({ isKnownWrong: false });
    });

    test('tells the last sixteen mistakes of an account apart', async () => {
      await fail('dana', 17);
      expect(await failed.look(attemptOf('dana', 'guess 16'))).toMatchObject({ isKnownWrong: true });
      expect(await failed.look(attemptOf('dana', 'guess 1'))).toMatchObject({ isKnownWrong: true });
      expect(await failed.look(attemptOf('dana', 'guess 0'))).toMatchObject({ isKnownWrong: false });
    });

    test('forgives on a success what the pair itself failed, and nothing of others', async () => {
      await fail('dana', 3);
      await fail('dana', 2, elsewhere, 10);
      await fail('rita', 4);
      await failed.succeed(attemptOf('dana', 'right'));
      expect(await counts('dana')).toEqual([0, 4, 2]);
      expect(await counts('dana', elsewhere)).toEqual([2, 2, 2]);
    });

    test('knows where an account has logged in, for thirty days', async () => {
      await failed.succeed(attemptOf('dana', 'right'));
      expect(await failed.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
      expect(await failed.look(attemptOf('dana', 'x', elsewhere))).toMatchObject({ isKnownGood: false });
      expect(await failed.look(attemptOf('rita', 'x'))).toMatchObject({ isKnownGood: false });
    });

    test('counts for the /48 of a network', async () => {
      const sites = ['2001:db8:1:2::/64', '2001:db8:1:3::/64', '2001:db8:2::/64'];
      for (const [n, network] of sites.entries()) await failed.fail(attemptOf(`n${n}`, 'x', network));
      expect(
        await Promise.all(
          sites.map(async (network) => (await failed.look(attemptOf('rita', 'x', network))).failures.site.count),
        ),
      ).toEqual([2, 2, 1]);
    });

    test('gives an account one turn every ten seconds, and asking is not taking it', async () => {
      expect(await failed.turn('dana', false)).toBe(0);
      expect(await Promise.all([failed.turn('dana', true), failed.turn('rita', true)])).toEqual([0, 0]);
      const left = await failed.turn('dana', true);
      expect(left).toBeGreaterThan(8000);
      expect(left).toBeLessThanOrEqual(10_000);
      await under.elapse(10_000);
      expect(await failed.turn('dana', false)).toBe(0);
      expect(await failed.turn('dana', true)).toBe(0);
    });

    test('says how long ago the last failure was', async () => {
      await fail('dana', 1);
      await under.elapse(2 * hour);
      const { failures } = await failed.look(attemptOf('dana', 'x'));
      for (const { ageMs } of Object.values(failures)) {
        expect(ageMs).toBeGreaterThanOrEqual(2 * hour);
        expect(ageMs).toBeLessThan(2 * hour + 60_000);
      }
    });

    test('keeps names apart that look like others', async () => {
      await failed.fail({ account: `dana\n${elsewhere}`, network: office, fingerprint: 'f'.repeat(22) });
      expect(await counts('dana', elsewhere)).toEqual([0, 0, 0]);
      await failed.fail({ account: '__proto__', network: office, fingerprint: 'g'.repeat(22) });
      expect(await counts('__proto__')).toEqual([1, 2, 1]);
      expect(await counts('constructor')).toEqual([0, 2, 0]);
    });

    test('tells endless names apart, and shows the begin of them', async () => {
      const [left, right] = [`${'x'.repeat(20_000)}a`, `${'x'.repeat(20_000)}b`];
      await fail(left, 6);
      await fail(right, 1);
      expect(await counts(left)).toEqual([6, 7, 6]);
      expect(await counts(right)).toEqual([1, 7, 1]);
      const listed = await failed.worst();
      expect(listed.ok && listed.worst.map(({ by, account, network }) => [by, account, network])).toEqual([
        ['pair', 'x'.repeat(128), office],
      ]);
    });

    test('lists who failed often, the latest first, with whatever name a client sent', async () => {
      await fail('dana', 4);
      await fail('a\nb', 6);
      await under.elapse(1000);
      await fail('rita', 12);
      const listed = await failed.worst();
      expect(
        listed.ok && listed.worst.map(({ by, account, network, failures }) => [by, account, network, failures.count]),
      ).toEqual(
        expect.arrayContaining([
          ['pair', 'rita', office, 12],
          ['pair', 'a\nb', office, 6],
          ['network', undefined, office, 22],
        ]),
      );
      expect(listed.ok && listed.worst.some(({ account }) => account === 'dana')).toBe(false);
      expect(listed.ok && listed.worst.at(-1)?.account).toBe('a\nb');
    });
  });
}
