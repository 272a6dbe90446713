import { connect, createServer, type Socket } from 'node:net';

/** One connection through the proxy. */
export interface Link {
  /** The first bytes that the client sent, enough to tell what it is. */
  readonly begin: () => string;
}

export interface FaultProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  /** Both directions flow, each chunk `latencyMs` late. */
  readonly pass: (latencyMs?: number) => void;
  /** Nothing flows any more on links that match, and nothing tells either side. */
  readonly freeze: (matches?: (link: Link) => boolean) => void;
  /** Ends all links, and each new one at once. */
  readonly cut: () => void;
  /** When a client has sent `text`, what the server answers is lost, and the link with it. Resolves when that happened. */
  readonly loseReplyTo: (text: string) => Promise<void>;
  /** When a client has sent `text`, nothing flows any more on any link. Resolves when that happened. */
  readonly silenceAt: (text: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A TCP relay on loopback that can fail in the ways a network does. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  let latencyMs = 0;
  let isCut = false;
  let isFrozen: (link: Link) => boolean = () => false;
  let loss: { readonly text: string; readonly done: () => void } | undefined;
  let silence: { readonly text: string; readonly done: () => void } | undefined;
  let accepted = 0;
  const links = new Set<{ readonly client: Socket; readonly flow: () => void }>();
  const cutAll = (): void => links.forEach(({ client }) => client.destroy());

  const server = createServer((client) => {
    accepted += 1;
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(targetPort, '127.0.0.1');
    let begin = '';
    let losing: (() => void) | undefined;
    const link: Link = { begin: () => begin };
    const directions = [
      { from: client, to: upstream },
      { from: upstream, to: client },
    ];
    const flow = (): void => directions.forEach(({ from }) => (isFrozen(link) ? from.pause() : from.resume()));
    const entry = { client, flow };
    links.add(entry);
    const end = (): void => {
      links.delete(entry);
      client.destroy();
      upstream.destroy();
    };
    for (const { from, to } of directions) {
      from.on('error', end);
      from.on('close', end);
      from.on('data', (chunk: Buffer) => {
        if (from === client) {
          if (begin.length < 4096) begin += chunk.toString('latin1');
          if (silence !== undefined && chunk.includes(silence.text)) {
            isFrozen = () => true;
            silence.done();
            silence = undefined;
            links.forEach((each) => each.flow());
            return;
          }
          if (loss !== undefined && chunk.includes(loss.text)) {
            losing = loss.done;
            loss = undefined;
          }
        } else if (losing !== undefined) {
          losing();
          end();
          return;
        }
        const pass = (): void => {
          if (!to.destroyed) to.write(chunk);
        };
        if (latencyMs > 0) setTimeout(pass, latencyMs);
        else pass();
        flow();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;

  return {
    port,
    accepted: () => accepted,
    pass(ms = 0) {
      latencyMs = ms;
      isCut = false;
      isFrozen = () => false;
      links.forEach(({ flow }) => flow());
    },
    freeze(matches = () => true) {
      isFrozen = matches;
      links.forEach(({ flow }) => flow());
    },
    cut() {
      isCut = true;
      cutAll();
    },
    loseReplyTo: (text) => new Promise((done) => (loss = { text, done })),
    silenceAt: (text) => new Promise((done) => (silence = { text, done })),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      isCut = true;
      cutAll();
      await closed;
    },
  };
}
