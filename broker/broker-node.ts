// The node that is a broker: its place in the cluster, its router, and the registry of client ids, started
// and closed in the right order.
import type { Broker, BrokerOptions, BrokerStatus } from './broker.ts'
import { BrokerGround } from './broker-ground.ts'
import { Cluster } from './cluster.ts'
import { ShoalError } from './errors.ts'
import type { Message, TopicName } from './message.ts'
import { hashKey, shardKey } from './ring/hash.ts'
import { Router } from './router/router.ts'
import type { Clock } from './runtime/clock.ts'
import type { Log } from './runtime/log.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Attachment } from './sessions/attachment.ts'
import type { ClientHolder } from './sessions/registry.ts'
import type { SessionClient } from './sessions/remote.ts'
import { type AttachRequest, Sessions } from './sessions/sessions.ts'
import type { SessionWill } from './sessions/will.ts'
import { validateTopic } from './topics/filter.ts'
import type { Subscriber, Subscription, SubscriptionOptions } from './topics/subscription.ts'
import type { Upring } from './upring/api.ts'
import { instanceOptionsOf } from './upring/options.ts'
import { UpringNode } from './upring/upring-node.ts'

/** Between tries to see all members on the same ring. */
const AGREEMENT_MS = 1000
/** Of the time to close, what leaving may take. */
const HANDOVER_PART = 0.75
/** Of the time to close, what goodbyes get at least. */
const GOODBYE_MS = 500

export class BrokerNode implements Broker {
  readonly clock: Clock
  readonly log: Log
  readonly #options: BrokerOptions
  readonly #runtime: Runtime
  /** Settles when the sockets are bound; null before `start`. */
  #bound: Promise<Cluster> | null = null
  #cluster: Cluster | null = null
  #router: Router | null = null
  #sessions: Sessions | null = null
  /** Null until somebody asks for it. */
  #upring: { readonly instance: Upring; readonly ground: BrokerGround } | null = null
  #joined = false
  #ready = false
  #closing: Promise<void> | null = null

  constructor(options: BrokerOptions, runtime: Runtime) {
    this.#options = options
    this.#runtime = runtime
    this.clock = runtime.clock
    this.log = runtime.log
  }

  get id(): string {
    return this.#cluster?.self.id ?? ''
  }

  get instance(): string {
    return this.#cluster?.self.instance ?? ''
  }

  get ready(): boolean {
    return this.#ready && this.#closing === null
  }

  get closing(): boolean {
    return this.#closing !== null
  }

  get upring(): Upring {
    this.#upring ??= this.#createUpring()
    return this.#upring.instance
  }

