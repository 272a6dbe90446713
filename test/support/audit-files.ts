/** Audit files as a gateway writes them, with a clock and a key of the test, and what verifying says of them. */
import { type KeyObject, generateKeyPairSync } from 'node:crypto';
import { verifyDirectory } from '../../src/adapters/audit/verified.ts';
import { type AuditTrouble, type AuditWriter, openAuditWriter } from '../../src/adapters/audit/writer.ts';
import { checkpointType } from '../../src/audit/chain.ts';
import { type PublicKey, readKeySet } from '../../src/audit/checkpoint.ts';
import type { AuditRecord, TokenKey } from '../../src/ports.ts';
import { signCompact } from '../../src/token/signature.ts';

export function makeKey(): { readonly token: TokenKey; readonly keys: ReadonlyMap<string, PublicKey> } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = keysOf([publicKey]);
  const [kid = ''] = keys.keys();
  return { token: { kid, algorithm: 'ES256', privateKey, publicKey }, keys };
}

export function keysOf(publicKeys: readonly KeyObject[]): ReadonlyMap<string, PublicKey> {
  const set = { keys: publicKeys.map((key) => ({ ...key.export({ format: 'jwk' }), alg: 'ES256' })) };
  return new Map((readKeySet(JSON.stringify(set)) ?? []).map((key) => [key.kid, key]));
}

export const noon = Date.UTC(2026, 10, 26, 12);

export interface Desk {
  readonly writer: AuditWriter;
  readonly troubles: AuditTrouble[];
  now: number;
}

/** A writer whose clock stands still until it is moved. */
export async function openDesk(
  directory: string,
  options: {
    readonly key?: TokenKey;
    readonly now?: number;
    readonly name?: string;
    readonly maxWaiting?: number;
    readonly isChained?: boolean;
  } = {},
): Promise<Desk> {
  const { key, now = noon, name = 'gate', ...rest } = options;
  const troubles: AuditTrouble[] = [];
  const desk = { now, troubles };
  const writer = await openAuditWriter({
    ...{ directory, name, keepMs: 90 * 86_400_000, isChained: true, ...rest },
    clock: () => desk.now,
    onTrouble: (what) => void troubles.push(what),
  });
  if (key !== undefined)
    writer.signBy(async (signed) => ({ kid: key.kid, jws: await signCompact(key, signed, checkpointType) }));
  return Object.assign(desk, { writer });
}

export const pulled = (reference: string): AuditRecord => ({
  event: 'access',
  decision: 'allow',
  reason: 'allowed',
  account: 'dana',
  kind: 'user',
  repository: 'release/app',
  action: 'pull',
  reference,
  status: 200,
});

/** `file:line kind` of the first fault of each gateway, or what has been seen. */
export async function verdict(directory: string, keys: ReadonlyMap<string, PublicKey>): Promise<readonly string[]> {
  return (await verifyDirectory(directory, keys)).map(({ fault, summary }) =>
    fault === undefined
      ? `${summary.instance}: ${summary.lines} lines, ${summary.checkpoints} checkpoints, ${summary.unsigned} unsigned`
      : `${fault.file}:${fault.line} ${fault.kind}`,
  );
}
