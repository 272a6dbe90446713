/** What somebody asks to have promoted, read strictly: names as on the command line, never two readings of one text. */
import { z } from 'zod';
import type { Upstreams } from '../distribution/upstreams.ts';
import { didYouMean } from '../document/suggest.ts';
import {
  type Digest,
  type RepositoryName,
  type Tag,
  isReferrersTag,
  parseDigest,
  parseRepositoryName,
  parseTag,
} from '../distribution/reference.ts';

export interface PromotionRequest {
  readonly source: { readonly repository: RepositoryName; readonly reference: Tag | Digest };
  readonly target: { readonly repository: RepositoryName; readonly tag: Tag };
  /** One line. */
  readonly reason: string | undefined;
  /** Whether signatures, SBOMs and the like come along. */
  readonly attachments: boolean;
  /** Nothing is written. */
  readonly dryRun: boolean;
}

export type RequestReading =
  | { readonly ok: true; readonly request: PromotionRequest }
  /** In words for whoever asked. */
  | { readonly ok: false; readonly problem: string };

/** Characters. */
const maxReason = 1000;
const maxName = 600;

/** What a request says, before its names are read. */
export const promotionBody = z.strictObject({
  source: z.string().min(1).max(maxName).describe('repository:tag or repository@digest'),
  target: z.string().min(1).max(maxName).describe('repository:tag; without a tag that of the source'),
  reason: z.string().max(maxReason).optional(),
  attachments: z.boolean().optional(),
  dryRun: z.boolean().optional(),
});
const keys = Object.keys(promotionBody.shape);

/** `value`: what the JSON of the request said. `canonical`: the one spelling of a name, of several. */
export function readPromotionRequest(
  value: unknown,
  canonical: Upstreams['canonical'] = (name) => name,
): RequestReading {
  const read = promotionBody.safeParse(value);
  if (!read.success) return refuse(read.error.issues.map(inWords).join('; '));
  const { source, target, reason, attachments = true, dryRun = false } = read.data;
  const from = readSource(source);
  if ('problem' in from) return refuse(from.problem);
  const into = readTarget(target, from.tag);
  if ('problem' in into) return refuse(into.problem);
  if (isReferrersTag(into.tag))
    return refuse(`target: ${into.tag} is a tag for what is attached to an image; attachments come with their image`);
  return {
    ok: true,
    request: {
      source: { ...from, repository: canonical(from.repository) },
      target: { ...into, repository: canonical(into.repository) },
      ...{ reason: oneLine(reason), attachments, dryRun },
    },
  };
}

interface Source {
  readonly repository: RepositoryName;
  readonly reference: Tag | Digest;
  /** That the target has as well, unless it names another. */
  readonly tag: Tag | undefined;
}

interface Misread {
  readonly problem: string;
}

/** `name:tag`, `name@digest`, or both, where the digest counts as it does for docker. */
function readSource(text: string): Source | Misread {
  const [named = '', encoded, ...more] = text.split('@');
  const { name, tag: given } = splitTag(named);
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: `source: ${notAName}` };
  const tag = given === undefined ? undefined : parseTag(given);
  const digest = encoded === undefined ? undefined : parseDigest(encoded);
  if (given !== undefined && tag === undefined) return { problem: 'source: that is no valid tag' };
  if (more.length > 0 || (encoded !== undefined && digest === undefined))
    return { problem: 'source: behind @ stands a digest, sha256: and 64 lower-case hexadecimal digits' };
  const reference = digest ?? tag;
  if (reference === undefined)
    return { problem: 'source: name a tag or a digest, such as integration/app:1.2.3 or integration/app@sha256:…' };
  return { repository, reference, tag };
}

function readTarget(text: string, same: Tag | undefined): PromotionRequest['target'] | Misread {
  if (text.includes('@')) return { problem: 'target: name a tag; the digest is that of the source' };
  const { name, tag: given } = splitTag(text);
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: `target: ${notAName}` };
  const tag = given === undefined ? same : parseTag(given);
  if (tag !== undefined) return { repository, tag };
  return {
    problem: given === undefined ? 'target: name a tag, since the source has none' : 'target: that is no valid tag',
  };
}

const notAName = 'no repository, such as integration/app: lower-case words separated by slashes, without a host';

function splitTag(text: string): { readonly name: string; readonly tag: string | undefined } {
  const colon = text.indexOf(':', text.lastIndexOf('/') + 1);
  return colon === -1 ? { name: text, tag: undefined } : { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function inWords(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .slice(0, 5)
      .map((key) => `there is no key ${JSON.stringify(key.slice(0, 40))}${didYouMean(key, keys)}`)
      .join('; ');
  const key = issue.path.join('.');
  const message = issue.message.replace(/^Invalid input: /, '');
  return key === '' ? `the body: ${message}` : `${key}: ${message}`;
}

/** Control characters would make further lines of a log. */
function oneLine(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/[\s\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ')
    .trim();
  return line === '' ? undefined : line;
}

function refuse(problem: string): RequestReading {
  return { ok: false, problem: problem.slice(0, 500) };
}
