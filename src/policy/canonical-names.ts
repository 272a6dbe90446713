/** Names of repositories in policies, where a registry has two spellings of one: tests ask by the one that is judged. */
import { type RepositoryName, parseRepositoryName } from '../distribution/reference.ts';
import type { Policy } from './model.ts';

/** `canonical`: the spelling by which requests are judged. Patterns are not spelled otherwise: they are read as they are. */
export function withCanonicalTests(policy: Policy, canonical: (repository: RepositoryName) => RepositoryName): Policy {
  const tests = policy.tests.map((test) => ({
    ...test,
    expectations: test.expectations.map((expectation) => {
      const repository = parseRepositoryName(expectation.repository);
      return repository === undefined ? expectation : { ...expectation, repository: canonical(repository) };
    }),
  }));
  return { ...policy, tests };
}
