/** Whom a record stands for by another policy, and the policy as they meet it. */
import { compilePolicy, type CompiledPolicy } from '../policy/evaluate.ts';
import { matchesClaim } from '../policy/claims.ts';
import {
  type LoginSource,
  type Policy,
  type Principal,
  type RobotToken,
  accountKinds,
  anonymous,
} from '../policy/model.ts';
import { nameInFiles, principalOutside, spelledInFiles, untoldGroups } from '../policy/outside.ts';
import { reachOf } from '../policy/own-reach.ts';
import { accountIn, principalIn, trustOf } from '../policy/principal.ts';
import { narrowPolicy } from '../policy/secret-reach.ts';
import type { Unsure } from './matters.ts';
import type { Whom } from './recorded.ts';

export interface Standing {
  readonly principal: Principal;
  readonly name: string | undefined;
  /** As the credentials see it. */
  readonly policy: CompiledPolicy;
  /** Of a robot: it expires. */
  readonly token: RobotToken | undefined;
  /** In words that are the same for the same bounds; '' for none. */
  readonly bounds: string;
  /** Declared groups of which nobody can say whether they are in. */
  readonly untold: ReadonlySet<string>;
}

/** `closed`: why nothing is allowed to them, in words. */
export type Found = Standing | { readonly closed: string } | { readonly unsure: Unsure };

/** Accounts that are remembered: more than most registries have, and little memory. */
const maxRemembered = 20_000;
const noGroups: ReadonlySet<string> = new Set();

/** One policy, asked about whoever records speak of. */
export class Judge {
  readonly policy: Policy;
  /** Some rule speaks of time. */
  readonly isTimed: boolean;
  readonly #compiled: CompiledPolicy;
  /** By which people from outside were looked up, where that is known. */
  readonly #before: Policy | undefined;
  readonly #found = new Map<string, Found>();

  constructor(policy: Policy, before?: Policy) {
    this.policy = policy;
    this.isTimed = policy.rules.some(
      ({ when }) => when !== undefined && Object.keys(when).some((key) => key !== 'addresses'),
    );
    this.#compiled = compilePolicy(policy);
    this.#before = before;
  }

  /** The same object for the same words, as long as there is room for it. */
  find(who: Whom): Found {
    const key = keyOf(who);
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    if (this.#found.size >= maxRemembered) this.#found.clear();
    const found = this.#look(who);
    this.#found.set(key, found);
    return found;
  }

  /** Whether the files let somebody of this name log in. */
  knows(name: string): boolean {
    return accountKinds.some((kind) => principalIn(this.policy, { kind, name }) !== undefined);
  }

  /** Whether a login by what is known of a workload is taken; undefined: yes. */
  objection({ kind, name, evidence }: Whom): { readonly closed: string } | { readonly unsure: Unsure } | undefined {
    const workload = kind === 'workload' && evidence !== undefined ? this.policy.workloads.get(name) : undefined;
    if (workload === undefined || evidence === undefined) return undefined;
    const before = this.#before?.workloads.get(name);
    if (before !== undefined && trustOf(before) === trustOf(workload)) return undefined;
    if (workload.issuer !== evidence.issuer) return { closed: 'tokens of its issuer are no longer taken' };
    for (const [claim, pattern] of workload.claims) {
      const value = Object.hasOwn(evidence.claims, claim) ? evidence.claims[claim] : undefined;
      if (value !== undefined && matchesClaim(pattern, value)) continue;
      // Several values stand in one text, and long ones are cut.
      if (value === undefined || value.includes(' ') || value.length >= maxLoggedClaim) return { unsure: 'claims' };
      return { closed: `its claim ${claim} has another value` };
    }
    // What else was asked of the token, no record says.
    const isRestAlike = before === undefined || trustOf({ ...before, claims: workload.claims }) === trustOf(workload);
    return isRestAlike ? undefined : { unsure: 'claims' };
  }

  #look(who: Whom): Found {
    if (who.kind === 'anonymous') return this.#standing(anonymous, undefined);
    if (who.groups !== undefined || who.outside !== undefined) return this.#lookOutside(who);
    const { kind, name, secret, reach } = who;
    const principal = principalIn(this.policy, { kind, name });
    if (principal === undefined) {
      const entry = accountIn(this.policy, { kind, name });
      return { closed: entry === undefined ? 'the account is gone' : 'the account is disabled' };
    }
    if (kind !== 'robot') {
      if (secret !== undefined && reach === undefined) return { unsure: 'secret' };
      return this.#standing(principal, name, undefined, reach);
    }
    if (secret === undefined) return { unsure: 'secret' };
    const token = this.policy.robots.get(name)?.tokens.find(({ id }) => id === secret);
    return token === undefined ? { closed: `its secret ${secret} is gone` } : this.#standing(principal, name, token);
  }

  #lookOutside({ name: called, outside: source, groups = [], secret, reach }: Whom): Found {
    if (source === undefined) return { unsure: 'groups' };
    if (secret !== undefined && reach === undefined) return { unsure: 'secret' };
    const name = spelledInFiles(this.policy, source, called);
    const inFiles = nameInFiles(this.policy, source, name);
    if (inFiles.takenBy !== undefined) return { closed: 'the files give its name to another account' };
    if (inFiles.disabled) return { closed: 'the account is disabled' };
    const outside = { source, id: '', groups: groups.flatMap((group) => ownName(source, group)) };
    const principal = principalOutside(this.policy, name, outside, inFiles);
    const untold = untoldGroups(this.policy, outside, this.#before);
    const standing = this.#standing(principal, name, undefined, reach);
    return { ...standing, untold: untold.length === 0 ? noGroups : new Set(untold) };
  }

  #standing(principal: Principal, name: string | undefined, token?: RobotToken, reach?: Whom['reach']): Standing {
    const bound = reach === undefined ? token : reachOf(reach);
    const policy =
      bound === undefined || name === undefined ? this.#compiled : narrowPolicy(this.#compiled, name, bound);
    const bounds = bound && JSON.stringify([bound.rights, bound.repositories?.map(({ text }) => text)]);
    return { principal, name, policy, token, bounds: bounds ?? '', untold: noGroups };
  }
}

/** Characters of a claim that are written down. */
const maxLoggedClaim = 128;

function ownName(source: LoginSource, group: string): readonly string[] {
  return group.startsWith(`${source}:`) ? [group.slice(source.length + 1)] : [];
}

function keyOf({ kind, name, outside, groups, secret, reach }: Whom): string {
  const account = `${kind} ${name}`;
  if (groups === undefined && secret === undefined) return account;
  return JSON.stringify([account, outside, groups, secret, reach]);
}
