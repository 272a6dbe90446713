/** Credentials for a registry from a docker credential helper: asked one call at a time, and remembered for a while. */
import type { StoredLogin } from '../../distribution/docker-logins.ts';
import type { CredentialReading, CredentialSource } from '../../ports.ts';
import { askHelper } from './credential-helper.ts';

export interface HelperTerms {
  /** Without `docker-credential-`. */
  readonly name: string;
  /** Of the registry. */
  readonly origin: URL;
  /** The gateway's own; its settings do not reach the helper. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds for all that it is asked at one time. */
  readonly waitMs?: number;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

const usualWaitMs = 10_000;
const keptMs = 600_000;
/** For so long a failure stands: each call may take its whole time. */
const failureMs = 5000;

/** Runs nothing before it is asked. */
export function createHelperCredentials(terms: HelperTerms): CredentialSource {
  const now = terms.now ?? (() => performance.now());
  let kept: { readonly reading: CredentialReading; readonly until: number } | undefined;
  let asking: Promise<CredentialReading> | undefined;
  const begin = async (): Promise<CredentialReading> => {
    const reading = await ask(terms);
    kept = { reading, until: now() + (reading.ok ? keptMs : failureMs) };
    asking = undefined;
    return reading;
  };
  return {
    get: () => (kept !== undefined && now() < kept.until ? Promise.resolve(kept.reading) : (asking ??= begin())),
    forget(login: StoredLogin) {
      if (kept?.reading.ok === true && kept.reading.login === login) kept = undefined;
    },
  };
}

/** Under each name that `docker login` may have kept it by. */
async function ask({ name, origin, env, waitMs = usualWaitMs }: HelperTerms): Promise<CredentialReading> {
  const deadline = performance.now() + waitMs;
  const own = Object.fromEntries(Object.entries(env).filter(([variable]) => !variable.startsWith('PORTCULLIS_')));
  for (const server of serversOf(origin)) {
    const left = Math.max(1, deadline - performance.now());
    const answer = await askHelper({ name, server, env: own, waitMs: left, isAttended: false });
    if (!answer.ok) return { ok: false, detail: answer.problem };
    if (answer.login === undefined) continue;
    // Basic has no room for it (RFC 7617).
    if (answer.login.kind === 'password' && answer.login.account.includes(':'))
      return { ok: false, detail: `docker-credential-${name} gives a user name with a colon` };
    return { ok: true, login: answer.login };
  }
  return { ok: false, detail: `docker-credential-${name} has no login for ${origin.host}` };
}

function serversOf({ host, origin }: URL): readonly string[] {
  const isHub = host === 'docker.io' || host.endsWith('.docker.io');
  return [host, origin, ...(isHub ? ['https://index.docker.io/v1/'] : [])];
}
