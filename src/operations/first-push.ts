/** Where somebody who sees nothing yet may push their first image. */
import { parseRepositoryName } from '../distribution/reference.ts';
import { isAbout, accountNameOf, subjectsOf } from '../policy/principal.ts';
import { pushes } from '../policy/model.ts';
import { type Viewer, decide } from './viewer.ts';

const image = 'hello';

/** A repository that the rules let the viewer create a tag in; undefined where there is none. */
export function firstPush(viewer: Viewer): string | undefined {
  if (viewer.kind === 'operator') return undefined;
  const { caller, policy } = viewer;
  const subjects = subjectsOf(caller.principal);
  const account = accountNameOf(caller.principal)?.toLowerCase() ?? '';
  const candidates = policy.policy.rules
    .filter((rule) => rule.effect === 'allow' && (rule.rights & pushes) !== 0 && isAbout(rule, subjects))
    .flatMap(({ repositories }) => repositories.map(({ text }) => exampleOf(text, account)));
  return (
    candidates.find(
      (name) =>
        name !== undefined &&
        decide(viewer, 'create', name, 'v1').allowed &&
        decide(viewer, 'pull', name, 'v1').allowed,
    ) ?? candidates.find((name) => name !== undefined && decide(viewer, 'create', name, 'v1').allowed)
  );
}

function exampleOf(pattern: string, account: string): string | undefined {
  const name = pattern.replaceAll('${account}', account).replaceAll('**', image).replaceAll('*', image);
  return parseRepositoryName(name);
}
