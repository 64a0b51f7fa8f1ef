// Where a connection stands, and why it does not read on.

/** Nothing but CONNECT is expected. */
export const OPENING = 0
/** CONNECT was good; the client id is being claimed in the cluster. */
export const CLAIMING = 1
export const OPEN = 2
export const CLOSED = 3

/** Bits: the client id is being claimed. */
export const BLOCKED_CLAIM = 1
/** The way to an owner of a topic is congested. */
export const BLOCKED_CONGESTION = 2
/** 3.1.1: as many publishes as are allowed wait for their acknowledgement. */
export const BLOCKED_UNACKNOWLEDGED = 4
/** As many SUBSCRIBEs and UNSUBSCRIBEs as are allowed wait for their turn. */
export const BLOCKED_CONTROL = 8
