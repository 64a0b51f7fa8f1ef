// The page in a real browser: it loads, shows what is published elsewhere, publishes, and comes back
// after its gateway was away.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { listenWeb, type WebListener } from '../../../gateway/websocket/listener.ts'
import { FakeBroker } from '../../support/fake-broker.ts'
import { freePort } from '../../support/free-port.ts'
import { findTool, requireTool } from '../../support/tools.ts'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]

interface Stage {
  broker: FakeBroker
  page: Page
  url: string
  /** What the page has said to the console, and errors of its scripts. */
  complaints: string[]
  /** Stops the gateway, and starts it again on its port when `meanwhile` is over. */
  restart(meanwhile: () => Promise<void>): Promise<void>
}

async function setStage(t: TestContext): Promise<Stage> {
  const broker = new FakeBroker()
  const options = { port: await freePort(), lingerMs: 5 }
  let web: WebListener = await listenWeb(broker, options)
  const folder = await mkdtemp(join(tmpdir(), 'shoal-page-'))
  let context: BrowserContext | null = null
  t.after(async () => {
    await context?.close()
    await web.close()
    await rm(folder, { recursive: true, force: true })
  })
  context = await chromium.launchPersistentContext(folder, {
    executablePath: findTool('chromium')!,
    headless: true,
    args: FLAGS
  })
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  const url = `http://127.0.0.1:${options.port}`
  await page.goto(url)
  await page.locator('#state[data-state=connected]').waitFor()
  const restart = async (meanwhile: () => Promise<void>): Promise<void> => {
    await web.close()
    await meanwhile()
    web = await listenWeb(broker, options)
  }
  return { broker, page, url, complaints, restart }
}

async function publish(url: string, topic: string, payload: string): Promise<void> {
  const response = await fetch(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ topic, payload, qos: 1 })
  })
  assert.equal(response.status, 200)
}

test('the page shows messages as they come, publishes, and tells the state of the cluster', async t => {
  if (!requireTool(t, 'chromium')) return
  const { broker, page, url, complaints, restart } = await setStage(t)
  const messages = page.locator('#messages li')
  const first = messages.first()

  assert.equal(await page.title(), 'Shoal')
  assert.equal(await page.locator('#node').textContent(), broker.id)
  await page.locator('#subscriptions li:not(.waiting)', { hasText: 'hello/#' }).waitFor()
  await page.locator('#members tr', { hasText: broker.id }).waitFor()
  assert.match((await page.locator('#members').textContent()) ?? '', /serving100\.0 %/)

  // From a backend.
  await publish(url, 'hello/world', '<b>"hi"</b> 🐟')
  await first.waitFor()
  assert.equal(await first.locator('.topic').textContent(), 'hello/world')
  assert.equal(await first.locator('.payload').textContent(), '<b>"hi"</b> 🐟')
  assert.equal(await first.locator('.order').textContent(), '1:1')

  // From the form.
  await page.locator('#payload').fill('from the form')
  await page.locator('#publish button').click()
  await page.locator('#messages li', { hasText: 'from the form' }).waitFor()
  await page.locator('#published', { hasText: 'acknowledged' }).waitFor()
  assert.equal(broker.published.at(-1)?.qos, 1)
  assert.equal(await messages.count(), 2)

  // Another subscription, and one that is refused.
  await page.locator('#filter').fill('other/+')
  await page.locator('#subscribe button').click()
  await page.locator('#subscriptions li:not(.waiting)', { hasText: 'other/+' }).waitFor()
  await publish(url, 'other/one', 'other')
  await page.locator('#messages li', { hasText: 'other/one' }).waitFor()
  await page.locator('#filter').fill('a/#/b')
  await page.locator('#subscribe button').click()
  await page.locator('#problem', { hasText: 'a/#/b' }).waitFor()
  assert.equal(await page.locator('#subscriptions li').count(), 2)

  // The list is bounded.
  for (let i = 0; i < 4; i++) {
    await fetch(`${url}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        messages: Array.from({ length: 80 }, (_, j) => ({ topic: 'hello/many', payload: `${i * 80 + j}` }))
      })
    })
  }
  await page.locator('#messages .payload', { hasText: /^319$/ }).waitFor()
  assert.equal(await messages.count(), 200)

  assert.deepEqual(complaints, [])

  // The gateway goes, and comes back.
  await restart(() => page.locator('#state:not([data-state=connected])').waitFor())
  await page.locator('#state[data-state=connected]').waitFor()
  await page.locator('#clear').click()
  await publish(url, 'hello/again', 'back')
  await page.locator('#messages li', { hasText: 'hello/again' }).waitFor()
})

test('the page has no side-scroll on a phone', async t => {
  if (!requireTool(t, 'chromium')) return
  const { page, url } = await setStage(t)
  await page.setViewportSize({ width: 360, height: 700 })
  await publish(url, `hello/${'long/'.repeat(40)}`, 'x'.repeat(500))
  await page.locator('#messages li').first().waitFor()
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= 360, `${width} pixels`)
})
