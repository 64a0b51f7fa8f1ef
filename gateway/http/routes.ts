// What HTTP offers: publishing, the state of the node for people, probes and Prometheus, and the page.
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import { ShoalError } from '../../broker/errors.ts'
import type { WebGateway } from '../websocket/gateway.ts'
import { METRICS_TYPE, metricsText } from './metrics.ts'
import { PublishRoute } from './publish.ts'
import { HttpError, respond, respondError, respondJson } from './respond.ts'
import { StaticFiles } from './static-files.ts'

type Route = (res: HttpResponse, req: HttpRequest) => void

/** Whether a page of `origin` may use this host. */
export type OriginCheck = (origin: string, host: string) => boolean

export class HttpRoutes {
  readonly #gateway: WebGateway
  readonly #isOriginAllowed: OriginCheck
  readonly #publish: PublishRoute
  readonly #files = new StaticFiles()
  readonly #gets: ReadonlyMap<string, Route>

  constructor(gateway: WebGateway, isOriginAllowed: OriginCheck) {
    this.#gateway = gateway
    this.#isOriginAllowed = isOriginAllowed
    this.#publish = new PublishRoute(gateway)
    this.#files.add('/', new URL('./public/', import.meta.url))
    this.#files.add('/client/', new URL('../../client-js/', import.meta.url))
    this.#gets = new Map<string, Route>([
      ['/health', res => respondJson(res, '200 OK', { status: 'alive' })],
      ['/ready', res => this.#ready(res)],
      ['/status', res => respondJson(res, '200 OK', gateway.broker.status())],
      ['/owner', (res, req) => this.#owner(res, req)],
      ['/metrics', res => this.#metrics(res)]
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
    if (path === '/publish') {
      if (method !== 'post') return notAllowed(res, 'POST')
      return this.#publish.handle(res, req, this.#originRefusal(req))
    }
    const get = this.#gets.get(path)
    if (get === undefined && !this.#files.has(path)) {
      return respondError(
        res,
        new HttpError('NOT_FOUND', '404 Not Found', 'there is nothing at this address')
      )
    }
    if (method !== 'get') return notAllowed(res, 'GET')
    if (get === undefined) return this.#files.serve(path, res, req)
    try {
      get(res, req)
    } catch (error) {
      respondError(res, HttpError.from(error))
    }
  }

  /** A page of another site must not publish, though its reader's browser can reach the node. */
  #originRefusal(req: HttpRequest): HttpError | null {
    if (this.#isOriginAllowed(req.getHeader('origin'), req.getHeader('host'))) return null
    return HttpError.from(new ShoalError('NOT_AUTHORISED', { origin: req.getHeader('origin') }))
  }

  #ready(res: HttpResponse): void {
    const { ready, closing } = this.#gateway.broker
    if (ready && !closing) return respondJson(res, '200 OK', { status: 'ready' })
    const status = closing ? 'closing' : 'joining'
    respondJson(res, '503 Service Unavailable', { status }, { 'retry-after': '1' })
  }

  #owner(res: HttpResponse, req: HttpRequest): void {
    const topic = req.getQuery('topic')
    if (topic === undefined) throw new ShoalError('BAD_REQUEST', { field: 'topic', allowed: '?topic=a/b' })
    const owner = this.#gateway.broker.ownerOf(topic)
    if (owner === null) throw new ShoalError('NO_OWNER', { topic })
    respondJson(res, '200 OK', { topic, owner })
  }

  #metrics(res: HttpResponse): void {
    const { broker, counters } = this.#gateway
    respond(res, '200 OK', METRICS_TYPE, metricsText(broker.status(), counters))
  }
}

function notAllowed(res: HttpResponse, allow: string): void {
  const error = new HttpError('METHOD_NOT_ALLOWED', '405 Method Not Allowed', `use ${allow}`, { allow })
  respondError(res, error)
}
