// `node uws-main.js <port>`: what uWebSockets.js does by itself: each publish of a browser becomes a line, and
// `app.publish` sends it to all. No cluster, no order, no limits, no wildcards: the floor that a gateway on this
// library stands on.
import uWS from 'uWebSockets.js'
import type { PublishRequest, Reply, Request } from '../../client-js/wire.ts'

const IDLE_SECONDS = 120
const LIMITS = { frameBytes: 1_048_576, subscriptions: 64, publishWindow: 65_535, pingMs: 60_000 }

interface Publication {
  topic: string
  line: string
}

const app = uWS.App()
let offset = 0
let gathered: Publication[] = []

function publish({ topic, text = '', qos, id }: PublishRequest, answer: (reply: Reply) => void): void {
  offset += 1
  // Within a read its socket is corked, and the library would then write each message to each socket by itself.
  if (gathered.push({ topic, line: `${JSON.stringify({ m: topic, e: 1, o: offset, p: text })}\n` }) === 1) {
    setImmediate(publishGathered)
  }
  if (qos === 1 && id !== undefined) answer({ t: 'published', id, reason: 0 })
}

function publishGathered(): void {
  const all = gathered
  gathered = []
  for (const { topic, line } of all) app.publish(topic, line)
}

app.ws('/*', {
  maxBackpressure: 0,
  maxPayloadLength: LIMITS.frameBytes,
  idleTimeout: IDLE_SECONDS,
  compression: uWS.DISABLED,
  message(ws, data) {
    const answer = (reply: Reply) => ws.send(`${JSON.stringify(reply)}\n`)
    const request = JSON.parse(Buffer.from(data).toString('utf8')) as Request
    if (request.t === 'publish') publish(request, answer)
    else if (request.t === 'connect')
      answer({ t: 'welcome', version: 1, client: request.client ?? '', node: 'uws', limits: LIMITS })
    else if (request.t === 'subscribe') {
      ws.subscribe(request.filter)
      answer({ t: 'subscribed', id: request.id })
    }
  }
})

app.listen('127.0.0.1', Number(process.argv[2]), socket => {
  if (socket === false) throw new Error('the port is taken')
})
