/** What a client of one person does at the token endpoint, and with what it got there. */
import { digestOf } from '../../../src/distribution/digest.ts';

export interface Tokens {
  readonly access: string;
  /** Of a login that stays. */
  readonly refresh: string;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

interface TokenReply {
  readonly access_token: string;
  readonly refresh_token?: string;
}

/** A login that stays, as `docker login` opens one. Throws where it is refused. */
export async function logIn(url: string, account: string, password: string, scope: string): Promise<Tokens> {
  const form = { grant_type: 'password', username: account, password, access_type: 'offline', scope };
  const reply = await post(url, { ...form, service: '', client_id: 'test' });
  if (reply.status !== 200) throw new Error(`the login of ${account} is answered ${reply.status}`);
  const { access_token: access, refresh_token: refresh = '' } = (await reply.json()) as TokenReply;
  return { access, refresh };
}

/** A new access token, or the status of the refusal. */
export async function renew(url: string, refresh: string, scope: string): Promise<string | number> {
  const form = { grant_type: 'refresh_token', refresh_token: refresh, scope, service: '', client_id: 'test' };
  const reply = await post(url, form);
  if (reply.status !== 200) return reply.status;
  return ((await reply.json()) as TokenReply).access_token;
}

/** The status. */
export async function revoke(url: string, token: string): Promise<number> {
  const reply = await fetch(`${url}/token/revoke`, { method: 'POST', body: new URLSearchParams({ token }) });
  await reply.arrayBuffer();
  return reply.status;
}

/** The status of the manifest, pulled by its tag. */
export async function pullStatus(url: string, access: string, image: string): Promise<number> {
  const [repository = '', tag = ''] = image.split(':');
  const headers = { authorization: `Bearer ${access}`, accept: manifestType };
  const reply = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { headers });
  await reply.arrayBuffer();
  return reply.status;
}

/** Digest of the manifest that a tag leads to, as its reader computes it. */
export async function pulledDigest(url: string, access: string, image: string): Promise<string> {
  const [repository = '', tag = ''] = image.split(':');
  const headers = { authorization: `Bearer ${access}`, accept: manifestType };
  const reply = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { headers });
  return digestOf(Buffer.from(await reply.arrayBuffer()));
}

function post(url: string, form: Readonly<Record<string, string>>): Promise<Response> {
  const { service, ...rest } = form;
  return fetch(`${url}/token`, {
    method: 'POST',
    body: new URLSearchParams(service === '' ? rest : { ...rest, service: service ?? '' }),
  });
}
