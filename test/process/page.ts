// A subscriber in a headless Chromium: the page of a node, and client-js as that node serves it to browsers.
import { type Browser, chromium } from 'playwright-core'
import type { Scope } from '../support/process.ts'
import { findTool } from '../support/tools.ts'
import type { NodeProcess } from './nodes.ts'
import type { Arrival } from './reckoning.ts'
import type { RecordingSubscriber } from './subscribers.ts'

const START_TIMEOUT_MS = 60_000

/** The browser must be there: see `requireTool`. */
export async function startBrowser(scope: Scope): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: findTool('chromium')!,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    timeout: START_TIMEOUT_MS
  })
  scope.after(() => browser.close())
  return browser
}

/** Runs in the page. Its clock counts from its own origin. */
const SUBSCRIBE = `async filter => {
  const { connect } = await import('/client/index.js')
  const log = { arrivals: [], connects: 0 }
  const client = connect(location.href.replace('http', 'ws'))
  client.on('connected', () => log.connects++)
  globalThis.log = log
  await client.subscribe(filter, ({ topic, text }) => {
    log.arrivals.push({ topic, number: Number(text), atMs: performance.now() })
  }).ready
}`

/** Settles when the cluster has the page's subscription. */
export async function pageSubscriber(
  scope: Scope,
  browser: Browser,
  name: string,
  node: NodeProcess,
  filter: string
): Promise<RecordingSubscriber> {
  const page = await browser.newPage()
  scope.after(() => page.close())
  await page.goto(`${node.httpUrl}/`)
  await page.evaluate(`(${SUBSCRIBE})(${JSON.stringify(filter)})`)
  return {
    name,
    count: () => page.evaluate<number>('log.arrivals.length'),
    arrivals: () => page.evaluate<Arrival[]>('log.arrivals'),
    interruptions: () => page.evaluate<number>('log.connects - 1')
  }
}
