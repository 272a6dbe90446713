/** Deletions of manifests by digest, which take every tag with them that leads there. */
import type { RegistryRoute } from '../../distribution/route.ts';
import { admitAgain } from '../../gate/admit.ts';
import type { Caller } from '../../identity/identify.ts';
import { deletionOf } from '../../gate/contained.ts';
import { hasGuardedTags, judgeDeleteByDigest } from '../../gate/delete-by-digest.ts';
import type { Exchange } from '../front/exchange.ts';
import { manifestUnknown } from '../front/respond.ts';
import { type Outcome, clientGone, denied, passedOn } from './outcome.ts';
import { refusalOf } from './refusals.ts';
import { type WriteParts, askedOf, notWritten, tagTurnMs, turnMissed, writerOf } from './tag-writer.ts';

/** Where tags are protected no push may point one at the digest between the look at the tags and the deletion. */
export async function deleteByDigest(
  parts: WriteParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'manifest-delete' },
  digest: string,
  caller: Caller,
): Promise<Outcome> {
  const { gate, backend } = parts;
  const { repository } = route;
  const forward = async (): Promise<Outcome> => passedOn(await backend.open({ exchange, route }));
  if (!hasGuardedTags(writerOf(gate, exchange, repository, caller))) return forward();
  const asked = askedOf(parts, exchange);
  const turn = await gate.tagLocks.withTags(repository, [digest, deletionOf(digest)], tagTurnMs, async () => {
    const again = admitAgain(gate, route, caller, exchange.address);
    if (again.kind !== 'admitted') return refusalOf(again, asked);
    const isWanted = (): boolean => !exchange.response.destroyed;
    const current = writerOf(gate, exchange, repository, again.caller);
    const judgement = await judgeDeleteByDigest(backend.ask, current, digest, gate.knownParts, isWanted);
    if (!isWanted()) return clientGone;
    if (judgement.kind === 'absent') return denied(manifestUnknown, 'manifest_unknown');
    return judgement.kind === 'allowed' ? forward() : notWritten(asked, route, again.caller, judgement);
  });
  return turn.ok ? turn.value : turnMissed(turn.reason);
}
