/** Steps of an upload: each goes where the registry said on the step before, for who opened it, and nowhere else. */
import { createHash } from 'node:crypto';
import type { UploadLocation } from '../../distribution/own-target.ts';
import { parseUploadId } from '../../distribution/reference.ts';
import { type RegistryRoute, ownParameter, spelledOf } from '../../distribution/route.ts';
import { withDigest } from '../../distribution/target.ts';
import type { Caller } from '../../identity/identify.ts';
import type { Clock } from '../../ports.ts';
import type { UploadTickets } from '../../sealed/upload-ticket.ts';
import type { Exchange } from '../front/exchange.ts';
import { unusable } from '../front/respond.ts';
import type { Backend } from '../backend/backend.ts';
import { type Outcome, denied, passedOn } from './outcome.ts';
import { inSeconds } from '../../time.ts';

export interface UploadParts {
  readonly backend: Pick<Backend, 'open'>;
  readonly gate: { readonly tickets: UploadTickets; readonly clock: Clock };
}

export type UploadRoute = RegistryRoute & {
  readonly kind: 'upload-start' | 'upload-status' | 'upload-chunk' | 'upload-finish' | 'upload-cancel';
};

/** Every step of an upload, its start included. */
export function isUpload(route: RegistryRoute): route is UploadRoute {
  return route.kind.startsWith('upload-');
}

/** Where the registry says that an upload goes on leaves sealed for its account. */
export async function forwardUpload(
  { backend, gate: { tickets, clock } }: UploadParts,
  exchange: Exchange,
  route: UploadRoute,
  { principal }: Caller,
): Promise<Outcome> {
  const { repository } = route;
  const account = 'name' in principal ? principal.name : '';
  const nowSeconds = inSeconds(clock());
  const carried = 'id' in route ? route.ticket : undefined;
  const ticket =
    'id' in route && carried !== undefined
      ? tickets.open(carried, { repository, uploadId: route.id, account }, nowSeconds)
      : undefined;
  // Without one the plain path is asked: a registry that wants nothing else goes on there.
  if (carried !== undefined && ticket === undefined)
    return denied(unusable({ reason: 'upload_unknown' }), 'upload_ticket_invalid');
  const sealUpload = ({ target, id }: UploadLocation): string => {
    const uploadId = parseUploadId(id) ?? createHash('sha256').update(target).digest('hex').slice(0, 32);
    const sealed = tickets.seal({ repository, uploadId, account }, ticket?.openedAt ?? nowSeconds, target);
    return `/v2/${spelledOf(route)}/blobs/uploads/${uploadId}?${ownParameter}=${sealed}`;
  };
  // What opens an upload is its target; in a body without a digest a registry could only look for other parameters.
  const isOpening = route.kind === 'upload-start' && route.digest === undefined;
  return passedOn(
    await backend.open({
      exchange,
      route,
      sealUpload,
      ...(ticket === undefined || ticket.target === '' ? {} : { target: withDigest(ticket.target, route) }),
      ...(isOpening ? { content: Buffer.alloc(0) } : {}),
    }),
  );
}
