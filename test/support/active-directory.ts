/** What Active Directory says, by a real slapd whose backend is this process (slapd-sock): its texts and its binary attributes. */
import { type Server, createServer } from 'node:net';
import { rm } from 'node:fs/promises';

export interface SockBackend {
  /** Lines of slapd.conf for the suffix. */
  readonly settings: string;
  readonly requests: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** `answer` gets a request as slapd writes it, and gives entries in LDIF and a RESULT. */
export async function startSockBackend(
  suffix: string,
  path: string,
  answer: (request: string) => string,
): Promise<SockBackend> {
  const requests: string[] = [];
  const server: Server = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.endsWith('\n\n')) return;
      requests.push(text);
      socket.end(answer(text));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    settings: `database sock\nsuffix "${suffix}"\nsocketpath ${path}\naccess to * by * read`,
    requests: () => requests,
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await rm(path, { force: true });
    },
  };
}
