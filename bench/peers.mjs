/** Who is measured: how each is configured and started, and what a client has to send to it. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from './client.mjs';
import { closed, repository } from './content.mjs';
import { freePort } from '../test/support/free-port.mjs';
import { Program, answers, found, runDir } from './processes.mjs';

const account = 'bench';
const password = 'correct horse battery';
export const coldAccounts = 4000;
const basic = (name, secret) => ({ Authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` });
/** Headers of the account with that number, which has never logged in. */
export const coldLogin = (index) => basic(`cold${index}`, password);
export const login = basic(account, password);
export const wrongLogin = basic(account, 'wrong horse battery');
const scope = `repository:${repository}:pull,push`;

/**
 * @typedef {{
 *   cores: { measured: number, others: number }, node: string, builds: Map<string, import('./builds.mjs').Build>,
 *   backend: { port: number, program: Program }, redis: { port: number, program: Program } | undefined,
 * }} Lab
 * @typedef {{ id: string, port: number, label: string, variant: string }} Place
 * @typedef {{ command: readonly string[], env?: Record<string, string>, cwd?: string }} Started
 */

function written(name, text) {
  const file = join(runDir, name);
  writeFileSync(file, text);
  return file;
}

/** The registry, with its access log, and what it remembers of blobs in memory, as its image ships. */
function registryCommand({ id, port }) {
  const config = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: join(runDir, 'storage'), maxthreads: 100 },
      cache: { blobdescriptor: 'inmemory' },
      delete: { enabled: true },
    },
    http: { addr: `127.0.0.1:${port}`, secret: 'bench' },
  };
  return { command: [found('docker-registry'), 'serve', written(`${id}.yml`, JSON.stringify(config))] };
}

/** Kept connections and no buffering on disk: its best here. With its access log. */
async function nginxCommand({ backend }, { id, port }, hasAuth) {
  const dir = join(runDir, id);
  mkdirSync(dir, { recursive: true });
  let auth = '';
  if (hasAuth) {
    const { default: bcrypt } = await import('bcrypt');
    // Cost 5 is what htpasswd makes.
    const users = written(`${id}.users`, `${account}:${await bcrypt.hash(password, 5)}\n`);
    auth = `auth_basic bench; auth_basic_user_file ${users}; proxy_set_header Authorization "";`;
  }
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/${kind};`);
  const config = `daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr warn;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 4096; }
