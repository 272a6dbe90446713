/** The page and the API behind it: where each room adds its pages, its forms, its operations and what these work with. */
import type { Config } from '../config/load.ts';
import type { CookieCallers } from '../http/api/viewer.ts';
import type { Front } from '../http/front/front.ts';
import { createCookieCallers } from '../http/web/cookie-callers.ts';
import { createPageLimiter } from '../http/web/limiter.ts';
import type { Identity } from '../identity/identify.ts';
import { type MyParts, myForms, myOperations, myPages } from '../http/web/my-pages.tsx';
import type { Form, Page } from '../http/web/page.ts';
import {
  type DeveloperParts,
  developerForms,
  developerOperations,
  developerPages,
} from '../http/web/pages/developer.tsx';
import { opsForms, opsPages } from '../http/web/pages/ops.tsx';
import { policyForms, policyPages } from '../http/web/policy-pages.tsx';
import { type Web, type WebParts, createWeb } from '../http/web/router.ts';
import type { Door } from '../http/web/step.ts';
import type { Operation } from '../operations/operation.ts';
import { type OperationParts, gatewayOperations } from '../operations/table.ts';
import { shownFiles } from '../operations/shown-file.ts';
import { whoAmI } from '../operations/who-am-i.ts';
import { readPageAssets } from '../page-assets.ts';
import { formatProblem } from '../document/problem.ts';
import { shortRevision } from '../adapters/files/policy-loading.ts';
import type { Clock, RateLimiter, SessionStore } from '../ports.ts';
import { version } from '../version.ts';
import type { Machine } from './machine.ts';

/** What all operations work with: a room's own parts are one more name after `extends`. */
export interface PageParts extends OperationParts, DeveloperParts, MyParts {
  readonly sessions: SessionStore;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  readonly upstreams: DeveloperParts['upstreams'];
}

/** What `/api/v1` answers on both listeners. */
export const operations: readonly Operation<PageParts>[] = [
  whoAmI,
  ...gatewayOperations,
  ...developerOperations,
  ...myOperations,
];

const pages: readonly Page<PageParts>[] = [...developerPages, ...opsPages, ...myPages, ...policyPages];
const forms: readonly Form<PageParts>[] = [...developerForms, ...opsForms, ...myForms, ...policyForms];

export interface PageGround {
  readonly config: Pick<Config, 'page' | 'tls'>;
  readonly machine: Pick<Machine, 'policies' | 'stores'>;
  readonly front: Front;
  readonly identity: WebParts<PageParts>['identity'];
  readonly parts: PageParts;
  /** Ways of logging in beside the password, and whatever else is no page of an operation. */
  readonly doors: readonly Door[];
}

/** What operations work with, beside what a machine has once. */
type Serving = DeveloperParts &
  MyParts &
  Pick<PageParts, 'recent' | 'minutes' | 'checks' | 'auditTrail' | 'identity' | 'limits' | 'clock' | 'audit'>;

/** All that operations work with. */
export function pagePartsOf({ policies, keys, stores }: Machine, serving: Serving): PageParts {
  const { sessions, robotUses, promotions, limiter, failedLogins, gateways } = stores;
  return {
    ...serving,
    doctor: { last: undefined },
    ...{ sessions, robotUses, promotions, limiter, failedLogins, gateways, keys, version },
    policy: policies.loaded,
    policies,
    policyFiles: policies,
  };
}

/**
 * Who may come to `/api/v1` beside those with credentials: by the page's cookie, and as anybody where the page is for them.
 * How often, the page and the API count together.
 */
export function apiCallers(
  { page: { enabled, anonymous } }: Pick<Config, 'page'>,
  identity: Pick<Identity, 'identify'>,
  limiter: Pick<RateLimiter, 'charge'>,
): {
  readonly showsAnonymous: boolean;
  readonly cookies: CookieCallers | undefined;
  readonly waitOf: ReturnType<typeof createPageLimiter>;
} {
  return {
    waitOf: createPageLimiter(limiter),
    showsAnonymous: enabled && anonymous === 'auto',
    cookies: enabled ? createCookieCallers(identity) : undefined,
  };
}

/** undefined where the configuration turns it off. */
export function openPage({ config, machine, front, identity, parts, doors }: PageGround): Web | undefined {
  if (!config.page.enabled) return undefined;
  const { policies, stores } = machine;
  return createWeb({
    ...{ front, identity, policies, parts, pages, forms, doors, version },
    sessions: stores.sessions,
    limiter: stores.limiter,
    failedLogins: stores.failedLogins,
    endsTls: config.tls !== undefined,
    anonymous: config.page.anonymous,
    assets: readPageAssets(),
    revision: () => shortRevision(policies.loaded().revision),
    warning() {
      const problems = policies.problems();
      const [first, ...more] = problems;
      if (first === undefined) return undefined;
      const files = shownFiles([...policies.loaded().files, ...problems].map(({ file }) => file));
      const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
      return `The newest policy files are not in force: ${formatProblem({ ...first, file: files.name(first.file) }).split('\n', 1)[0] ?? ''}${rest}`;
    },
  });
}
