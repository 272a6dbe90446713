/** Registries that verify our tokens themselves, with real clients: nothing of it passes through the gateway. */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningClient, type Session, clientKinds } from '../support/clients.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { carrierAt } from '../support/pushed.ts';
import {
  type Verifier,
  type VerifyingSite,
  partsOf,
  password,
  startVerifyingSite,
} from './support/verifying-registry.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const wholeMs = 600_000;

/** How the two differ; docs/token-mode.md says the same. */
interface Differences {
  readonly needs: readonly string[];
  /** Status for a token of the right key but of another issuer or service. */
  readonly foreign: number;
  /** Status for a token that is made a moment ahead, or ended a moment ago. */
  readonly skewed: number;
  /** Whether a token that is not valid is answered with where to get another one. */
  readonly challenges: boolean;
  /** What somebody reads who may not push. */
  readonly refusal: RegExp;
  /** Status of a catalog for who may see everything. */
  readonly catalog: number;
}

const verifiers: Readonly<Record<Verifier, Differences>> = {
  distribution3: {
    needs: ['go', 'skopeo'],
    ...{
      foreign: 401,
      skewed: 200,
      challenges: true,
      catalog: 200,
      refusal: /denied: requested access to the resource is denied/,
    },
  },
  zot: {
    needs: ['zot', 'skopeo', 'openssl'],
    ...{ foreign: 200, skewed: 401, challenges: false, catalog: 401, refusal: /unauthorized: authentication required/ },
  },
};

