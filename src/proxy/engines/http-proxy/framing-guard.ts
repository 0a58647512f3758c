import type { IncomingMessage } from 'node:http';

/** The longest line of a chunk, or section of trailers, between two pieces of a body. Node itself limits extensions. */
const framingBytesMax = 64 * 1024;

/**
 * Calls `onExcess` when a body does not grow although its connection delivers bytes, for example in an endless chunk size
 * of zeros. Node's parser takes those without a limit. Returns a function that ends the watch.
 */
export function watchFraming(message: IncomingMessage, onExcess: () => void): () => void {
  const { socket } = message;
  let bodyBytes = 0;
  let lastBytes = 0;
  let framingBytes = 0;
  const grow = (piece: Buffer): void => {
    bodyBytes += piece.length;
  };
  const watch = (bytes: Buffer): void => {
    const knownBytes = bodyBytes + message.readableLength;
    framingBytes = knownBytes === lastBytes ? framingBytes + bytes.length : 0;
    lastBytes = knownBytes;
    if (framingBytes > framingBytesMax) onExcess();
  };
  message.on('data', grow);
  socket.on('data', watch);
  return () => {
    message.removeListener('data', grow);
    socket.removeListener('data', watch);
  };
}
