// Shoal's link between nodes: requests and streams on the connection that carries messages, too.
import type { Duplex, Readable } from 'node:stream'
import { ShoalError } from '../../broker/errors.ts'
import { createLink, type Link, type LinkHandlers } from '../../broker/link/index.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import { type Contender, HOST, source } from './contender.ts'

const TIMEOUT_MS = 60_000

/** A node that answers requests, and has no topics. */
function handlers(): LinkHandlers {
  const noTopics = (): never => {
    throw new ShoalError('FRAME_INVALID', { data: 'none expected' })
  }
  return {
    topic: noTopics,
    origin: instance => ({ instance }),
    publish: noTopics,
    deliver: noTopics,
    barrier: noTopics,
    publishAck: noTopics,
    deliverAck: noTopics,
    request(_link, name, body, reply) {
      if (name === 'ask') reply.send(body)
      else reply.send(null, { bytes: source(body as number) })
    },
    fire() {},
    congested() {},
    closed() {}
  }
}

const { clock, log, network } = nodeRuntime()

function linkOver(duplex: Duplex, instance: string, initiator: boolean): Promise<Link> {
  const self = { id: `${HOST}:${initiator ? 1 : 2}`, instance }
  return createLink(duplex, { clock, log, self, ring: 'load', handlers: handlers(), initiator })
}

export const link: Contender = {
  async serve() {
    const listener = await network.listen({ host: HOST, port: 0 }, stream => {
      linkOver(stream, '1111111111111111', false)
    })
    return listener.address.port
  },

  async connect(port) {
    const open = await linkOver(
      await network.connect({ host: HOST, port }, TIMEOUT_MS),
      '2222222222222222',
      true
    )
    return {
      ask: (question, answered) => open.requestCallback('ask', question, TIMEOUT_MS, answered),
      async download(bytes): Promise<Readable> {
        return (await open.request('download', bytes)).streams['bytes']!
      }
    }
  }
}
