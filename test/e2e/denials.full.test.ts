import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ClientKind, type RunningClient, type Session, clientKinds } from '../support/clients.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { containerd2, goClientKinds } from '../support/go-clients.ts';
import { pushImage } from '../support/image.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';

/**
 * What a person reads whose push or pull the policy refuses. oras and helm begin a push with the HEAD of a manifest, which
 * has no body, and do not ask again; containerd 1 shows no body of any reply.
 */
const statusOnly = /403(?: \(?Forbidden|: Forbidden)/;
const shown: readonly (readonly [client: string, push: 'sentence' | 'status', pull: 'sentence' | 'status'])[] = [
  ['docker', 'sentence', 'sentence'],
  ['containerd 2', 'sentence', 'sentence'],
  ['crane', 'sentence', 'sentence'],
  ['skopeo', 'sentence', 'sentence'],
  ['podman', 'sentence', 'sentence'],
  ['buildah', 'sentence', 'sentence'],
  ['regctl', 'sentence', 'sentence'],
  ['oras', 'status', 'sentence'],
  ['helm', 'status', 'sentence'],
  ['ctr', 'status', 'status'],
];
const kinds: readonly ClientKind[] = [...clientKinds, ...goClientKinds, containerd2];
const dana = { account: 'dana', password: 'may use the sandbox' };

let registry: RegistryProcess;
let gateway: GatewayProcess;
let host: string;

beforeAll(async () => {
  registry = await startRegistry();
  const hash = await quickHash(dana.password, { memoryCost: 8192 });
  const rule = "{ name: sandbox, subjects: ['user:dana'], repositories: ['sandbox/**'], actions: [pull, push] }";
  const policies = { 'p.yaml': `users: { dana: { password: '${hash}' } }\nrules: [${rule}]\n` };
  gateway = await startGatewayProcess({ upstream: registry.url, policies });
  ({ host } = new URL(gateway.url));
});
afterAll(async () => {
  await gateway?.stop();
  await registry?.stop();
});

describe('a refusal tells who, what and why', () => {
  for (const [name, push, pull] of shown) {
    const kind = kinds.find((each) => each.name === name);
    if (kind === undefined) throw new Error(`there is no client ${name}`);
    describeWithPrograms(['docker-registry', ...kind.needs], `in ${name}`, () => {
      let client: RunningClient;
      beforeAll(async () => {
        client = await kind.start(host);
      });
      afterAll(() => client?.stop());
      const logIn = async (): Promise<Session> => {
        const session = await client.open();
        onTestFinished(session.end);
        expect(await session.login(dana)).toMatchObject({ succeeded: true });
        return session;
      };
      // skopeo logs the sentence in quotes, regctl the whole reply: their quotes are escaped.
      const sentence = (action: string, repository: string): RegExp =>
        new RegExp(
          `user \\\\*"dana\\\\*" may not ${action} ${repository}(?::1\\.0\\.0|@sha256:\\w+)?: no rule allows it`,
        );

      test(`a push: ${push === 'sentence' ? 'the sentence of the policy' : 'no more than the status'}`, async () => {
        const repository = `release/${name.replace(' ', '-')}/app`;
        const refused = await (await logIn()).push(`${host}/${repository}:1.0.0`);
        expect(refused.succeeded).toBe(false);
        expect(refused.text).toMatch(push === 'sentence' ? sentence('push', repository) : statusOnly);
        expect(await registry.settledAccessLog()).not.toContain(`/v2/${repository}/`);
      });

      test(`a pull: ${pull === 'sentence' ? 'the sentence of the policy' : 'no more than the status'}`, async () => {
        const repository = `private/${name.replace(' ', '-')}/app`;
        await pushImage(registry.url, repository, '1.0.0');
        const before = (await registry.settledAccessLog()).split(`/v2/${repository}/`).length;
        const refused = await (await logIn()).pull(`${host}/${repository}:1.0.0`);
        expect(refused.succeeded).toBe(false);
        expect(refused.text).toMatch(pull === 'sentence' ? sentence('pull', repository) : statusOnly);
        expect((await registry.settledAccessLog()).split(`/v2/${repository}/`)).toHaveLength(before);
      });
    });
  }
});
