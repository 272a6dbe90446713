/** A registry with a little of everything, behind the built gateway and the policies that are shipped: what pages show. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTestStore } from './page-content.ts';
import { type GatewayProcess, startGatewayProcess } from './gateway.ts';
import { quickHash } from './policies.ts';
import { startRegistry } from './registry.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';
import { copyPolicies } from './trial.ts';

export const password = 'correct horse battery';

/** By what the shipped policies let them do. */
export const people = {
  ada: 'admins',
  dana: 'developers',
  theo: 'testers',
  rita: 'release-managers',
  acme: 'customers',
  builder: 'build-servers',
} as const;
export type Person = keyof typeof people;

export interface PageSite {
  readonly gateway: GatewayProcess;
  readonly registry: Behind;
  /** `127.0.0.1:PORT`, as commands name it. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** What the gateway stands in front of. */
interface Behind {
  readonly url: string;
  readonly stop: () => Promise<unknown>;
}

export interface PageSiteOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Policy files beside those that are shipped. */
  readonly policies?: Readonly<Record<string, string>>;
  /** Default: true. */
  readonly isFilled?: boolean;
  /** Default: Debian's distribution. */
  readonly startBehind?: () => Promise<Behind>;
}

/** Everybody has the same password. */
export async function startPageSite({
  env = {},
  policies = {},
  isFilled = true,
  startBehind = startRegistry,
}: PageSiteOptions = {}): Promise<PageSite> {
  const dir = await makeTempDir('page-site');
  await copyPolicies(dir);
  const policiesDir = join(dir, 'policies');
  await rm(join(policiesDir, 'README.md'), { force: true });
  await writeFile(join(policiesDir, 'people.yaml'), await peopleFile(join(policiesDir, 'people.yaml')));
  for (const [name, text] of Object.entries(policies)) await writeFile(join(policiesDir, name), text);
  const registry = await startBehind();
  const gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: {},
    env: { PORTCULLIS_POLICIES: policiesDir, ...env },
  });
  await mkdir(dir, { recursive: true });
  if (isFilled) await createTestStore(gateway.url, registry.url, password);
  return {
    gateway: { ...gateway, policiesDir },
    registry,
    host: new URL(gateway.url).host,
    async stop() {
      await gateway.stop();
      await registry.stop();
      await removeTempDir(dir);
    },
  };
}

/** The groups and robots of the file, and accounts that can log in. */
async function peopleFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  const hash = await quickHash(password);
  const users = Object.entries(people).map(([name, group]) => `  ${name}: { password: "${hash}", groups: [${group}] }`);
  const at = text.indexOf('\nusers:\n');
  const robots = text.indexOf('\nrobots:\n');
  return `${text.slice(0, at)}\nusers:\n${users.join('\n')}\n${text.slice(robots)}`;
}