for (const name of ['distribution3', 'zot'] as const) {
  const expected = verifiers[name];
  describeWithPrograms(expected.needs, `${name} with tokens of a gateway in token mode`, () => {
    let site: VerifyingSite;
    beforeAll(async () => {
      site = await startVerifyingSite(name);
    }, wholeMs);
    afterAll(() => site?.stop());

    const as = async (who: string, scope: string) => carrierAt(site.registryUrl, await site.tokenOf(who, scope));
    const pulls = async (authorization: string): Promise<Response> =>
      fetch(`${site.registryUrl}/v2/team/app/manifests/v1`, { headers: { authorization, accept: manifestType } });

    test('takes what may be pushed and gives it to who may pull, and refuses the rest', async () => {
      const dana = await as('dana', 'repository:team/app:pull,push');
      expect(await dana.push('team/app', 'v1')).toBe(201);
      const lena = await as('lena', 'repository:team/app:pull,push');
      expect(await lena.pull('team/app', 'v1')).toEqual({ status: 200, isWhole: true });
      expect(await lena.push('team/app', 'v2')).toBe(401);
      const elsewhere = await as('dana', 'repository:other/app:pull,push');
      expect(await elsewhere.push('other/app', 'v1')).toBe(401);
      const nobody = await fetch(`${site.registryUrl}/v2/team/app/manifests/v1`);
      expect(nobody.status).toBe(401);
      expect(nobody.headers.get('www-authenticate')).toContain(`realm="${site.gateway.url}/token"`);
      expect(site.gateway.logs().filter((line) => line['event'] === 'access')).toEqual([]);
    });

    test('deletes for who may, and for nobody else', async () => {
      const dana = await as('dana', 'repository:team/gone:pull,push,delete');
      expect(await dana.push('team/gone', 'v1')).toBe(201);
      const found = await dana.ask('/v2/team/gone/manifests/v1', { method: 'HEAD' });
      const place = `/v2/team/gone/manifests/${found.headers.get('docker-content-digest') ?? ''}`;
      const lena = await as('lena', 'repository:team/gone:pull,push,delete');
      expect((await lena.ask(place, { method: 'DELETE' })).status).toBe(401);
      expect((await dana.ask(place, { method: 'DELETE' })).status).toBe(202);
    });

    describe('as docs/token-mode.md says of it', () => {
      test('tokens of another issuer or service, and clocks', async () => {
        const foreign = [{ iss: 'https://another.example.com' }, { aud: 'another.example.com' }];
        for (const claims of foreign) expect((await pulls(await signed(claims))).status).toBe(expected.foreign);
        const now = Math.floor(Date.now() / 1000);
        for (const claims of [{ nbf: now + 20, iat: now + 20 }, { exp: now - 20 }])
          expect((await pulls(await signed(claims))).status).toBe(expected.skewed);
      });

      test('what it says to a token that has ended', async () => {
        const reply = await pulls(await signed({ exp: Math.floor(Date.now() / 1000) - 600 }));
        expect(reply.status).toBe(401);
        expect(reply.headers.has('www-authenticate')).toBe(expected.challenges);
      });

      test('who may list it', async () => {
        const list = async (who: string): Promise<number> =>
          (await (await as(who, 'registry:catalog:*')).ask('/v2/_catalog')).status;
        expect([await list('dana'), await list('lena')]).toEqual([expected.catalog, 401]);
      });

      test('blobs of a repository that their pusher may not read: zot with dedupe gives them to who knows the digest', async () => {
        expect(await takesUnread('v1')).toEqual([false, false]);
        if (name !== 'zot') return;
        await site.restart({ dedupe: true });
        expect(await takesUnread('v2')).toEqual([true, true]);
        await site.restart();
      });
    });

    for (const kind of clientKinds.filter(({ name: client }) => ['docker', 'skopeo', 'podman'].includes(client)))
      describeWithPrograms(kind.needs, `${kind.name}, by the challenge of the registry,`, () => {
        let client: RunningClient;
        let session: Session;
        beforeAll(async () => {
          client = await kind.start(site.host);
          session = await client.open();
        });
        afterAll(async () => {
          await session?.end();
          await client?.stop();
        });

        test('logs in, pushes, pulls, and is refused what may not be', async () => {
          const reference = `${site.host}/team/by-${kind.name}:v1`;
          expect((await session.login({ account: 'dana', password: 'a wrong one' })).succeeded).toBe(false);
          expect(await session.login({ account: 'dana', password })).toMatchObject({ succeeded: true });
          expect(await session.push(reference)).toMatchObject({ succeeded: true });
          expect((await session.push(`${site.host}/other/app:v1`)).succeeded).toBe(false);
          expect(await session.login({ account: 'lena', password })).toMatchObject({ succeeded: true });
          expect(await session.pull(reference)).toMatchObject({ succeeded: true });
          const refused = await session.push(reference);
          expect(refused.succeeded).toBe(false);
          expect(refused.text).toMatch(expected.refusal);
          expect((await session.pull(`${site.host}/mine/app:v1`)).succeeded).toBe(false);
        });
      });

    test('somebody who is shut out gets no further token, and what they hold ends with its minute', async () => {
      const [, { exp, iat } = {}] = partsOf(await site.tokenOf('lena', 'repository:team/app:pull'));
      expect(Number(exp) - Number(iat)).toBe(60);
      await site.setPolicy(', disabled: true');
      await site.gateway.findLog((line) => line['event'] === 'policy' && line['decision'] === 'allow');
      expect(await site.asked('lena', 'repository:team/app:pull')).toBe(401);
    });

    test('keys change, as the page tells it', async () => {
      const works = async (): Promise<number> =>
        (await pulls(await site.tokenOf('dana', 'repository:team/app:pull'))).status;
      const held = async (): Promise<number> =>
        ((await (await fetch(`${site.gateway.url}/.well-known/jwks.json`)).json()) as { keys: readonly unknown[] }).keys
          .length;
      const kidNow = async (): Promise<unknown> =>
        partsOf(await site.tokenOf('dana', 'repository:team/app:pull'))[0]?.['kid'];
      const first = await kidNow();
      expect(await site.key('next')).toMatchObject({ code: 0 });
      await expect.poll(held).toBe(2);
      expect(await works()).toBe(200);
      // All published keys, where the registry takes several; of zot's one, the old one signs until the rotation.
      if (name === 'distribution3') {
        await site.restart();
        expect(await works()).toBe(200);
      }
      expect(await site.key('rotate')).toMatchObject({ code: 0 });
      await expect.poll(kidNow, { timeout: 180_000, interval: 1000 }).not.toBe(first);
      if (name === 'zot') {
        expect(await works()).toBe(401);
        await site.restart();
      }
      expect(await works()).toBe(200);
    });

    /** Whether mia gets a layer of a repository of dana's by a mount, and then reads it. */
    async function takesUnread(tag: string): Promise<readonly boolean[]> {
      const dana = await as('dana', 'repository:team/secret:pull,push');
      expect(await dana.push('team/secret', tag)).toBe(201);
      const manifest = (await (await dana.ask(`/v2/team/secret/manifests/${tag}`)).json()) as {
        readonly layers: readonly { readonly digest: string }[];
      };
      const digest = manifest.layers[0]?.digest ?? '';
      const mia = await as('mia', 'repository:mine/copy:pull,push&scope=repository:team/secret:pull');
      const target = `/v2/mine/copy/blobs/uploads/?mount=${digest}&from=team/secret`;
      const mounted = await mia.ask(target, { method: 'POST' });
      const got = await mia.ask(`/v2/mine/copy/blobs/${digest}`);
      return [mounted.status === 201, got.status === 200];
    }

    /** A token that is good but for these claims. */
    async function signed(claims: Readonly<Record<string, unknown>>): Promise<string> {
      const [header, payload] = partsOf(await site.tokenOf('dana', 'repository:team/app:pull'));
      const key = createPrivateKey(await readFile((await site.keyFiles())[0] ?? ''));
      const token = new SignJWT({ ...payload, ...claims }).setProtectedHeader({ alg: '', ...header });
      return `Bearer ${await token.sign(key)}`;
    }
  });
}
