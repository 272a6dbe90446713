/** Where somebody who sees nothing yet may push their first image. */
import { type RepositoryName, parseRepositoryName } from '../distribution/reference.ts';
import { type Upstreams, remoteName } from '../distribution/upstreams.ts';
import { isAbout, accountNameOf, subjectsOf } from '../policy/principal.ts';
import { pushes } from '../policy/model.ts';
import { type Viewer, decide } from './viewer.ts';

const image = 'hello';

/** A repository that the rules let the viewer create a tag in, of a registry that takes it; undefined where there is none. */
export function firstPush(upstreams: Upstreams, viewer: Viewer): string | undefined {
  if (viewer.kind === 'operator') return undefined;
  const { caller, policy } = viewer;
  const subjects = subjectsOf(caller.principal);
  const account = accountNameOf(caller.principal)?.toLowerCase() ?? '';
  const candidates = policy.policy.rules
    .filter((rule) => rule.effect === 'allow' && (rule.rights & pushes) !== 0 && isAbout(rule, subjects))
    .flatMap(({ repositories }) => repositories.flatMap(({ text }) => exampleOf(text, account) ?? []))
    .flatMap((name) => placesOf(upstreams, name))
    .filter((name) => decide(viewer, 'create', name, 'v1').allowed);
  return candidates.find((name) => decide(viewer, 'pull', name, 'v1').allowed) ?? candidates[0];
}

function exampleOf(pattern: string, account: string): RepositoryName | undefined {
  const name = pattern.replaceAll('${account}', account).replaceAll('**', image).replaceAll('*', image);
  return parseRepositoryName(name);
}

/** The name, and where a prefix says which registry it is, the name behind each; none that is read-only here. */
function placesOf({ all, of, canonical }: Upstreams, name: RepositoryName): readonly RepositoryName[] {
  const behind = all.flatMap(({ prefix }) => (prefix === '' ? [] : (parseRepositoryName(`${prefix}/${name}`) ?? [])));
  return [name, ...behind].map(canonical).filter((each) => {
    const upstream = of(each);
    return upstream?.access === 'read-write' && remoteName(upstream, each) !== undefined;
  });
}
