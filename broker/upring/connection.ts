// A certain node, asked directly: whatever the key of a request, it goes there. Also to this node itself.
import type { Answered } from './dispatch.ts'
import type {
  DirectMessage,
  ErrorCallback,
  ReceivedMessage,
  RequestCallback,
  RequestOptions
} from './message.ts'

/** What `peerConn` returns; upring's users know it as a tentacoli. */
export interface PeerConnection {
  /** Whom it leads to. */
  readonly peerId: string
  /** No link leads there at the moment. A request waits for one as long as the peer is a member. */
  readonly destroyed: boolean
  /** Fails with PEER_UNKNOWN for what is no member, PEER_GONE when it dies before it answers, and as `Upring.request`. */
  request<Reply = ReceivedMessage, Message extends object = DirectMessage>(
    message: Message,
    callback: RequestCallback<Reply>
  ): void
  request<Reply = ReceivedMessage, Message extends object = DirectMessage>(
    message: Message,
    options?: RequestOptions
  ): Promise<Reply>
  fire<Message extends object = DirectMessage>(message: Message, callback?: ErrorCallback): void
}

/** A callback's or a promise's way to what `send` is answered. */
export function ask<Reply>(
  send: (settled: Answered) => void,
  callback: RequestCallback<Reply> | null
): Promise<Reply> | null {
  if (callback !== null) {
    send((error, body) => callback(error, body as Reply))
    return null
  }
  return new Promise((resolve, reject) => {
    send((error, body) => {
      if (error === null) resolve(body as Reply)
      else reject(error)
    })
  })
}
