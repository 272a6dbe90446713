/** The shape of a policy file. The only definition: it validates, types the parser, and becomes the JSON Schema for editors. */
import { z } from 'zod';
import { actions, namePattern, secretActions } from '../model.ts';
import { instantShape } from '../../time.ts';

/** What may be left out, with the sentence that editors show. */
function optional<T extends z.ZodType>(schema: T, sentence: string): z.ZodOptional<T> {
  return schema.optional().describe(sentence);
}

const nameHelp = 'letters, digits and . _ + @ - (at most 128 characters, beginning and ending with a letter or digit)';

const name = z.string().regex(namePattern, { message: `expected a name of ${nameHelp}` });
const ruleName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/, { message: 'expected letters, digits, spaces and . _ - (at most 100)' });

const subject = z
  .string()
  .regex(/^(?:(?:user|robot|workload|group):.+|authenticated|anonymous|everyone)$/, {
    message: 'expected user:NAME, robot:NAME, workload:NAME, group:NAME, authenticated, anonymous or everyone',
  })
  .describe('user:NAME, robot:NAME, workload:NAME, group:NAME, authenticated, anonymous or everyone');

const action = z
  .enum(actions)
  .describe(
    'pull; push (= create + overwrite); create a new tag; overwrite an existing one; delete; catalog (be shown in the list); promote (take over an image that is there already); inspect (see who may do what there, and who was refused); administer (end logins of others, reload; only for ** and people)',
  );

const instant = z.string().regex(instantShape, {
  message: 'expected a date (2027-01-31) or a time with its offset (2026-12-24T00:00:00Z)',
});

const pattern = z
  .string()
  .describe(
    'A repository name; * stands for any characters within one segment, ** for one or more segments, ${account} for the caller’s own name.',
  );

/** What accounts of every kind have. */
const accountKeys = (what: string) => ({
  groups: z.array(name).describe('Groups, each declared under `groups`.').optional(),
  disabled: optional(
    z.boolean(),
    `true: every login is refused, and what was issued to this ${what} (sessions, access tokens) has ended for good.`,
  ),
  validFrom: instant
    .describe(
      'What was issued to this account before (sessions, access tokens) counts no longer. Written by: portcullis user passwd, disable, enable.',
    )
    .optional(),
});

const user = z
  .strictObject({
    password: optional(
      z.string(),
      'argon2id hash (portcullis hash) or bcrypt hash (htpasswd -B). Without it the user cannot log in with a password.',
    ),
    ...accountKeys('user'),
  })
  .describe('A person, who logs in with a password.');

const robotToken = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9]{4,32}$/, { message: 'expected 4 to 32 letters and digits' })
    .describe('Names the secret in logs and lists; unique over all files.'),
  sha256: z
    .string()
    .regex(/^[a-f0-9]{64}$/, { message: 'expected 64 hexadecimal digits' })
    .describe('SHA-256 of the whole secret, in hexadecimal.'),
  expires: optional(instant, 'The secret ends at this instant.'),
  repositories: optional(z.array(pattern).min(1), 'Narrows the robot: never more than the rules give it.'),
  actions: optional(
    z.array(z.enum(secretActions)).min(1),
    'Narrows the robot: never more than the rules give it. No secret administers.',
  ),
});

const robot = z
  .strictObject({
    ...accountKeys('robot'),
    tokens: optional(z.array(robotToken), 'Secrets, two while rotating; made by: portcullis token create NAME'),
  })
  .describe('A machine, which logs in with a secret.');

const when = z
  .strictObject({
    addresses: optional(z.array(z.string()).min(1), 'Networks (CIDR) the caller must come from.'),
    after: optional(instant, 'From this instant on.'),
    before: optional(instant, 'Until this instant (not included).'),
    days: optional(
      z.array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])).min(1),
      'On these days of the week, in `zone`.',
    ),
    hours: optional(
      z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/, {
        message: 'expected hours as 09:00-17:30; over midnight as 18:00-06:00',
      }),
      'Between these times of the day, in `zone`: 09:00-17:30, over midnight 18:00-06:00.',
    ),
    zone: optional(z.string(), 'IANA time zone for days and hours, as Europe/Berlin; UTC when left out.'),
  })
  .refine((conditions) => Object.keys(conditions).some((key) => key !== 'zone'), {
    message: 'there is no condition in it, so the rule would always apply; name one, or leave `when` out',
  })
  .meta({ minProperties: 1 })
  .describe('The rule applies only while all of these hold.');