  async start(): Promise<void> {
    if (this.#closing !== null) throw new ShoalError('CLOSED')
    this.#bound = Cluster.start(this.#options, this.#runtime, ({ id, instance }) => {
      const router = new Router(id, instance, this.#options, this.#runtime, {
        linkOpened: peer => {
          this.#sessions?.linkOpened(peer.id)
          if (peer.link !== null) this.#upring?.ground.linkOpened(peer.link)
        },
        linkClosed: peer => {
          this.#sessions?.linkLost(peer.id)
          if (!this.#cluster?.isMember(peer.id, peer.instance)) router.rebalancing.peerLost(peer)
        },
        peerGone: peer => this.#sessions?.nodeGone(peer.id),
        ringChanged: () => this.#sessions?.registry.ringChanged(),
        handOver: () => this.#sessions?.handOver() ?? Promise.resolve()
      })
      this.#router = router
      this.#sessions = this.#createSessions(id, router)
      return {
        handlers: router.inbound,
        events: { membersChanged: () => this.#membersChanged() }
      }
    })
    const cluster = await this.#bound
    this.#cluster = cluster
    this.#sessions?.handle(this.#started().control)
    this.#upring?.ground.bound(cluster, this.#started())
    await cluster.join()
    await this.#agreed()
    await this.#loadPlugins()
    if (this.#closing !== null) throw new ShoalError('CLOSED')
    if (!this.#options.client) {
      await cluster.setPhase('serving')
      await this.#agreed()
    }
    this.#ready = true
    this.#upring?.ground.serves()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  topic(name: string): TopicName {
    return this.#started().topics.get(name)
  }

  publish(message: Message): boolean {
    return this.#router!.publishing.publish(message)
  }

  whenDrained(run: () => void): void {
    this.#started().publishing.whenDrained(run)
  }

  async subscribe(
    subscriber: Subscriber,
    filter: string,
    options: SubscriptionOptions
  ): Promise<{ subscription: Subscription; existed: boolean }> {
    return await this.#started().subscribing.subscribe(subscriber, filter, options)
  }

  async sendRetained(subscription: Subscription): Promise<void> {
    await this.#started().scanning.scan(subscription)
  }

  unsubscribe(subscriber: Subscriber, filter: string): boolean {
    return this.#started().subscribing.unsubscribe(subscriber, filter)
  }

  unsubscribeAll(subscriber: Subscriber): void {
    this.#started().subscribing.unsubscribeAll(subscriber)
  }

  tryClaim(clientId: string, holder: ClientHolder, will: SessionWill | null = null): boolean {
    return this.#sessions?.tryClaim(clientId, holder, will) === true
  }

  async claim(clientId: string, holder: ClientHolder, will: SessionWill | null = null): Promise<void> {
    this.#started()
    await this.#sessions!.claim(clientId, holder, will)
  }

  async attach(
    clientId: string,
    holder: ClientHolder,
    client: SessionClient,
    request: AttachRequest
  ): Promise<Attachment> {
    this.#started()
    return await this.#sessions!.attach(clientId, holder, client, request)
  }

  release(clientId: string, holder: ClientHolder): void {
    this.#sessions?.registry.release(clientId, holder)
  }

  ownerOf(topic: string): string | null {
    validateTopic(topic)
    return this.#started().view.ownerOf(hashKey(shardKey(topic, this.#options.shardLevels)))?.id ?? null
  }

  status(): BrokerStatus {
    const router = this.#started()
    const cluster = this.#cluster!
    const { ring } = router.view
    const members = cluster.members().map(({ id, instance, state, meta, incarnation }) => ({
      id,
      instance,
      state,
      phase: String(meta['phase']),
      client: meta['client'] === true,
      incarnation,
      share: ring.share(id),
      self: id === this.id
    }))
    const links = members
      .filter(({ self }) => !self)
      .map(({ id }) => {
        const link = cluster.link(id)
        const state = link === null ? 'down' : 'up'
        return {
          id,
          state,
          bytesIn: link?.bytesIn ?? 0,
          bytesOut: link?.bytesOut ?? 0,
          buffered: link?.bufferedBytes ?? 0
        }
      })
    return {
      id: this.id,
      instance: this.instance,
      ready: this.ready,
      members,
      links,
      ring: {
        digest: ring.digest.toString(16).padStart(8, '0'),
        nodes: ring.size,
        agreed: router.view.agreed
      },
      topics: router.topics.size,
      subscriptions: router.subscriptions.count,
      retained: router.retained.count,
      clients: this.#sessions!.registry.size,
      sessions: this.#sessions!.hosting.count,
      waiting: {
        publishes: router.publishing.waiting,
        deliveries: inflightOf(router),
        gated: router.ordering.gatedCount,
        kept: router.ordering.replayCount
      },
      counters: {
        ...router.counters,
        retainedRefused: router.retained.refused,
        ...this.#sessions!.hosting.counters,
        ...cluster.counters
      }
    }
  }

  /** Waits until all members see the ring as this node does; as long as it takes, since to serve earlier could lose messages. */
  async #agreed(): Promise<void> {
    const router = this.#started()
    for (let waited = 0; this.#closing === null; waited += AGREEMENT_MS) {
      await router.agreement(AGREEMENT_MS)
      if (router.rebalancing.isAgreed && this.#isLinked()) return
      if (waited > 0)
        this.log.info(
          { members: this.#cluster!.members().length, waitedMs: waited },
          'waiting for the members to agree'
        )
      else if (!this.#isLinked()) await router.pause(10)
    }
  }

  #isLinked(): boolean {
    for (const peer of this.#router!.view.peers.values())
      if (peer.link === null || !peer.resumed) return false
    return true
  }

  async #close(): Promise<void> {
    // A start that is under way is let come as far as its sockets, so that these can be closed. If it fails, `start` says why.
    const cluster = await this.#bound?.catch(() => null)
    const router = this.#router
    this.#sessions?.close()
    if (!cluster || router === null) return await this.#closeUpring()
    const deadline = this.clock.now() + this.#options.closeTimeoutMs
    if (cluster.phase === 'serving') {
      // What is left of the time is for saying goodbye.
      const handedOver = this.clock.now() + this.#options.closeTimeoutMs * HANDOVER_PART
      await this.#within(handedOver, cluster.setPhase('leaving'))
      await this.#within(handedOver, this.#handedOver(router, handedOver))
    }
    await this.#within(deadline - GOODBYE_MS, this.#closeUpring())
    router.close()
    await this.#within(deadline, cluster.stop())
  }

  /** Nobody routes here any more, and nobody waits for an answer of ours. */
  async #handedOver(router: Router, deadline: number): Promise<void> {
    while (this.clock.now() < deadline && router.view.peers.size > 0) {
      await router.agreement(deadline - this.clock.now())
      if (router.rebalancing.isAgreed && inflightOf(router) === 0 && router.publishing.waiting === 0) return
      await router.pause(5)
    }
  }

  async #within(deadline: number, work: Promise<void>): Promise<void> {
    let timer: { cancel(): void } | undefined
    const late = new Promise<void>(resolve => {
      timer = this.clock.after(Math.max(0, deadline - this.clock.now()), resolve)
    })
    await Promise.race([work, late])
    timer?.cancel()
  }

