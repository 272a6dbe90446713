/** Rules that open too much, wait in shadow, or that no test would miss. */
import { formatProblem } from '../document/problem.ts';
import { type Check, type Outcome, fail, ok, skip, warn, worst } from './check.ts';

const shadowMs = 30 * 86_400_000;

export const ruleCheck: Check = {
  number: 25,
  name: 'rules',
  run({ policy, findings, unexercised, machine, now }) {
    if (policy === undefined) return skip('the policies cannot be read: see 4');
    const broad = findings.problems
      .filter(({ code }) => code === 'over-broad')
      .map((each) => fail(formatProblem({ ...each, fix: undefined }), each.fix ?? 'narrow it'));
    const shadows = [...policy.rules, ...policy.limits, ...policy.gates]
      .filter(({ mode }) => mode === 'shadow')
      .flatMap(({ name, source }): readonly Outcome[] => {
        const changed = machine.changedAt(source.file);
        // It was in shadow at least since its file changed last.
        if (changed === undefined || now() - changed < shadowMs) return [];
        const found = `"${name}" (${source.file}:${source.line}) is in shadow for more than 30 days`;
        return [warn(found, 'read what it logged, then put it in force or remove it')];
      });
    const untried =
      unexercised.length === 0
        ? []
        : [
            warn(
              `no test would miss ${unexercised.map((name) => `"${name}"`).join(', ')}`,
              'portcullis test --write proposes some',
            ),
          ];
    return worst([ok(`${policy.rules.length} rules, each held by a test`), ...broad, ...shadows, ...untried]);
  },
};
