/** What somebody is to the gateway: who, in which groups, what they may do, what is left of their limits. */
import { z } from 'zod';
import { type LimitState, type Limits, countedPer } from '../limits/spend.ts';
import { type Grant, accessOf } from '../policy/analysis/access.ts';
import { askedByName } from '../policy/by-name.ts';
import { describeConditions, actionsOf } from '../policy/describe.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { reachOf } from '../policy/own-reach.ts';
import { type OwnAccount, ownAccount } from './answers.ts';
import { limitView, spentView } from './limits.ts';
import { type Operation, instant, operation } from './operation.ts';
import { type Looker, decide, mayEverywhere } from './viewer.ts';

export interface MeParts {
  readonly limits: Pick<Limits, 'look'>;
  /** As the files say it, whatever the caller's credentials reach. */
  readonly policy: () => { readonly compiled: CompiledPolicy };
}

const me = operation<MeParts>()({
  method: 'GET',
  path: '/me',
  summary: 'The account that asks: its groups, its rights, and what is left of its limits.',
  needs: 'account',
  input: z.object({}),
  answer: ownAccount,
  async run(parts, viewer) {
    if (viewer.kind === 'operator')
      return { ok: false, reason: 'unknown', detail: 'the admin token belongs to no account' };
    const { caller, isInPerson, sessionId, circumstances } = viewer;
    const { principal } = caller;
    if (principal.kind === 'anonymous') return { ok: false, reason: 'unknown', detail: 'nobody is logged in' };
    return {
      ok: true,
      answer: {
        kind: principal.kind,
        name: principal.name,
        groups: [...principal.groups],
        source: principal.outside?.source,
        address: circumstances.address,
        session: sessionId,
        inPerson: isInPerson && principal.kind === 'user',
        inspects: mayEverywhere(viewer, 'inspect'),
        administers: mayEverywhere(viewer, 'administer'),
        rights: rightsOf(viewer, parts.policy().compiled),
        limits: await ownLimits(parts, viewer),
      },
    };
  },
});

export const meOperations: readonly Operation<MeParts>[] = [me];

type Right = OwnAccount['rights'][number];

/** As far as the credentials reach: a token only where its `access` does, a secret only as far as it was made for. */
function rightsOf(viewer: Looker, compiled: CompiledPolicy): Right[] {
  const { caller, circumstances } = viewer;
  const { principal, bound, robotToken, ownToken } = caller;
  if (bound !== undefined)
    return bound.flatMap(({ type, name, actions }) => {
      const allowed = actions.filter((each) => each !== '*' && decide(viewer, each, name).allowed);
      return type !== 'repository' || allowed.length === 0 ? [] : [{ actions: allowed, repositories: [name] }];
    });
  const access = accessOf(askedByName(compiled), principal, circumstances.now);
  const secret = access?.secrets.find(({ token }) => token.id === robotToken?.id);
  const within = ownToken === undefined ? access?.grants : access?.within(reachOf(ownToken.reach));
  const grants = robotToken === undefined ? within : secret?.grants;
  return (grants ?? []).map(rightOf);
}

function rightOf({ rule, rights, repositories, exceptions }: Grant): Right {
  return {
    rule: rule.name,
    actions: [...actionsOf(rights)],
    repositories: [...repositories],
    tags: rule.tags?.map(({ text }) => text),
    when: rule.when && describeConditions(rule.when),
    except: exceptions.length === 0 ? undefined : [...new Set(exceptions.map(({ rule: { name } }) => name))],
  };
}

/** Those that are about one repository have a state there only. */
export async function ownLimits({ limits }: Pick<MeParts, 'limits'>, viewer: Looker): Promise<OwnAccount['limits']> {
  const { caller, policy, circumstances } = viewer;
  const { principal } = caller;
  const spender = { principal, address: circumstances.address };
  const looked = await Promise.all(
    (['pull', 'push', 'token'] as const).map((counted) => limits.look(policy, counted, spender)),
  );
  const own = looked.flat().filter(({ limit }) => countedPer(limit, principal) !== 'repository');
  return own.map((state) => ({
    ...limitView(state.limit),
    ...spentView(state),
    next: nextOf(state, circumstances.now),
  }));
}

function nextOf({ waitSeconds }: LimitState, now: number): string | undefined {
  return waitSeconds > 0 ? instant(now + waitSeconds * 1000) : undefined;
}
