// What a connection needs of the bytes beneath it: a TCP socket, or a WebSocket whose binary frames
// carry the stream; and what whoever owns those tells the connection.

export interface ByteTransport {
  /** Address of the other end, for logs and for what is allowed to loopback only; may be empty once it is closed. */
  readonly remoteAddress: string
  /**
   * False while bytes that were written still wait for the network. While true, all bytes written so far have been
   * taken, and their memory may be written to again. When it turns true the user's `onWritable` is called.
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

/** Who reads from a transport. Never told anything while it calls the transport. */
export interface TransportUser {
  /** Bytes in order, which are the user's from now on: nobody writes to them again. */
  onData(chunk: Buffer): void
  /** `writable` has turned true again. */
  onWritable(): void
  /** The other end sends no more; it can still be written to. Not told by transports that close both ways at once. */
  onEnd(): void
  /** The transport is closed, by whichever end or by an error of the network. The last that is told, once. */
  onClose(error?: Error): void
}
