/** The registries behind: whether they answer, to whom, and what they let be done. */
import type { UpstreamTerms } from '../config/upstreams.ts';
import type { WebAnswer } from '../ports/doctor.ts';
import { field, parseJson } from '../distribution/json.ts';
import { createUpstreams } from '../distribution/upstreams.ts';
import { registriesOf as leadingTo } from '../policy/analysis/registries.ts';
import type { RepositoryPattern } from '../policy/pattern.ts';
import { rights } from '../policy/model.ts';
import { type Check, type Outcome, fail, ok, skip, warn, worst } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { realmOf } from './front.ts';

/** URLs of all registries. */
export function registriesOf({ config }: Context): readonly string[] {
  return config.upstreams.map(({ url }) => url);
}

/** One outcome of all registries. */
export async function ofEach(context: Context, judge: (each: UpstreamTerms) => Promise<Outcome>): Promise<Outcome> {
  const { upstreams } = context.config;
  if (upstreams.length === 0) return skip('no registry is configured', 'set upstream');
  return worst(await Promise.all(upstreams.map(judge)));
}

/** Why nothing can be asked of a registry without a login; undefined: it answers anybody. */
export async function closed(context: Context, upstream: UpstreamTerms): Promise<Outcome | undefined> {
  const answer = await context.registry(upstream);
  if (isFailure(answer)) return skip(`${upstream.url} does not answer: see 11`);
  return answer.status === 200 ? undefined : skip(`${upstream.url} answers ${answer.status} without a login: see 12`);
}

const triedRepositories = 10;
const imageTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
const nobodysDigest = `sha256:${'0'.repeat(64)}`;

export const registryChecks: readonly Check[] = [
  {
    number: 11,
    name: 'registry',
    asks: registriesOf,
    run: (context) => ofEach(context, (each) => answers(context, each)),
  },
  {
    number: 12,
    name: 'registry login',
    asks: registriesOf,
    run: (context) => ofEach(context, (each) => lets(context, each)),
  },
  {
    number: 14,
    name: 'deletion',
    asks: registriesOf,
    run(context) {
      const { policy } = context;
      if (policy === undefined) return skip('the policies cannot be read: see 4');
      const behind = createUpstreams(context.config.upstreams);
      const giving = policy.rules.filter(
        ({ effect, mode, rights: given }) => effect === 'allow' && mode === 'enforce' && (given & rights.delete) !== 0,
      );
      return ofEach(context, async (each) => {
        const leadsThere = (pattern: RepositoryPattern): boolean => leadingTo(behind, pattern).includes(each);
        const rule = each.access === 'read' ? undefined : giving.find((one) => one.repositories.some(leadsThere));
        return rule === undefined ? ok(`nobody may delete in ${each.url}`) : deletes(context, each, rule.name);
      });
    },
  },
  {
    number: 15,
    name: 'redirects to storage',
    asks: registriesOf,
    run: (context) => ofEach(context, (each) => redirects(context, each)),
  },
];

async function answers(context: Context, upstream: UpstreamTerms): Promise<Outcome> {
  const { url } = upstream;
  const answer = await context.registry(upstream);
  const fix = 'start the registry, or correct `upstream`';
  if (isFailure(answer)) return fail(`${url} does not answer: ${answer.failed}`, fix);
  if (answer.status === 200 && !isOfRegistry(answer))
    return fail(`${url}/v2/ answers with something else than a registry does`, fix);
  if (answer.status === 200) return ok(`${url} answers (${productOf(answer)})`);
  if (answer.status === 401) return ok(`${url} answers (${productOf(answer)}) and asks for a login: see 12`);
  return fail(`${url}/v2/ answers ${answer.status}: that is no registry`, fix);
}

/** There are servers that answer whatever is asked, with a page. */
export function isOfRegistry({ headers, body }: WebAnswer): boolean {
  return (
    headers['docker-distribution-api-version'] !== undefined || body.trim() === '' || parseJson(body) !== undefined
  );
}

function productOf({ headers }: WebAnswer): string {
  const version = headers['docker-distribution-api-version'];
  return headers['server'] ?? (version === undefined ? 'of unknown kind' : `distribution API ${version}`);
}

async function lets(context: Context, upstream: UpstreamTerms): Promise<Outcome> {
  const { url, credentials } = upstream;
  const answer = await context.registry(upstream);
  if (isFailure(answer)) return skip(`${url} does not answer: see 11`);
  if (context.config.enforce === 'token') return verifiesOurs(context, url, answer);
  if (credentials !== undefined) {
    const login = await context.registryLogin(upstream);
    const fix = 'correct username and password of its credentials, or what the account may do there';
    return login.ok ? ok(`${url} takes our login`) : fail(`${url} does not take our login: ${login.detail}`, fix);
  }
  if (answer.status !== 401) return ok(`${url} asks nobody who they are`);
  const realm = realmOf(answer);
  const by = realm === undefined ? 'by password' : `for tokens of ${realm}`;
  const fix = 'switch its own login off and let only the gateway reach it, or give it `credentials` in upstreams';
  return fail(
    `${url} asks for a login ${by}: what clients show is the gateway's, and every request would be refused`,
    fix,
  );
}

