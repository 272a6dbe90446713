/** Somebody at the page without a browser: cookies kept, forms sent as a page of ours sends them, or any other way. */
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request as open } from 'node:http';

export interface Seen {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request, its target and headers byte for byte. */
export function ask(
  url: string,
  target: string,
  { method = 'GET', headers = {}, body = '' }: { method?: string; headers?: OutgoingHttpHeaders; body?: string } = {},
): Promise<Seen> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = open({ hostname, port, path: target, method, headers, agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => void chunks.push(chunk));
      reply.on('error', reject);
      reply.on('end', () =>
        resolve({
          status: reply.statusCode ?? 0,
          headers: reply.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The value of a hidden field, as a form of the page has it. */
export function fieldOf(html: string, name: string): string {
  const found = new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1];
  if (found === undefined) throw new Error(`the page has no field ${name}: ${html.slice(0, 500)}`);
  return found;
}

export class Visitor {
  readonly #url: string;
  readonly cookies = new Map<string, string>();

  constructor(url: string) {
    this.#url = url;
  }

  /** The header with all cookies. */
  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async #ask(target: string, how: Parameters<typeof ask>[2] = {}): Promise<Seen> {
    const seen = await ask(this.#url, target, {
      ...how,
      headers: { ...(this.cookies.size === 0 ? {} : { cookie: this.cookie }), ...how.headers },
    });
    for (const text of seen.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return seen;
  }

  get(target: string, headers: OutgoingHttpHeaders = {}): Promise<Seen> {
    return this.#ask(target, { headers: { accept: 'text/html', ...headers } });
  }

  /** As a browser sends a form of one of our pages. */
  post(target: string, fields: Readonly<Record<string, string>>, headers: OutgoingHttpHeaders = {}): Promise<Seen> {
    return this.#ask(target, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'sec-fetch-site': 'same-origin',
        ...headers,
      },
      body: new URLSearchParams(fields).toString(),
    });
  }

  /** Fills in the login form. */
  async logIn(account: string, password: string, next = '/ui/'): Promise<Seen> {
    const form = await this.get(`/ui/login?next=${encodeURIComponent(next)}`);
    const csrf = fieldOf(form.body, 'csrf');
    return this.post('/ui/login', { csrf, next: fieldOf(form.body, 'next'), account, password });
  }

  async logOut(): Promise<Seen> {
    const page = await this.get('/ui/logout');
    return this.post('/ui/logout', { csrf: fieldOf(page.body, 'csrf') });
  }
}
