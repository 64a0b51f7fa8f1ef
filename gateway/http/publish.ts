// POST /publish: reads the body, publishes its messages, and answers when those of QoS 1 are safe.
import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { ShoalError } from '../../broker/errors.ts'
import type { WebGateway } from '../websocket/gateway.ts'
import { errorOfReason } from '../websocket/protocol.ts'
import { BodyReader, tooMany } from './body.ts'
import { Exchange } from './exchange.ts'
import { type PublishRequest, type PublishTarget, readPublish } from './publish-request.ts'
import { NO_RECEIPT, Receipts } from './receipts.ts'
import { HttpError, jsonAnswer } from './respond.ts'

/** The answer for one message: `reason` is an MQTT 5 PUBACK reason code, given at QoS 1. */
interface PublishResult {
  reason?: number
  error?: ShoalError
}

export class PublishRoute {
  readonly #gateway: WebGateway
  readonly #bodies: BodyReader
  #isCongested = false
  /** Requests that are being read, or wait for receipts. */
  pending = 0

  constructor(gateway: WebGateway) {
    this.#gateway = gateway
    const { frameBytesMax, bodyTimeoutMs, requestBytesMax } = gateway.options
    const limits = { bodyBytesMax: frameBytesMax, bodyTimeoutMs, requestBytesMax }
    this.#bodies = new BodyReader(gateway.broker.clock, limits)
  }

  /** `refusal`, if there is one, is what the request is answered with. */
  handle(res: HttpResponse, req: HttpRequest, refusal: HttpError | null): void {
    const exchange = new Exchange(res)
    const error = refusal ?? this.#refusal()
    if (error !== null) {
      this.#gateway.counters.httpRefused++
      return exchange.fail(error)
    }
    this.pending++
    exchange.onEnd(() => {
      this.pending--
    })
    const target = targetOf(req)
    this.#bodies.read(exchange, req.getHeader('content-length'), body =>
      this.#publish(exchange, target, body)
    )
  }

  #refusal(): HttpError | null {
    const { broker, options } = this.#gateway
    if (!broker.ready || broker.closing) return unavailable('the node does not serve now')
    if (this.#isCongested) return unavailable('more is published than the cluster takes')
    return this.pending >= options.requestsMax ? tooMany() : null
  }

  #publish(exchange: Exchange, target: PublishTarget, body: Buffer): void {
    const { broker, options, counters } = this.#gateway
    let request: PublishRequest
    try {
      const { batchMax, frameBytesMax: payloadBytesMax } = options
      request = readPublish(broker, target, body, { batchMax, payloadBytesMax })
    } catch (error) {
      if (!(error instanceof ShoalError)) broker.log.error({ error: String(error) }, 'publish failed')
      return exchange.fail(HttpError.from(error))
    }
    const receipts = new Receipts(request.messages)
    for (const message of request.messages) {
      counters.messagesIn++
      if (!broker.publish(message)) this.#congested()
    }
    exchange.onEnd(() => receipts.cancel())
    receipts.whenDone(broker.clock, options.receiptTimeoutMs, () => {
      answer(exchange, request, resultsOf(request, receipts))
    })
  }

  /** Requests are refused until the way is free again; the rest of this one goes through, bounded as it is. */
  #congested(): void {
    if (this.#isCongested) return
    this.#isCongested = true
    this.#gateway.broker.whenDrained(() => {
      this.#isCongested = false
    })
  }
}

/** Copies what matters: the library's request is only valid within the handler. */
function targetOf(req: HttpRequest): PublishTarget {
  return {
    contentType: req.getHeader('content-type'),
    topic: req.getQuery('topic'),
    qos: req.getQuery('qos'),
    retain: req.getQuery('retain')
  }
}

function resultsOf({ messages }: PublishRequest, { reasons }: Receipts): PublishResult[] {
  return messages.map((message, index) => {
    const reason = reasons[index]!
    if (message.qos === 0) return {}
    if (reason !== NO_RECEIPT && reason < 0x80) return { reason }
    return { error: reason === NO_RECEIPT ? new ShoalError('TIMEOUT') : errorOfReason(reason) }
  })
}

/** 200 if all went well; else the first error, and for a batch the result of each. */
function answer(exchange: Exchange, { isBatch }: PublishRequest, results: PublishResult[]): void {
  const first = results.find(result => result.error !== undefined)?.error
  const published = results.filter(result => result.error === undefined).length
  const each = isBatch ? { results: results.map(describe) } : results[0]
  if (first === undefined) return exchange.answer(jsonAnswer('200 OK', { published, ...each }))
  const error = HttpError.from(first)
  if (!isBatch) return exchange.fail(error)
  exchange.answer(jsonAnswer(error.status, { error, published, ...each }, error.headers))
}

function describe({ reason, error }: PublishResult): unknown {
  if (error !== undefined) return { error: HttpError.from(error) }
  return reason === undefined ? {} : { reason }
}

function unavailable(message: string): HttpError {
  return new HttpError('UNAVAILABLE', '503 Service Unavailable', message, { 'retry-after': '1' })
}
