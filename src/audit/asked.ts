/** What somebody asks audit files, as options and queries write it. */
import { parseNetwork } from '../config/values.ts';
import { inNetworks } from '../policy/conditions.ts';
import { matchesRepository, parseRepositoryPattern } from '../policy/pattern.ts';
import type { Question } from './question.ts';

export interface Asked {
  readonly account?: string | undefined;
  readonly kind?: string | undefined;
  /** A pattern as policy files write it. */
  readonly repository?: string | undefined;
  readonly action?: string | undefined;
  readonly decision?: string | undefined;
  readonly reason?: string | undefined;
  /** An address or a network. */
  readonly address?: string | undefined;
}

export const choices = {
  kind: ['user', 'robot', 'workload', 'anonymous'],
  decision: ['allow', 'deny', 'error'],
} as const;

/** What stands in records of pushing: a refusal names the half that was refused. */
const pushing = ['push', 'create', 'overwrite'];

/** Or what is wrong, and with which of them. */
export function questionOf(asked: Asked): Question | { readonly name: string; readonly problem: string } {
  const { account, kind, repository, action, decision, reason, address } = asked;
  for (const [name, value] of Object.entries({ kind, decision })) {
    const known: readonly string[] = choices[name as keyof typeof choices];
    if (value !== undefined && !known.includes(value)) return { name, problem: `one of ${known.join(', ')}` };
  }
  const pattern = repository === undefined ? undefined : parseRepositoryPattern(repository);
  if (pattern !== undefined && 'problem' in pattern) return { name: 'repository', problem: pattern.problem };
  const network = address === undefined ? undefined : parseNetwork(address);
  if (network !== undefined && !network.ok) return { name: 'address', problem: network.message };
  const networks = network?.ok === true ? [network.value] : undefined;
  const one = { account, kind, decision, reason };
  const words = Object.entries(one).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value]] as const]));
  return {
    words: {
      ...(Object.fromEntries(words) as Question['words']),
      ...(action !== undefined && { action: action === 'push' ? pushing : [action] }),
    },
    repository: pattern && ((name) => matchesRepository(pattern, name, undefined)),
    address: networks && ((from) => inNetworks(networks, from)),
  };
}

export const sinceProblem = 'write how long ago, such as 24h or 7d, or an instant such as 2026-11-26T12:00:00Z';
