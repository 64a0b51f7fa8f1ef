// What the router counts: plain integers, incremented in place, read by whoever exports them.

export class Counters {
  /** Messages published by clients of this node. */
  published = 0
  /** Messages ordered here, as owner. */
  ordered = 0
  /** Copies handed to subscribers of this node. */
  delivered = 0
  /** Deliveries sent to other nodes. */
  sentToNodes = 0
  /** Messages passed on to the owner because this node was taken for it. */
  passedOn = 0
  /** Messages recognised as already ordered, or already delivered here. */
  duplicates = 0
  /** QoS 0 messages dropped: no way to the node, or too much waiting for it. */
  droppedLinkFull = 0
  /** Messages refused: larger than a link carries. */
  droppedTooLarge = 0
  /** QoS 0 messages dropped: passed on too often. */
  droppedHops = 0
  /** QoS 0 messages dropped: no owner yet, or a fence, and the queue was full. */
  droppedQueueFull = 0
  /** Messages that came after younger ones of their publisher or of a later owner, and were not owed any more. */
  droppedStale = 0
  /** Messages no longer kept for late subscribers because there were too many. */
  replayOverflows = 0
  /** Times the ring changed. */
  ringChanges = 0
  /** Routes repaired because digests disagreed. */
  routeRepairs = 0
  /** Fences that were not answered in time and given up: order across the change of owner was not waited for. */
  fencesGivenUp = 0
  /** Times a publisher was asked to wait. */
  pressed = 0
}
