/** Deletions of manifests by digest, which take every tag with them that leads there. */
import type { Digest } from '../../distribution/reference.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { deleteByDigest as judgedDeletion } from '../../gate/deletion.ts';
import type { Caller } from '../../identity/identify.ts';
import { type Exchange, isAwaited } from '../front/exchange.ts';
import { manifestUnknown } from '../front/respond.ts';
import { type Outcome, clientGone, denied, passedOn, unanswerable } from './outcome.ts';
import { refusalOf } from './refusals.ts';
import { type WriteParts, askedOf, turnMissed } from './tag-writer.ts';

/** Judged, and passed on where it is allowed. */
export async function deleteByDigest(
  parts: WriteParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'manifest-delete' },
  digest: Digest,
  caller: Caller,
): Promise<Outcome> {
  const { gate, backend } = parts;
  const { address } = exchange;
  const { repository, spelled } = route;
  const forward = async (): Promise<Outcome> => passedOn(await backend.open({ exchange, route }));
  const deletion = { repository, spelled, caller, address, isWanted: isAwaited(exchange) };
  const deleted = await judgedDeletion(gate, backend.ask, deletion, digest, forward);
  switch (deleted.kind) {
    case 'done':
      return deleted.value;
    case 'refused': {
      const { answer, record } = refusalOf(deleted.refused, askedOf(parts, exchange));
      const need = deleted.judgement?.need;
      return { ...(answer && { answer }), record: { ...record, ...(need && { action: need.action }) } };
    }
    case 'unknown':
      return unanswerable(deleted.reason);
    case 'absent':
      return denied(manifestUnknown, 'manifest_unknown');
    case 'unwanted':
      return clientGone;
    case 'missed':
      return turnMissed(deleted.reason);
  }
}
