/** What a line of an audit file, or a record on standard output, may hold: for whoever stores them, so that no field changes its type. */
import { z } from 'zod';
import type { AuditRecord } from '../ports/audit.ts';

const text = z.string();
const count = z.number().min(0);

/** What a record says, in the order of its line. */
const record = {
  event: z
    .enum([
      ...(['access', 'token', 'login', 'session', 'policy', 'limit', 'promotion', 'intent'] as const),
      ...(['file', 'checkpoint', 'gap', 'chain_restart'] as const),
    ])
    .describe('What was decided about; the last four are about the file itself. An intent comes before what it names.'),
  decision: z.enum(['allow', 'deny', 'error']).describe('error: nothing could be decided or done.').optional(),
  reason: text.describe('A word that a program can match.').optional(),
  rule: text.describe('The rule or limit that decided.').optional(),
  source: text.describe('Where that stands, as file:line; of a login the source that knew who it was.').optional(),
  shadow: z.array(text).describe('Rules, limits and gates on trial that would have refused.').optional(),
  gate: text.describe('The gate that refused, or that let pass last.').optional(),
  gateFrom: text.describe('The repository in which the image was looked for, or found.').optional(),
  account: text.describe('The name that was shown; nobody has proved it where the login was refused.').optional(),
  kind: z.enum(['user', 'robot', 'workload', 'anonymous']).describe('What kind of account it is.').optional(),
  method: text.describe('How somebody proved who they are.').optional(),
  secret: text.describe('Id of the secret or access token behind the credentials.').optional(),
  reach: z
    .strictObject({
      repositories: z.array(text).describe('Patterns of repositories.').optional(),
      actions: z.array(text).describe('Actions.').optional(),
    })
    .describe('What that access token was made for, in the words of policy files.')
    .optional(),
  session: text.describe('The session that the credentials belong to.').optional(),
  outside: text.describe('Where somebody is known whom no policy file names.').optional(),
  groups: z.array(text).describe('Their groups there, as far as the policy names them.').optional(),
  issuer: text.describe('Who issued the token that a workload logged in with.').optional(),
  claims: z.record(z.string(), text).describe('Those of its claims that the policy names.').optional(),
  route: text.describe('What the request was about, in the words of the metrics.').optional(),
  httpMethod: text.describe('GET and the like.').optional(),
  repository: text.describe('As clients name it.').optional(),
  upstream: text.describe('The registry that has it, where there are several.').optional(),
  action: text.describe('What was to be allowed.').optional(),
  reference: text.describe('A tag or digest, or the step of an upload.').optional(),
  tags: z.array(text).describe('That a push by digest sets.').optional(),
  writes: z
    .enum(['create', 'overwrite', 'repeat', 'attach'])
    .describe('What a push came to, where a rule made that matter.')
    .optional(),
  digest: text.describe('Of the content.').optional(),
  from: text.describe('Where a promotion takes its image from, and a mount its blob.').optional(),
  scope: text.describe('That a token was issued for.').optional(),
  asked: text.describe('That was asked for, where it is more.').optional(),
  address: text.describe('Of the client.').optional(),
  userAgent: text.describe('What the client says to be.').optional(),
  requestId: text.describe('As in X-Request-Id; the same in an intent and its outcome.').optional(),
  traceId: text.describe('W3C Trace Context.').optional(),
  policy: text.describe('Revision of the policy that decided.').optional(),
  status: z.int().min(100).max(599).describe('Of the answer.').optional(),
  cache: z.enum(['hit', 'confirmed', 'stale']).describe('The reply came from memory.').optional(),
  bytes: count.describe('Of the body, in the larger direction.').optional(),
  durationMs: count.describe('To the end of the answer, in milliseconds.').optional(),
  detail: text.describe('In words, for operators.').optional(),
} satisfies Record<keyof AuditRecord, z.ZodType>;

/** Files have what stands first; standard output has `level` instead. */
export const auditLineSchema = z.strictObject({
  seq: z.int().min(1).describe('The number of the line in the chain of its gateway.').optional(),
  prev: text.describe('SHA-256 of the line before, its first 16 bytes as base64url; empty in the first.').optional(),
  instance: text.describe('The gateway that wrote it.').optional(),
  level: text.describe('On standard output: info.').optional(),
  message: text.describe('On standard output, of a checkpoint: what it is.').optional(),
  time: text.describe('When it was written, RFC 3339 in UTC, with milliseconds.'),
  ...record,
  name: text.describe('Of a file: its name.').optional(),
  first: z.int().min(1).describe('Of a file: the number of its first line.').optional(),
  hash: text.describe('Of a checkpoint: the prev that it signs.').optional(),
  kid: text.describe('Of a checkpoint: the key, by its RFC 7638 thumbprint.').optional(),
  jws: text.describe('Of a checkpoint: the signature, JWS compact of type audit+jws.').optional(),
  lost: z.int().min(1).describe('Of a gap: how many lines could not be written.').optional(),
  torn: z.int().min(1).describe('Of a restart: bytes of the torn line before it.').optional(),
  after: text.describe('Of a restart: hash of the last whole line before that.').optional(),
});
