/** The policy in force: the last good one, without what edits that were refused have taken away since. */
import { type Problem, unplaced } from '../../document/problem.ts';
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
  #problems: readonly Problem[] = [];
  #newest: string | undefined;

  constructor(first: LoadedPolicy) {
    this.#loaded = first;
    this.#compiled = first.compiled;
    this.#newest = first.revision;
  }

  /** The last good files. */
  get loaded(): LoadedPolicy {
    return this.#loaded;
  }

  get compiled(): LoadedPolicy['compiled'] {
    return this.#compiled;
  }

  /** Of the newest files, when they are not the ones in force. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** What became of files that were read; undefined when that was known before. */
  take(read: PolicyLoading): PolicyLoading | undefined {
    const result = this.#takeAway(read);
    const revision = result.ok ? result.loaded.revision : result.revision;
    const problems = result.ok ? [] : result.problems;
    const isKnown = revision === undefined ? isSame(problems, this.#problems) : revision === this.#newest;
    this.#newest = revision;
    this.#problems = problems;
    if (isKnown) return undefined;
    if (result.ok) {
      this.#loaded = result.loaded;
      this.#compiled = result.loaded.compiled;
      this.#losers = [];
    }
    return result;
  }

  /**
   * A refused edit gives nothing, not even what another one took; but what it takes from accounts is gone at once. All
   * that is gone, or why nothing is, is said among its problems.
   */
  #takeAway(result: PolicyLoading): PolicyLoading {
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
        ...(this.#losers.length === 0 ? [] : [unplaced('policies', 'taken-away', gone)]),
        ...(more === undefined || more.compiled !== undefined ? [] : [tooMany(of(more.losing))]),
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

function tooMany(whose: string): Problem {
  const message = `this edit is refused, and nothing of it is in force: it would take something from ${whose}, more than leavers would be`;
  const fix = 'correct the problems below; an edit that is accepted takes away all that it leaves out';
  return unplaced('policies', 'not-taken', message, fix);
}

function isSame(problems: readonly Problem[], before: readonly Problem[]): boolean {
  return JSON.stringify(problems) === JSON.stringify(before);
}
