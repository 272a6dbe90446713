/** The policy in force: the last good one, without what edits that were refused have taken away since. */
import type { Problem } from '../../document/problem.ts';
import { listed } from '../../policy/describe.ts';
import { withdraw } from '../../policy/withdrawal.ts';
import type { LoadedPolicy, PolicyLoading } from './policy-loading.ts';

/** Accounts that one message lists. */
const maxNamed = 100;

export class PolicyInForce {
  #loaded: LoadedPolicy;
  #compiled: LoadedPolicy['compiled'];
  /** From whom something was taken. */
  #losers: readonly string[] = [];

  constructor(first: LoadedPolicy) {
    this.#loaded = first;
    this.#compiled = first.compiled;
  }

  /** The last good files. */
  get loaded(): LoadedPolicy {
    return this.#loaded;
  }

  get compiled(): LoadedPolicy['compiled'] {
    return this.#compiled;
  }

  accept(loaded: LoadedPolicy): void {
    this.#loaded = loaded;
    this.#compiled = loaded.compiled;
    this.#losers = [];
  }

  /**
   * A refused edit gives nothing, not even what another one took; but what it takes from accounts is gone at once. All
   * that is gone, or why nothing is, is said among its problems.
   */
  takeAway(result: PolicyLoading): PolicyLoading {
    if (result.ok) return result;
    const { users, robots, workloads } = this.#loaded.compiled.policy;
    const homes = [...users.values(), ...robots.values(), ...workloads.values()].map(({ source }) => source.file);
    if (homes.length === 0) return result;
    const { named } = result;
    const isKnown = named !== undefined && homes.every((file) => named.files.includes(file));
    const more = isKnown ? withdraw(this.#loaded.compiled, this.#compiled.policy, named.accounts) : undefined;
    if (more?.compiled !== undefined) {
      this.#compiled = more.compiled;
      this.#losers = more.losing;
    }
    const of = (names: readonly string[]): string =>
      `${listed(names, maxNamed)} (${names.length} of ${homes.length} accounts)`;
    const gone = `what refused edits took from ${of(this.#losers)} is gone until an edit is accepted`;
    return {
      ...result,
      problems: [
        ...(this.#losers.length === 0 ? [] : [said('taken-away', gone)]),
        ...(more === undefined || more.compiled !== undefined ? [] : [said('not-taken', tooMany(of(more.losing)))]),
        ...(isKnown ? result.problems : result.problems.map(withKeeping)),
      ],
    };
  }
}

/** In the last of all problems: an account that cannot be read may still be meant to be there. */
function withKeeping(problem: Problem, index: number, { length }: readonly Problem[]): Problem {
  if (index < length - 1) return problem;
  return { ...problem, message: `${problem.message}; no account loses anything by this edit, as not all can be read` };
}

function tooMany(whose: string): string {
  return `nothing is taken by this edit: without something would be ${whose}, and so many must be a mistake`;
}

function said(code: string, message: string): Problem {
  return { file: 'policies', line: 0, column: 0, code, message };
}
