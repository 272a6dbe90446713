/**
 * An offer to change protocols (`Upgrade: h2c` of every default Java client, WebSocket) is ignored, as RFC 9110 section
 * 7.8 allows: the request is served as the HTTP/1.1 that it is. Node's parser stops at such a head and would lose what
 * follows it in the same segment, so that a body could be read as a request; the head is therefore read once more
 * without the offer, before the bytes behind it.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const offer: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

/** The head of the request as it was sent, without the offer. Nothing in it can hold a line end: it comes from the parser. */
function headWithoutOffer({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (offer.has(name.toLowerCase())) continue;
    const kept = name.toLowerCase() === 'connection' ? withoutOffer(value) : value;
    head += `${name}: ${kept}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, 'latin1');
}

function withoutOffer(options: string): string {
  const kept = options.split(',').filter((option) => !offer.has(option.trim().toLowerCase()));
  return kept.join(',').trim();
}

/** Call before there are other listeners. `whenAnswered` runs a function once earlier requests are answered. */
export function ignoreUpgradeOffers(server: Server, whenAnswered: (socket: Socket, then: () => void) => void): void {
  const attachments = server.listeners('setSecureContext' in server ? 'secureConnection' : 'connection');
  server.on('upgrade', (request: IncomingMessage, socket: Socket, behind: Buffer) => {
    // Node has let go of the socket: until it has it again, errors and the flow of earlier answers are ours.
    const onError = (): void => {};
    const onDrain = (): void => wake('_httpMessage' in socket ? socket._httpMessage : undefined);
    socket.on('error', onError).on('drain', onDrain);
    whenAnswered(socket, () => {
      if (socket.destroyed || !socket.writable) return void socket.destroy();
      socket.off('error', onError).off('drain', onDrain);
      // The patience for the next request, begun with the last answer.
      socket.setTimeout(0);
      for (const attach of attachments) attach.call(server, socket);
      socket.unshift(Buffer.concat([headWithoutOffer(request), behind]));
    });
  });
}

function wake(response: unknown): void {
  if (response instanceof ServerResponse && response.writableNeedDrain) response.emit('drain');
}