  /** Made on first use, since most brokers have none; before `start`, so that its plugins are there when the broker serves. */
  #createUpring(): { instance: Upring; ground: BrokerGround } {
    const ground = new BrokerGround(this.#options, () => this.close())
    const [cluster, router] = [this.#cluster, this.#router]
    if (cluster !== null && router !== null) ground.bound(cluster, router)
    if (this.#joined) ground.joined()
    if (this.#ready) ground.serves()
    if (this.#closing !== null) ground.left()
    const log = this.log.child({ part: 'upring' })
    return { instance: new UpringNode(ground, instanceOptionsOf({}), { clock: this.clock, log }), ground }
  }

  async #loadPlugins(): Promise<void> {
    this.#joined = true
    this.#upring?.ground.joined()
    await this.#upring?.instance.ready()
  }

  async #closeUpring(): Promise<void> {
    this.#upring?.ground.left()
    await this.#upring?.instance.close()
  }

  #membersChanged(): void {
    const [cluster, router] = [this.#cluster, this.#router]
    if (cluster === null || router === null || router.closed) return
    router.rebalancing.membersChanged(
      cluster.members().map(({ id, instance, meta }) => ({
        id,
        instance,
        serving: meta['phase'] === 'serving' && meta['ring'] === this.#options.name,
        client: meta['client'] === true
      }))
    )
    this.#upring?.ground.changed()
  }

  #createSessions(nodeId: string, router: Router): Sessions {
    const { hybridClock, view } = router
    return new Sessions(
      {
        clock: this.clock,
        log: this.log,
        nodeId,
        ownerOf: key => view.ownerOf(hashKey(key))?.id ?? null,
        isMember: id => id === nodeId || view.peers.has(id),
        stamp: () => hybridClock.next(),
        merge: stamp => hybridClock.merge(stamp),
        link: id => view.peer(id)?.link ?? null,
        owners: () => view.ring.ids,
        barrier: () => new Promise(resolve => router.delivering.barrier(resolve)),
        placeOf: topic => {
          const { seenEpoch, seenOffset } = router.topics.get(topic)
          return { topic, epoch: seenEpoch, offset: seenOffset }
        },
        hasTaken: name => {
          const [instance = '', sequence] = name.split(' ')
          return router.origins.get(instance).taken.has(Number(sequence))
        },
        get isSettled() {
          return router.rebalancing.isAgreed
        },
        settled: timeoutMs => router.agreement(timeoutMs)
      },
      this,
      this.#options
    )
  }

  #started(): Router {
    if (this.#router === null) throw new ShoalError('CLOSED', { reason: 'not started' })
    return this.#router
  }
}

/** Deliveries to other nodes that they have not taken. */
function inflightOf(router: Router): number {
  let count = 0
  for (const peer of router.view.peers.values()) count += peer.inflightCount
  return count
}
