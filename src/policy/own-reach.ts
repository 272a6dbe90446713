/** How far an access token reaches that a person made: written as in policy files, and within what the rules give the person. */
import { type Action, type Reach, actions, rightsOf, rightsOfAll } from './model.ts';
import { parseRepositoryPattern } from './pattern.ts';

/** What is absent narrows nothing. */
export interface ReachText {
  readonly repositories?: readonly string[] | undefined;
  readonly actions?: readonly Action[] | undefined;
}

/** Headers have room for so much: what is issued for such a token carries its reach. */
export const ownReachBounds = { repositories: 16, characters: 512 } as const;

/** What is wrong with it, in words for its person; undefined when it can be had. */
export function reachProblem({ repositories, actions: named }: ReachText): string | undefined {
  if (named?.length === 0) return 'name at least one action, or none at all for every one';
  if (named?.includes('administer') === true)
    return 'an access token never administers; log in with a password for that';
  if (repositories === undefined) return undefined;
  const { repositories: most, characters } = ownReachBounds;
  if (repositories.length === 0) return 'name at least one repository, or none at all for every one';
  if (repositories.length > most) return `at most ${most} patterns of repositories fit into an access token`;
  if (repositories.join('').length > characters)
    return `the patterns have more than ${characters} characters together; fewer with * and ** say the same`;
  for (const text of repositories) {
    const pattern = parseRepositoryPattern(text);
    if ('problem' in pattern) return `repositories: ${text}: ${pattern.problem}`;
  }
  return undefined;
}

const reaches = new WeakMap<ReachText, Reach>();

/** As the evaluator takes it: the same object for the same text. What cannot be read reaches nothing. */
export function reachOf(text: ReachText): Reach {
  const known = reaches.get(text);
  if (known !== undefined) return known;
  const repositories = text.repositories?.flatMap((each) => {
    const pattern = parseRepositoryPattern(each);
    return 'problem' in pattern ? [] : [pattern];
  });
  const reach = { repositories, rights: rightsOfAll(text.actions ?? actions) & ~rightsOf('administer') };
  reaches.set(text, reach);
  return reach;
}
