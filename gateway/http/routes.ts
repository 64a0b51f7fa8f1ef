// What HTTP offers: publishing, the state of the node for people, probes and Prometheus, and the page.
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import { ShoalError } from '../../broker/errors.ts'
import type { WebGateway } from '../websocket/gateway.ts'
import { Exchange } from './exchange.ts'
import { type Gather, METRICS_TYPE, metricsText, type NodeFigures } from './metrics.ts'
import { PublishRoute } from './publish.ts'
import { type Answer, HttpError, jsonAnswer, respond, respondToHead } from './respond.ts'
import { StaticFiles } from './static-files.ts'

/** May throw a ShoalError. */
type Route = (req: HttpRequest) => Answer

/** Whether a page of `origin` may use this host. */
export type OriginCheck = (origin: string, host: string) => boolean

export class HttpRoutes {
  readonly #gateway: WebGateway
  readonly #mqttCounters: Readonly<object>
  readonly #isOriginAllowed: OriginCheck
  readonly #gather: Gather | null
  readonly #publish: PublishRoute
  readonly #files = new StaticFiles()
  readonly #gets: ReadonlyMap<string, Route>

  /** `gather` is for a node that is one of several in its process: null for one alone. */
  constructor(
    gateway: WebGateway,
    mqttCounters: Readonly<object>,
    isOriginAllowed: OriginCheck,
    gather: Gather | null
  ) {
    this.#gateway = gateway
    this.#mqttCounters = mqttCounters
    this.#isOriginAllowed = isOriginAllowed
    this.#gather = gather
    this.#publish = new PublishRoute(gateway)
    this.#files.add('/', new URL('./public/', import.meta.url))
    this.#files.add('/client/', new URL('../../client-js/', import.meta.url))
    this.#gets = new Map<string, Route>([
      ['/health', () => jsonAnswer('200 OK', { status: 'alive' })],
      ['/ready', () => this.#ready()],
      ['/status', () => jsonAnswer('200 OK', gateway.broker.status())],
      ['/owner', req => this.#owner(req)],
      ['/metrics', () => this.#metrics([this.#figures()])]
    ])
  }

  /** Publish requests that are being read, or wait for receipts. */
  get pending(): number {
    return this.#publish.pending
  }

  register(app: TemplatedApp): void {
    app.any('/*', (res, req) => this.#route(res, req))
  }

  #route(res: HttpResponse, req: HttpRequest): void {
    this.#gateway.counters.httpRequests++
    const path = req.getUrl()
    const method = req.getMethod()
    if (path === '/publish' && method === 'post') {
      return this.#publish.handle(res, req, this.#originRefusal(req))
    }
    if (path === '/metrics' && method === 'get' && this.#gather !== null) {
      return this.#gathered(new Exchange(res), this.#gather)
    }
    const answer = this.#answer(path, method, req)
    if (method === 'head') respondToHead(res, answer)
    else respond(res, answer)
  }

  #answer(path: string, method: string, req: HttpRequest): Answer {
    const get = this.#gets.get(path)
    if (path === '/publish') return notAllowed('POST')
    if (get === undefined && !this.#files.has(path)) return notFound()
    if (method !== 'get' && method !== 'head') return notAllowed('GET, HEAD')
    if (get === undefined) return this.#files.answer(path, req.getHeader('if-none-match'))
    try {
      return get(req)
    } catch (error) {
      if (!(error instanceof ShoalError))
        this.#gateway.broker.log.error({ error: String(error), path }, 'request failed')
      return HttpError.from(error).answer
    }
  }

  /** A page of another site must not publish, though its reader's browser can reach the node. */
  #originRefusal(req: HttpRequest): HttpError | null {
    if (this.#isOriginAllowed(req.getHeader('origin'), req.getHeader('host'))) return null
    return HttpError.from(new ShoalError('NOT_AUTHORISED', { origin: req.getHeader('origin') }))
  }

  #ready(): Answer {
    const { ready, closing } = this.#gateway.broker
    if (ready && !closing) return jsonAnswer('200 OK', { status: 'ready' })
    return jsonAnswer(
      '503 Service Unavailable',
      { status: closing ? 'closing' : 'joining' },
      { 'retry-after': '1' }
    )
  }

  #owner(req: HttpRequest): Answer {
    const topic = req.getQuery('topic')
    if (topic === undefined) throw new ShoalError('BAD_REQUEST', { field: 'topic', allowed: '?topic=a/b' })
    const owner = this.#gateway.broker.ownerOf(topic)
    if (owner === null) throw new ShoalError('NO_OWNER', { topic })
    return jsonAnswer('200 OK', { topic, owner })
  }

  #gathered(exchange: Exchange, gather: Gather): void {
    let own: NodeFigures
    try {
      own = this.#figures()
    } catch (error) {
      return exchange.fail(HttpError.from(error))
    }
    void gather(own).then(nodes => exchange.answer(this.#metrics(nodes)))
  }

  #metrics(nodes: readonly NodeFigures[]): Answer {
    const body = metricsText(nodes, this.#gather !== null)
    return { status: '200 OK', type: METRICS_TYPE, body, headers: {} }
  }

  #figures(): NodeFigures {
    const { broker, counters } = this.#gateway
    return { status: broker.status(), web: counters, mqtt: this.#mqttCounters }
  }
}

function notFound(): Answer {
  return new HttpError('NOT_FOUND', '404 Not Found', 'there is nothing at this address').answer
}

function notAllowed(allow: string): Answer {
  return new HttpError('METHOD_NOT_ALLOWED', '405 Method Not Allowed', `use ${allow}`, { allow }).answer
}
