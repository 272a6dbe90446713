/** Where try mode finds the registry that the gateway stands in front of. */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Attempt, type Search, type Upstream, startContainer, startProgram } from './registry.ts';
import { probeRegistry } from './request.ts';
import { findProgram, isProgram, runProgram } from './program.ts';

export type FoundUpstream =
  { readonly ok: true; readonly upstream: Upstream } | { readonly ok: false; readonly message: string };

export interface UpstreamSearch extends Search {
  /** The configured upstream. When given it is the only one considered. */
  readonly upstream: string | undefined;
  /** Where an open registry is looked for. */
  readonly localRegistry?: string;
}

const probeMs = 5000;
const downloadMs = 120_000;

/** The first registry that works, in the order of the messages below; starts one when none is running. */
export async function findUpstream(options: UpstreamSearch): Promise<FoundUpstream> {
  if (options.upstream !== undefined) return checkGiven(options.upstream, options.signal);

  const search: Search = { ...options, stateDir: resolve(options.stateDir) };
  const local = options.localRegistry ?? 'http://127.0.0.1:5000';
  const ways: readonly (readonly [way: string, attempt: () => Promise<Attempt>])[] = [
    [`run an open registry on ${new URL(local).host}`, () => findLocal(local, search)],
    [
      'put registry or docker-registry on PATH (Debian, Ubuntu: sudo apt-get install docker-registry)',
      () => startInstalled(search),
    ],
    ['on Debian or Ubuntu, let the package be unpacked without root', () => startUnpacked(search)],
    ['start a Docker engine', () => startContainer(search)],
  ];
  const failures = ['name one: PORTCULLIS_UPSTREAM=http://host:5000 (not set)'];
  for (const [way, attempt] of ways) {
    const result = await attempt();
    if (search.signal?.aborted === true) {
      if (result.ok) await result.upstream.stop();
      return { ok: false, message: 'interrupted while looking for a registry' };
    }
    if (result.ok) return result;
    failures.push(`${way} (${result.reason})`);
  }
  return {
    ok: false,
    message: ['there is no registry to stand in front of. Any one of these will do:', ...failures].join('\n  - '),
  };
}

async function checkGiven(upstream: string, signal: AbortSignal | undefined): Promise<FoundUpstream> {
  const url = URL.canParse(upstream) ? new URL(upstream) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return { ok: false, message: 'the upstream is not an http:// or https:// address, such as http://127.0.0.1:5000' };
  }
  if (url.username !== '' || url.password !== '') {
    return { ok: false, message: `the upstream ${url.host} must be given without a user name and password` };
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return { ok: false, message: `the upstream must be scheme, host and port only: ${url.origin}` };
  }
  const probe = await probeRegistry(url.origin, probeMs, signal);
  switch (probe.kind) {
    case 'open':
      return { ok: true, upstream: { url: url.origin, description: 'the configured registry', stop: async () => {} } };
    case 'guarded': {
      const message =
        `the upstream ${url.origin} has an access control of its own (GET /v2/ answered 401). ` +
        'Switch that off and let only the gateway reach the registry, or name another one. ' +
        'If this is a Portcullis, name the registry behind it.';
      return { ok: false, message };
    }
    case 'other': {
      const message = `the upstream ${url.origin} does not answer like a registry (GET /v2/ answered ${probe.status}); check the address`;
      return { ok: false, message };
    }
    case 'unreachable':
      return { ok: false, message: `the upstream ${url.origin} cannot be reached: ${probe.reason}` };
  }
}

async function findLocal(local: string, search: Search): Promise<Attempt> {
  const probe = await probeRegistry(local, 1000, search.signal);
  switch (probe.kind) {
    case 'open': {
      const description = 'the open registry that was already running';
      return { ok: true, upstream: { url: new URL(local).origin, description, stop: async () => {} } };
    }
    case 'guarded':
      return { ok: false, reason: 'what is there has an access control of its own: 401' };
    case 'other':
      return { ok: false, reason: `what is there is not a registry: ${probe.status}` };
    case 'unreachable':
      return { ok: false, reason: probe.reason };
  }
}

async function startInstalled(search: Search): Promise<Attempt> {
  let reason = 'neither is there';
  for (const name of ['registry', 'docker-registry']) {
    const program = await findProgram(name, search.env);
    if (program === undefined) continue;
    const attempt = await startProgram(program, search);
    if (attempt.ok) return attempt;
    reason = `${program}: ${attempt.reason}`;
  }
  return { ok: false, reason };
}

async function startUnpacked(search: Search): Promise<Attempt> {
  const directory = join(search.stateDir, 'registry-program');
  const program = join(directory, 'usr/bin/docker-registry');
  if (await isProgram(program)) {
    const attempt = await startProgram(program, search);
    if (attempt.ok || search.signal?.aborted === true) return attempt;
  }
  const aptGet = await findProgram('apt-get', search.env);
  const dpkg = await findProgram('dpkg', search.env);
  if (aptGet === undefined || dpkg === undefined) return { ok: false, reason: 'apt-get and dpkg are not there' };

  search.report('no registry on this machine: downloading the package docker-registry (5 MB, once, no root needed)');
  await mkdir(search.stateDir, { recursive: true, mode: 0o700 });
  const workplace = await mkdtemp(join(search.stateDir, 'download-'));
  try {
    const options = { env: search.env, timeoutMs: downloadMs, cwd: workplace, signal: search.signal };
    // As root apt would hand the download to its own user, who cannot enter our private directory.
    const unsandboxed = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
    const download = await runProgram(aptGet, [...unsandboxed, 'download', 'docker-registry'], options);
    const archive = (await readdir(workplace)).find((name) => name.endsWith('.deb'));
    if (!download.ok || archive === undefined) {
      const words = download.ok ? 'no package arrived' : download.reason;
      return { ok: false, reason: `apt-get download: ${words}; where package lists are missing: sudo apt-get update` };
    }
    const unpacked = await runProgram(dpkg, ['-x', archive, 'unpacked'], options);
    if (!unpacked.ok) return { ok: false, reason: `dpkg -x: ${unpacked.reason}` };
    await rm(directory, { recursive: true, force: true });
    await rename(join(workplace, 'unpacked'), directory);
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
  return startProgram(program, search);
}
