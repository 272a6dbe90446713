/**
 * Stored password hashes, read with bounds: verifying `$argon2id$v=19$m=4294967295,…` takes the memory it names,
 * and one such line in a users file ends the process.
 */

export type PasswordHash =
  | { readonly scheme: 'argon2id'; readonly text: string; readonly cost: Argon2Cost }
  | { readonly scheme: 'bcrypt'; readonly text: string; readonly cost: number };

export interface Argon2Cost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** Below 8 MiB or with a salt under 16 bytes a stolen file is guessed on one graphics card. */
const argon2Bounds = { memoryKib: [8192, 262_144], passes: [1, 10], lanes: [1, 16] } as const;
const bcryptBounds = [4, 14] as const;

const argon2id =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
const bcrypt = /^\$2([aby])\$(\d{2})\$([./A-Za-z0-9]{53})$/;

/** `$2y$`, which Apache's htpasswd writes, is `$2b$` by another name; the bcrypt library knows only the latter. */
export function parsePasswordHash(text: string): PasswordHash | { readonly problem: string } {
  const memory = argon2id.exec(text);
  if (memory !== null) {
    const [, memoryKib, passes, lanes] = memory.map(Number);
    const cost = { memoryKib: memoryKib ?? 0, passes: passes ?? 0, lanes: lanes ?? 0 };
    const problem = argon2Problem(cost, memory[4] ?? '');
    return problem === undefined ? { scheme: 'argon2id', text, cost } : { problem };
  }
  const legacy = bcrypt.exec(text);
  if (legacy !== null) {
    const cost = Number(legacy[2]);
    const [low, high] = bcryptBounds;
    if (cost < low || cost > high) return { problem: `bcrypt cost ${cost} is outside ${low} to ${high}` };
    return { scheme: 'bcrypt', text: `$2b$${legacy[2]}$${legacy[3]}`, cost };
  }
  if (text.startsWith('$argon2i$') || text.startsWith('$argon2d$')) {
    return { problem: 'only the argon2id variant is accepted; make a new hash with: portcullis hash' };
  }
  return { problem: 'expected an argon2id or bcrypt hash; make one with: portcullis hash' };
}

const remedy = 'make a new hash with: portcullis hash';
/** Characters of base64 for 16 bytes. */
const shortestSalt = 22;

function argon2Problem(cost: Argon2Cost, salt: string): string | undefined {
  if (salt.length < shortestSalt) return `the salt is shorter than 16 bytes; ${remedy}`;
  const names = { memoryKib: 'm (KiB of memory)', passes: 't (passes)', lanes: 'p (lanes)' };
  for (const key of ['memoryKib', 'passes', 'lanes'] as const) {
    const [low, high] = argon2Bounds[key];
    if (cost[key] < low || cost[key] > high)
      return `argon2id ${names[key]} = ${cost[key]} is outside ${low} to ${high}; ${remedy}`;
  }
  return undefined;
}

/** What stands in a password file in place of a hash that can be used, in words; undefined for what looks like one. */
export function foreignScheme(password: string): string | undefined {
  if (password === '') return 'an empty password';
  if (password.startsWith('$apr1$') || password.startsWith('$1$')) return 'an MD5 hash';
  if (password.startsWith('{SHA}')) return 'a SHA-1 hash';
  if (password.startsWith('{SSHA}')) return 'a salted SHA-1 hash';
  if (password.startsWith('$5$')) return 'a SHA-256 crypt hash';
  if (password.startsWith('$6$')) return 'a SHA-512 crypt hash';
  if (/^\$(?:2[abxy]|argon2)/.test(password)) return undefined;
  if (password.startsWith('pct_')) return 'a password that begins as access tokens do (pct_)';
  if (/^\{PLAIN\}$/.test(password)) return 'an empty password';
  return 'a crypt() hash, or what may be one,';
}