function verifiesOurs({ config }: Context, url: string, answer: WebAnswer): Outcome {
  const own = `${config.publicUrl}/token`;
  const realm = realmOf(answer);
  if (answer.status === 200)
    return fail(`${url} asks nobody for our tokens`, 'set its auth.token to this gateway: see docs/token-mode.md');
  return realm === own
    ? ok(`${url} asks for our tokens`)
    : fail(`${url} names ${realm ?? 'nobody'} for tokens`, `set the realm of its auth.token to ${own}`);
}

/** Nothing is deleted: nobody has that digest. */
async function deletes(context: Context, upstream: UpstreamTerms, rule: string): Promise<Outcome> {
  const not = await closed(context, upstream);
  if (not !== undefined) return not;
  const path = `/v2/portcullis-doctor/manifests/${nobodysDigest}`;
  const answer = await context.web.ask(upstream.url + path, { method: 'DELETE', ...trusting(context, upstream) });
  if (isFailure(answer)) return fail(`${upstream.url} does not answer a DELETE: ${answer.failed}`, 'see its log');
  if (answer.status !== 405) return ok(`${upstream.url} lets be deleted what rules let`);
  const fix =
    'set storage.delete.enabled: true at the registry (REGISTRY_STORAGE_DELETE_ENABLED=true), or drop the rule';
  return fail(`${upstream.url} deletes nothing, and rule "${rule}" allows it`, fix);
}

/** Whose certificates are believed there. */
export function trusting(context: Context, { ca }: UpstreamTerms): { readonly ca?: string | undefined } {
  return ca === undefined ? {} : { ca: context.authorities(ca) };
}

/** Where one blob comes from, of the first image that is found in a few repositories. */
async function redirects(context: Context, upstream: UpstreamTerms): Promise<Outcome> {
  const not = await closed(context, upstream);
  if (not !== undefined) return not;
  const { url, redirects: rules } = upstream;
  const path = await someBlob(context, upstream);
  if (path === undefined) return ok(`${url} has no image to look at yet`);
  const answer = await context.web.ask(url + path, { method: 'HEAD', ...trusting(context, upstream) });
  if (isFailure(answer)) return warn(`${url}${path} does not answer: ${answer.failed}`, 'see the log of the registry');
  if (answer.status < 300 || answer.status > 399) return ok(`${url} serves content itself`);
  const target = new URL(answer.headers['location'] ?? '', url);
  if (rules.mode === 'follow') {
    const isNamed = rules.hosts.some((host) => matchesHost(host, target));
    return isNamed
      ? ok(`${url} redirects to ${target.host}, which the gateway follows`)
      : fail(`${url} redirects to ${target.host}, which is not in redirects.hosts`, `add ${target.host} there`);
  }
  if (!context.mayReach(target.href)) return skip(`--offline: ${target.host} is not asked`);
  const reached = await context.web.ask(target.href, { method: 'HEAD', withinMs: 2000, believesAnybody: true });
  const fix = `let clients reach ${target.host}, or set redirects.mode: follow and redirects.hosts: [${target.hostname}]`;
  return isFailure(reached)
    ? fail(`${url} redirects clients to ${target.host}, which cannot be reached: ${reached.failed}`, fix)
    : ok(`${url} redirects clients to ${target.host}, which answers`);
}

function matchesHost(pattern: string, { host, hostname }: URL): boolean {
  if (pattern.startsWith('*.')) return hostname.endsWith(pattern.slice(1));
  return pattern === host || pattern === hostname;
}

async function someBlob(context: Context, upstream: UpstreamTerms): Promise<string | undefined> {
  const read = async (path: string): Promise<unknown> => {
    const headers = { accept: imageTypes };
    const answer = await context.web.ask(upstream.url + path, {
      headers,
      ...trusting(context, upstream),
      withinMs: 2000,
    });
    return isFailure(answer) || answer.status !== 200 ? undefined : parseJson(answer.body);
  };
  const blobOf = async (repository: unknown): Promise<string | undefined> => {
    const tag = firstOf(field(await read(`/v2/${String(repository)}/tags/list?n=1`), 'tags'));
    if (typeof tag !== 'string') return undefined;
    const named = await read(`/v2/${String(repository)}/manifests/${tag}`);
    const child = field(firstOf(field(named, 'manifests')), 'digest');
    const manifest = typeof child === 'string' ? await read(`/v2/${String(repository)}/manifests/${child}`) : named;
    const digest = field(manifest, 'config', 'digest');
    return typeof digest === 'string' ? `/v2/${String(repository)}/blobs/${digest}` : undefined;
  };
  // One from which all was deleted is listed for ever.
  const repositories = field(await read(`/v2/_catalog?n=${triedRepositories}`), 'repositories');
  const found = Array.isArray(repositories) ? repositories.slice(0, triedRepositories).map(blobOf) : [];
  return (await Promise.all(found)).find((path) => path !== undefined);
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}