const rule = z.strictObject({
  name: ruleName.describe('Names the rule in logs and explanations; unique over all files.'),
  effect: optional(z.enum(['allow', 'deny']), 'allow (default) or deny. Any matching deny wins over every allow.'),
  mode: optional(z.enum(['enforce', 'shadow']), 'shadow: decide nothing, only log what this rule would have changed.'),
  subjects: z.array(subject).min(1).describe('Whom the rule is about.'),
  except: optional(z.array(subject).min(1), 'Subjects the rule does not apply to.'),
  repositories: z.array(pattern).min(1).describe('Which repositories the rule is about.'),
  tags: optional(
    z.array(z.string()).min(1),
    'Judged where a request names a tag: manifests by tag. * stands for any characters.',
  ),
  actions: z.array(action).min(1).describe('What the rule allows or denies.'),
  when: when.optional(),
});

const limit = z.strictObject({
  name: ruleName.describe('Names the limit in headers, logs and lists; unique over all files.'),
  mode: optional(
    z.enum(['enforce', 'shadow']),
    'shadow: count, but refuse nobody; only log whom this limit would have refused.',
  ),
  subjects: z.array(subject).min(1).describe('Whom the limit is about.'),
  except: optional(z.array(subject).min(1), 'Subjects the limit does not apply to.'),
  count: z
    .enum(['pull', 'push', 'token'])
    .describe(
      'pull: each manifest that is fetched (asking whether there is one is free); push: each manifest that is written; token: each token given out.',
    ),
  per: z
    .enum(['account', 'address', 'repository'])
    .describe(
      'Who has a budget of their own. Anonymous callers have no account and count by address; IPv6 counts by /64.',
    ),
  rate: z.string().describe('An amount and a period, with s, m, h or d: 100/6h, 60/1m.'),
  burst: optional(
    z.int({ error: 'expected a whole number' }).min(1, { error: 'a burst of nothing would refuse every request' }),
    'How many may come at once; the whole amount of the rate when left out.',
  ),
});

const gate = z.strictObject({
  name: ruleName.describe('Names the gate in refusals, logs and explanations; unique over all files.'),
  mode: optional(z.enum(['enforce', 'shadow']), 'shadow: refuse nothing, only log what this gate would have refused.'),
  repositories: z.array(pattern).min(1).describe('Into which repositories pushes and promotions are gated.'),
  tags: optional(z.array(z.string()).min(1), 'Only these tags; without them every push, by tag and by digest.'),
  except: optional(z.array(subject).min(1), 'Subjects the gate does not stop.'),
  from: z
    .array(pattern)
    .min(1)
    .describe('Where the image must be already; ** stands for the same segments as in `repositories`.'),
  fromTags: optional(z.array(z.string()).min(1), 'Under such a tag there; without them under any tag.'),
  match: optional(
    z.enum(['image', 'digest']),
    'image (default): the same manifest, or the same image ID with the same layers; digest: the same manifest only.',
  ),
  attachments: optional(
    z.enum(['allow', 'deny']),
    'allow (default): signatures and SBOMs of an image that is in the target pass; deny: they must be in `from` as well.',
  ),
});

const question = z.string().regex(new RegExp(`^(?:${actions.join('|')}) +[^ ]+$`), {
  message: 'expected ACTION REPOSITORY[:TAG], as in: push sandbox/app:1.0',
});

