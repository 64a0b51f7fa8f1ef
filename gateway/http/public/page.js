// The page of a node: subscribes, shows what comes, publishes, and shows who is in the cluster. It is
// an ordinary user of the client, with nothing built and nothing loaded from elsewhere.
import { connect } from '/client/index.js'

const SHOWN_MAX = 200
const PAYLOAD_SHOWN = 4000
const STATUS_MS = 2000

const byId = id => document.getElementById(id)
const client = connect(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`)
const subscriptions = new Map()
let pending = []
let isPaused = false
let count = 0

// The connection.

client.on('state', state => {
  byId('state').dataset.state = state
  byId('state-text').textContent = state
})
client.on('connected', ({ node }) => {
  byId('node').textContent = node
  showProblem(null)
})
client.on('disconnected', ({ reason, missed }) => {
  if (missed > 0) showProblem(`${reason}: ${missed} messages or more were missed`)
})
client.on('closed', error => {
  if (error !== null) showProblem(`${error.message} (${error.code})`)
})

// Subscriptions.

byId('subscribe').addEventListener('submit', event => {
  event.preventDefault()
  subscribe(byId('filter').value)
})

function subscribe(filter) {
  if (subscriptions.has(filter)) return
  showProblem(null)
  const chip = chipOf(filter)
  const subscription = client.subscribe(filter, receive)
  subscriptions.set(filter, { subscription, chip })
  subscription.ready.then(
    () => chip.classList.remove('waiting'),
    error => {
      if (subscriptions.get(filter)?.subscription === subscription) unsubscribe(filter)
      if (error.code !== 'CLOSED') showProblem(`${filter}: ${error.message}`)
    }
  )
}

function unsubscribe(filter) {
  const { subscription, chip } = subscriptions.get(filter)
  subscriptions.delete(filter)
  chip.remove()
  subscription.close()
}

function chipOf(filter) {
  const chip = document.createElement('li')
  const name = document.createElement('code')
  const close = document.createElement('button')
  name.textContent = filter
  close.type = 'button'
  close.textContent = '×'
  close.setAttribute('aria-label', `Unsubscribe from ${filter}`)
  close.addEventListener('click', () => unsubscribe(filter))
  chip.classList.add('waiting')
  chip.append(name, close)
  byId('subscriptions').append(chip)
  return chip
}

function showProblem(text) {
  byId('problem').hidden = text === null
  byId('problem').textContent = text ?? ''
}

// Messages. They are shown once a frame of the screen, newest first; a hidden page keeps the newest.

let lastMessage = null

/** Overlapping subscriptions are handed the same object, one after the other: it is shown once. */
function receive(message) {
  if (message === lastMessage) return
  lastMessage = message
  count++
  if (isPaused) return
  if (pending.length === 0) requestAnimationFrame(show)
  pending.push({ message, at: new Date() })
  if (pending.length > SHOWN_MAX) pending.shift()
}

function show() {
  const items = pending.map(itemOf).reverse()
  pending = []
  const list = byId('messages')
  list.prepend(...items)
  while (list.children.length > SHOWN_MAX) list.lastChild.remove()
  byId('empty').hidden = true
}

function itemOf({ message, at }) {
  const item = byId('message').content.cloneNode(true).firstElementChild
  const part = name => item.querySelector(name)
  part('.topic').textContent = message.topic
  part('.topic').title = message.topic
  part('.badge').hidden = !message.retained
  part('.epoch').textContent = `${message.epoch}:`
  part('.offset').textContent = message.offset
  part('time').textContent = at.toLocaleTimeString([], { hour12: false })
  part('time').dateTime = at.toISOString()
  showPayload(part('.payload'), message)
  return item
}

function showPayload(element, message) {
  const { bytes } = message
  const text = message.text
  // What was no UTF-8 does not come back from its text.
  const isText = new TextEncoder().encode(text).length === bytes.length && !text.includes('\uFFFD')
  element.classList.toggle('binary', !isText || text === '')
  if (text === '') element.textContent = '(empty)'
  else if (isText) element.textContent = shorten(text)
  else element.textContent = `${bytes.length} bytes: ${hexOf(bytes)}`
}

function shorten(text) {
  return text.length <= PAYLOAD_SHOWN ? text : `${text.slice(0, PAYLOAD_SHOWN)}… (${text.length} characters)`
}

function hexOf(bytes) {
  const shown = [...bytes.subarray(0, 64)].map(byte => byte.toString(16).padStart(2, '0'))
  return shown.join(' ') + (bytes.length > 64 ? ' …' : '')
}

byId('pause').addEventListener('click', () => {
  isPaused = !isPaused
  byId('pause').textContent = isPaused ? 'Go on' : 'Pause'
  byId('pause').setAttribute('aria-pressed', String(isPaused))
})

byId('clear').addEventListener('click', () => {
  byId('messages').replaceChildren()
  byId('empty').hidden = false
})

setInterval(() => {
  byId('rate').textContent = count === 0 ? '' : `${count} a second`
  count = 0
}, 1000)

// Publishing.

byId('publish').addEventListener('submit', async event => {
  event.preventDefault()
  const qos = byId('qos').checked ? 1 : 0
  const note = byId('published')
  note.textContent = '…'
  try {
    const began = performance.now()
    const options = { qos, retain: byId('retain').checked }
    const { matched } = await client.publish(byId('topic').value, byId('payload').value, options)
    const tookMs = (performance.now() - began).toFixed(1)
    if (qos === 0) note.textContent = 'sent'
    else note.textContent = `acknowledged in ${tookMs} ms${matched ? '' : '; nobody is subscribed'}`
  } catch (error) {
    note.textContent = error.message
  }
})

// The cluster.

async function refresh() {
  try {
    const response = await fetch('/status')
    if (response.ok) showStatus(await response.json())
  } catch {
    byId('figures').textContent = 'no answer'
  }
  setTimeout(refresh, STATUS_MS)
}

function showStatus({ members, topics, subscriptions: count, retained }) {
  const counted = (number, noun) => `${number} ${noun}${number === 1 ? '' : 's'}`
  byId('figures').textContent =
    `${counted(topics, 'topic')}, ${counted(count, 'subscription')}, ${retained} retained`
  byId('members').replaceChildren(...members.map(rowOf))
}

function rowOf(member) {
  const row = document.createElement('tr')
  const state = member.state === 'alive' ? member.phase : member.state
  row.classList.toggle('self', member.self)
  const share = member.client ? 'gateway' : `${(member.share * 100).toFixed(1)} %`
  for (const text of [member.id, state, share]) {
    const cell = document.createElement('td')
    cell.textContent = text
    row.append(cell)
  }
  row.children[1].dataset.state = state
  row.children[2].classList.add('number')
  return row
}

byId('hint').textContent = `curl -d hi '${location.origin}/publish?topic=hello/world'`
subscribe('hello/#')
refresh()
