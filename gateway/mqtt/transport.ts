// What a connection needs of the bytes beneath it: a TCP socket, or a WebSocket whose binary frames
// carry the stream. Whoever owns the transport feeds the Connection (see connection.ts): `onData`,
// `onWritable`, `onEnd` where one side alone can close, `onClose`.

export interface ByteTransport {
  /** Address of the other end, for logs and for what is allowed to loopback only. */
  readonly remoteAddress: string
  /**
   * False while bytes that were written still wait for the network. While true, all bytes written so far have been
   * taken, and their memory may be written to again. When it turns true the connection's `onWritable` is called.
   */
  readonly writable: boolean
  /** Takes the bytes in order. Never throws; does nothing after `end` or `destroy`. */
  write(bytes: Uint8Array): void
  /** Asks for no more input until `resume`; some may still come. */
  pause(): void
  resume(): void
  /** Closes once all that was written is sent. */
  end(): void
  /** Closes at once. */
  destroy(): void
}
