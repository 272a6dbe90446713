/** What is shown instead of a page: what happened, whom it happened to, what to do. */
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { Foreign } from './parts.tsx';

export interface RefusedView {
  readonly frame: Frame;
  readonly title: string;
  /** A sentence. */
  readonly detail: string;
  /** By which the log knows it. */
  readonly requestId: string;
  /** By which whoever traces requests knows it. */
  readonly traceId: string;
  /** Nobody can say who it is. */
  readonly isUnchecked?: boolean;
}

/** Names the account; the header has its "Log out". */
export function RefusedPage({ frame, title, detail, requestId, traceId, isUnchecked = false }: RefusedView) {
  const { viewer } = frame;
  return (
    <Layout title={title} at="" frame={frame}>
      <h1>{title}</h1>
      <p>
        <Foreign text={detail} whole />
      </p>
      {isUnchecked ? null : (
        <p>
          {viewer.isKnown ? (
            <>
              You are logged in as <b>{viewer.name}</b>.
            </>
          ) : (
            'You are not logged in.'
          )}
        </p>
      )}
      <p>
        <a href="/ui/">Go to the repositories</a>
      </p>
      <p class="note">
        Request <code>{requestId}</code>, trace <code>{traceId}</code>
      </p>
    </Layout>
  );
}
