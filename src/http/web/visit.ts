/** Who comes to the page, and the frame that everything is drawn in for them. */
import type { Identity, RefusalOf } from '../../identity/identify.ts';
import { mayAnywhere } from '../../operations/anywhere.ts';
import { type Looker, mayEverywhere, nameOf } from '../../operations/viewer.ts';
import { anonymous } from '../../policy/model.ts';
import type { PolicySource } from '../../ports.ts';
import { type Exchange, requestFacts } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { isLoopbackName, parsedUrl } from '../front/request-host.ts';
import type { Assets } from './assets.ts';
import { csrfToken, isFromOwnPage } from './csrf.ts';
import type { Frame } from './page.ts';
import { identifyCookie } from './session-cookie.ts';

export interface VisitParts {
  readonly front: Pick<Front, 'publicUrl' | 'clock'>;
  readonly identity: Pick<Identity, 'identify'>;
  readonly policies: PolicySource;
  readonly version: string;
  /** Of the policy in force. */
  readonly revision: () => string;
  /** What stands over every page of those who may see the policy. */
  readonly warning: () => string | undefined;
}

export interface Visit {
  readonly exchange: Exchange;
  readonly viewer: Looker;
  readonly frame: Frame;
  /** Of the cookie by which the viewer is known. */
  readonly secret: string | undefined;
  /** Why the cookie that came counts for nothing. */
  readonly refused: RefusalOf<{ readonly kind: 'web'; readonly secret: string }> | undefined;
}

/** Over anything else passwords and cookies could be read. */
export function canLogInAt(publicUrl: string): boolean {
  const { protocol, hostname } = parsedUrl(publicUrl);
  return protocol === 'https:' || isLoopbackName(hostname);
}

/** By the cookie, or as nobody in particular. */
export async function beginVisit(parts: VisitParts, assets: Assets, exchange: Exchange): Promise<Visit> {
  const found = await identifyCookie(parts.identity, exchange);
  if (found.kind !== 'identified')
    return { ...visitOfNobody(parts, assets, exchange), refused: found.kind === 'refused' ? found.refusal : undefined };
  const { caller, policy, secret } = found;
  const { sessionId } = caller;
  const asked = askedIn(parts, exchange);
  const viewer: Looker = { kind: 'caller', caller, policy, ...asked, isInPerson: true, sessionId };
  return { exchange, viewer, frame: frameOf(parts, assets, exchange, viewer, secret), secret, refused: undefined };
}

/** Whatever cookie there is. */
export function visitOfNobody(parts: VisitParts, assets: Assets, exchange: Exchange): Visit {
  const policy = parts.policies.current();
  const viewer: Looker = { kind: 'caller', caller: nobody, policy, ...askedIn(parts, exchange), isInPerson: false };
  const frame = frameOf(parts, assets, exchange, viewer, undefined);
  return { exchange, viewer, frame, secret: undefined, refused: undefined };
}

function askedIn({ front }: VisitParts, exchange: Exchange): Pick<Looker, 'circumstances' | 'request'> {
  return { circumstances: { address: exchange.address, now: front.clock() }, request: requestFacts(exchange) };
}

const nobody: Looker['caller'] = { principal: anonymous, validFrom: 0, mark: '', method: undefined, bound: undefined };

function frameOf(
  { front, version, revision, warning }: VisitParts,
  assets: Assets,
  exchange: Exchange,
  viewer: Looker,
  secret: string | undefined,
): Frame {
  const { publicUrl } = front;
  const name = nameOf(viewer);
  const mayInspectAll = mayEverywhere(viewer, 'inspect');
  const mayAdminister = mayEverywhere(viewer, 'administer');
  return {
    viewer: {
      name: name ?? '',
      isKnown: name !== undefined,
      mayInspect: mayInspectAll || mayAnywhere(viewer, 'inspect'),
      mayInspectAll,
      mayAdminister,
    },
    host: parsedUrl(publicUrl).host,
    publicUrl,
    now: viewer.circumstances.now,
    csrf: (path) => (secret === undefined ? '' : csrfToken(secret, path)),
    at: exchange.target,
    isFromOwnPage: isFromOwnPage(exchange),
    assets: assets.paths,
    canLogIn: canLogInAt(publicUrl),
    version,
    revision: revision(),
    warning: mayInspectAll || mayAdminister ? warning() : undefined,
  };
}
