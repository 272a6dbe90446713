/** Promotions as somebody asks for them. */
import { quickHash } from '../../support/policies.ts';

const password = 'right-and-long';
export const authorization = `Basic ${Buffer.from(`rita:${password}`).toString('base64')}`;

/** Rita promotes into release, where tags that begin with v stay. */
export async function policies(): Promise<Readonly<Record<string, string>>> {
  return {
    'p.yaml': `
users: { rita: { password: "${await quickHash(password)}" } }
rules:
  - { name: reads, subjects: ["user:rita"], repositories: ["**"], actions: [pull] }
  - { name: promotes, subjects: ["user:rita"], repositories: ["release/**"], actions: [promote] }
  - { name: stays, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
`,
  };
}

export interface Asked {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** As rita, over the API. */
export async function promote(url: string, source: string, target: string): Promise<Asked> {
  const headers = { authorization, 'content-type': 'application/json' };
  const reply = await fetch(`${url}/api/v1/promotions`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ source, target }),
  });
  return { status: reply.status, body: (await reply.json()) as Asked['body'] };
}
