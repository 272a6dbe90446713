import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { startGatewayProcess, type GatewayProcess } from './gateway.ts';
import { type RedisProcess, type RegistryProcess, startRedis, startRegistry } from './registry.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface Replicas {
  /** What clients use: connections go to the replicas in turns. */
  readonly url: string;
  readonly gateways: readonly GatewayProcess[];
  readonly policiesDir: string;
  readonly keysDir: string;
  /** Ends every gateway and starts it anew; what is not in Redis, policies or keys is gone. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface ReplicasOptions {
  readonly upstream: string;
  /** Default: none, so that they share policies and keys alone. */
  readonly redis?: string;
  readonly policies: Readonly<Record<string, string>>;
  readonly count?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Gateways that share policies, keys and perhaps a Redis, behind one address. */
export async function startReplicas({
  upstream,
  redis,
  policies,
  count = 2,
  env = {},
}: ReplicasOptions): Promise<Replicas> {
  const dir = await makeTempDir('replicas');
  const policiesDir = join(dir, 'policies');
  const keysDir = join(dir, 'keys');
  await mkdir(policiesDir);
  await mkdir(keysDir);
  for (const [name, text] of Object.entries(policies)) await writeFile(join(policiesDir, name), text);
  await writeFile(join(keysDir, 'first.pem'), newKey(), { mode: 0o600 });

  const ports: number[] = [];
  const front = await startFront(() => ports);
  const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
  const gateways: GatewayProcess[] = [];
  const startAll = async (): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const gateway = await startGatewayProcess({
        upstream,
        policies: {},
        publicUrl: url,
        env: {
          PORTCULLIS_POLICIES: policiesDir,
          PORTCULLIS_TOKENS_KEYS: keysDir,
          ...(redis === undefined ? {} : { PORTCULLIS_REDIS: redis }),
          ...env,
        },
      });
      gateways.push(gateway);
      ports.push(Number(new URL(gateway.url).port));
    }
  };
  const stopAll = async (): Promise<void> => {
    ports.length = 0;
    await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  };
  await startAll();
  return {
    url,
    gateways,
    policiesDir,
    keysDir,
    restart: async () => {
      await stopAll();
      await startAll();
    },
    stop: async () => {
      front.close();
      await stopAll();
      await removeTempDir(dir);
    },
  };
}

export interface Site extends Replicas {
  readonly registry: RegistryProcess;
  readonly redis: RedisProcess;
}

/** Two of them on a Redis of their own, in front of a registry; `stop` ends all. */
export async function startSite(policy: string): Promise<Site> {
  const [registry, redis] = await Promise.all([startRegistry({ delete: true }), startRedis()]);
  const replicas = await startReplicas({ upstream: registry.url, redis: redis.url, policies: { 'p.yaml': policy } });
  return {
    ...replicas,
    registry,
    redis,
    async stop() {
      await replicas.stop();
      await redis.stop();
      await registry.stop();
    },
  };
}

export function newKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function startFront(ports: () => readonly number[]): Promise<Server> {
  let turn = 0;
  const front = createServer((client: Socket) => {
    const choices = ports();
    const replica = connect(choices[turn++ % choices.length] ?? 0, '127.0.0.1');
    for (const socket of [client, replica]) socket.on('error', () => socket.destroy());
    client.on('close', () => replica.destroy());
    replica.on('close', () => client.destroy());
    client.pipe(replica).pipe(client);
  });
  return new Promise((resolve) => front.listen(0, '127.0.0.1', () => resolve(front)));
}