http {
  access_log ${join(runDir, `${id}.log`)}; sendfile on; tcp_nopush on; client_max_body_size 0; keepalive_requests 1000000000;
  ${temp.join(' ')}
  upstream registry { server 127.0.0.1:${backend.port}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location /v2/ {
      ${auth}
      proxy_buffering off; proxy_request_buffering off; proxy_buffer_size 64k; proxy_buffers 8 64k;
      proxy_busy_buffers_size 128k; proxy_read_timeout 900;
      proxy_pass http://registry; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;
  return { command: [found('nginx'), '-p', dir, '-c', written(`${id}.conf`, config)] };
}

let hash;

/** The shipped policies without their limits, the account of the load, and what the variant is about. */
async function policies({ dir }, { id, variant }) {
  const folder = join(runDir, `policies-${id}`);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(dir, 'policies'), folder, { recursive: true });
  rmSync(join(folder, 'limits.yaml'), { force: true });
  const { default: argon2 } = await import('argon2');
  hash ??= await argon2.hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  const names = [account];
  if (variant === 'cold') names.push(...Array.from({ length: coldAccounts }, (_, index) => `cold${index}`));
  const lines = ['groups:', '  load: {}', 'users:'];
  for (const name of names) lines.push(`  ${name}: { password: '${hash}', groups: [load] }`);
  lines.push('rules:');
  lines.push(
    `  - { name: load, subjects: [group:load], repositories: ['${dirname(repository)}/**'], actions: [pull, push] }`,
  );
  for (let n = 0; variant === 'rules' && n < 10_000; n++) {
    const who = `subjects: [group:customers], repositories: ['team${n}/**'], actions: [pull]`;
    lines.push(`  - { name: rule ${n}, ${who} }`);
  }
  if (variant === 'limits') {
    lines.push('limits:');
    for (const per of ['account', 'address'])
      lines.push(`  - { name: by-${per}, subjects: [authenticated], count: pull, per: ${per}, rate: 1000000/1s }`);
  }
  writeFileSync(join(folder, 'bench.yaml'), `${lines.join('\n')}\n`);
  return folder;
}

/** One registry for everything, or beside it the same under a prefix that it has as well. */
const behind = (url, prefix) =>
  prefix === ''
    ? `upstream: ${url}\n`
    : `upstreams:\n  main: { url: ${url} }\n  more: { url: ${url}, prefix: ${prefix}, remotePrefix: ${prefix} }\n`;

/** As `npm start` of that build runs it, with the settings of production; tokens live as long as the run. */
async function gatewayCommand(lab, place, { hasRedis = false, isCached = true, blobs = '', prefix = '' } = {}) {
  const build = lab.builds.get(place.label);
  const { port, id } = place;
  const env = {
    NODE_ENV: 'production',
    PATH: [dirname(lab.node), process.env.PATH].join(delimiter),
    PORTCULLIS_CONFIG: written(`${id}.yaml`, behind(`http://127.0.0.1:${lab.backend.port}`, prefix)),
    PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
    PORTCULLIS_PUBLIC_URL: `http://127.0.0.1:${port}`,
    PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${await freePort()}`,
    PORTCULLIS_POLICIES: await policies(build, place),
    PORTCULLIS_STATE_DIR: join(runDir, `state-${id}`),
    PORTCULLIS_TOKENS_ACCESS_TTL: '1d',
    ...(hasRedis ? { PORTCULLIS_REDIS: `redis://127.0.0.1:${lab.redis.port}/0` } : {}),
    ...(build.hasCache && !isCached ? { PORTCULLIS_CACHE_MEMORY: '0' } : {}),
    ...(blobs === '' ? {} : { PORTCULLIS_CACHE_BLOBS: blobs }),
  };
  return { command: ['sh', '-c', build.start], env, cwd: build.dir };
}

const floor = (name, { node, backend }, { port }) => ({
  command: [node, fileURLToPath(new URL(`floors/${name}.mjs`, import.meta.url)), String(port), String(backend.port)],
});

/** Every peer: what it is, the programs without which it cannot be measured, and how it starts. */
export const kinds = {
  registry: {
    about: 'docker-registry alone',
    needs: [],
    start: (_, place) => registryCommand(place),
  },
  nginx: { about: 'nginx in front of it', needs: ['nginx'], start: (lab, place) => nginxCommand(lab, place, false) },
  'nginx-auth': {
    about: 'nginx with auth_basic, bcrypt at cost 5',
    needs: ['nginx'],
    start: (lab, place) => nginxCommand(lab, place, true),
  },
  gateway: { about: 'Portcullis', needs: [], start: (lab, place) => gatewayCommand(lab, place) },
  'gateway-redis': {
    about: 'Portcullis with Redis',
    needs: ['redis-server'],
    start: (lab, place) => gatewayCommand(lab, place, { hasRedis: true }),
  },
  'gateway-uncached': {
    about: 'Portcullis with cache.memory 0',
    needs: [],
    start: (lab, place) => gatewayCommand(lab, place, { isCached: false }),
  },
  'gateway-layers': {
    about: 'Portcullis with cache.blobs 512KiB',
    needs: [],
    start: (lab, place) => gatewayCommand(lab, place, { blobs: '512KiB' }),
  },
  'gateway-prefix': {
    about: 'Portcullis with cache.memory 0, the registry behind a prefix',
    needs: [],
    start: (lab, place) => gatewayCommand(lab, place, { isCached: false, prefix: repository.split('/')[0] }),
  },
  pipe: {
    about: 'floor: node:http, both ways piped, without a decision',
    needs: [],
    start: (lab, place) => floor('pipe', lab, place),
  },
  answers: {
    about: 'floor: node:http from memory, with a line of log',
    needs: [],
    start: (lab, place) => floor('answers', lab, place),
  },
};

/** The Debian package of each program that a run may need. */
export const packages = {
  wrk: 'wrk',
  nginx: 'nginx-light',
  'docker-registry': 'docker-registry',
  'redis-server': 'redis-server',
};

export class Peer {
  /**
   * @param {string} name
   * @param {Place} place
   * @param {Program} program
   * @param {readonly Program[]} helpers what works for it on the other core
   * @param {number} startMs from exec to the first answer
   */
  constructor(name, place, program, helpers, startMs) {
    this.kind = name.split('@')[0];
    this.name = name;
    this.port = place.port;
    this.program = program;
    this.helpers = helpers;
    this.startMs = startMs;
    this.isGateway = this.kind.startsWith('gateway');
    /** Of every request that is allowed. */
    this.headers = this.kind === 'nginx-auth' ? login : {};
  }

  /** Where a token is had; by GET, with the account's password. */
  tokenPath(extra = {}) {
    return `/token?${new URLSearchParams({ service: `127.0.0.1:${this.port}`, scope, ...extra }).toString()}`;
  }

  async token(extra = {}) {
    const { status, body } = await ask(this.port, { path: this.tokenPath(extra), headers: login });
    if (status !== 200) throw new Error(`${this.name} gives no token: ${status} ${body.toString().slice(0, 200)}`);
    return JSON.parse(body.toString());
  }

  /** From here on its requests carry a token, where it gives any. */
  async logIn() {
    if (this.isGateway) this.headers = { Authorization: `Bearer ${(await this.token()).token}` };
  }

  /** A request that it refuses and the status of that; undefined when it refuses nobody. */
  refusal() {
    const path = `/v2/${closed}/manifests/hot`;
    if (this.isGateway) return { path, headers: this.headers, status: 403 };
    if (this.kind === 'nginx-auth') return { path, headers: wrongLogin, status: 401 };
    return undefined;
  }
}

/** The registry behind all, on the other core. Its store is that of the bare one. */
export async function startBackend(lab) {
  const port = await freePort();
  const program = new Program('backend', registryCommand({ id: 'backend', port }).command, { core: lab.cores.others });
  await answers(program, port);
  return { port, program };
}

/** A Redis that keeps nothing on disk, on the other core. */
export async function startRedis(lab) {
  const port = await freePort();
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', runDir];
  return { port, program: new Program('redis', [found('redis-server'), ...options], { core: lab.cores.others }) };
}

/**
 * Starts a peer and resolves once it answers. `variant` names another policy, `instance` a second process.
 * @param {Lab} lab
 * @param {string} name
 * @param {{ variant?: string, instance?: string }} options
 */
export async function startPeer(lab, name, { variant = '', instance = '' } = {}) {
  const [kind, label = ''] = name.split('@');
  const id = [name, variant, instance]
    .filter(Boolean)
    .join('-')
    .replace(/[^\w.-]/g, '-');
  const place = { id, port: await freePort(), label, variant };
  const { command, env, cwd } = await kinds[kind].start(lab, place);
  const begun = performance.now();
  const program = new Program(id, command, { core: lab.cores.measured, env, cwd });
  await answers(program, place.port);
  const startMs = performance.now() - begun;
  const helpers = [
    ...(kind === 'registry' ? [] : [lab.backend.program]),
    ...(kind === 'gateway-redis' ? [lab.redis.program] : []),
  ];
  return new Peer(name, place, program, helpers, startMs);
}

/**
 * The needed programs that are not here.
 * @param {readonly string[]} names
 */
export function missing(names) {
  return [...new Set(names)].filter((name) => found(name) === undefined);
}