const caller = z.union([
  subject,
  z.strictObject({
    user: optional(name, 'As this user.'),
    robot: optional(name, 'As this robot.'),
    workload: optional(name, 'As this workload.'),
    group: optional(name, 'As somebody of whom only this group is known.'),
    anonymous: optional(z.literal(true), 'As somebody who has not logged in.'),
    address: optional(z.string(), 'The address the request comes from.'),
    at: optional(instant, 'The instant of the request; the time of the test run when left out.'),
  }),
]);

const test = z.strictObject({
  name: z.string().min(1).max(200).describe('The promise, in words.'),
  as: caller.describe('user:NAME, robot:NAME, anonymous; or a map with address and at.'),
  image: optional(
    z.enum(['approved', 'unknown']),
    'What is pushed or promoted. approved (default): an image that the gates let pass; unknown: one that is nowhere else, which every gate refuses.',
  ),
  allow: optional(z.array(question).min(1), 'What must be allowed: ACTION REPOSITORY[:TAG].'),
  deny: optional(z.array(question).min(1), 'What must be refused: ACTION REPOSITORY[:TAG].'),
});

const audience = z.string().min(1).max(256);
const file = z.string().min(1).max(4096);

const workload = z
  .strictObject({
    issuer: z
      .string()
      .regex(/^https:\/\/[^\s?#]+$/, { message: 'expected the https address of the token issuer' })
      .describe('Who issues the tokens: the `iss` claim, an https address.'),
    audience: z
      .union([audience, z.array(audience).min(1)])
      .describe('The `aud` claim that the tokens carry for this gateway; of several, one.'),
    claims: optional(
      z
        .record(z.string(), z.string({ error: 'expected text; put a number, true or false in quotes' }).min(1))
        .refine((claims) => Object.keys(claims).length > 0, {
          message: 'there is no claim in it, so every job of this issuer would do; name one',
        })
        .meta({ minProperties: 1 }),
      'Claims the token must carry, by name, or by JSON Pointer where the name begins with /. * stands for any characters but / and :, ** for any; of a list, one entry must match.',
    ),
    lifetime: optional(
      z.string().regex(/^[1-9]\d{0,4}[smh]$/, { message: 'expected a duration as 30m or 1h, at most 6h' }),
      'How long after it was issued a token is good, at most 6h; until it expires when left out. For issuers whose tokens expire before a build ends.',
    ),
    jwks: optional(file, 'A file with the public keys of the issuer (a JWK set), which is not asked then.'),
    ca: optional(file, 'A file of certificates (PEM): the authorities that the issuer’s own must come from.'),
    ...accountKeys('workload'),
  })
  .describe('A CI job, which logs in with the OIDC token of its platform.');

export const policyFileSchema = z
  .strictObject({
    users: optional(z.record(name, user), 'People, by account name.'),
    robots: optional(z.record(name, robot), 'Machines, by account name: they log in with secrets, not passwords.'),
    workloads: optional(z.record(name, workload), 'CI jobs, known by the claims of their own OIDC tokens.'),
    groups: optional(
      z.record(
        name,
        z
          .strictObject({
            description: optional(z.string(), 'What somebody in this group does.'),
            from: optional(
              z.array(z.string()).min(1),
              'Groups of login sources whose members are in this one: ldap:NAME, oidc:NAME.',
            ),
          })
          .nullable()
          .describe('A group: what its members have in common.'),
      ),
      'Groups that users and rules refer to.',
    ),
    rules: optional(z.array(rule), 'Who may do what. Their order means nothing.'),
    limits: optional(z.array(limit), 'How much is too much. The tightest limit that applies answers.'),
    gates: optional(
      z.array(gate),
      'Where an image must be before it is pushed or promoted further. Every gate must pass.',
    ),
    tests: optional(z.array(test), 'What must hold. A change that breaks one is not put into force.'),
  })
  .describe('A Portcullis policy file. All files of a directory are read together.');

export type PolicyFile = z.infer<typeof policyFileSchema>;
export type RuleEntry = z.infer<typeof rule>;
export type LimitEntry = z.infer<typeof limit>;
export type GateEntry = z.infer<typeof gate>;
export type TestEntry = z.infer<typeof test>;
