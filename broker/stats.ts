/** What the broker has counted since its start; those marked `now` go up and down. */
export interface BrokerStats {
  /** Open connections, now. */
  connections: number
  connectionsTotal: number
  /** Of these: those that have not logged in, or wait to be let in, now. */
  halfOpen: number
  /** Connections that waited to be let in. */
  connectsDelayed: number
  /** Clients that took the place of a connected one with their id. */
  takeovers: number
  /** Connections whose clients had ended their side, and were not acknowledged in time. */
  halfClosed: number
  /** Times that a connection was not read on because it sent faster than its rate. */
  ratePauses: number
  /** The same for the filters of its SUBSCRIBEs and UNSUBSCRIBEs. */
  filterPauses: number
  /** Connections that ended with an error: of the socket, or of a packet that Aedes refused. */
  failedConnections: number
  /** Connections that the operating system could not give us, as when no file descriptor is left. */
  acceptFailures: number
  bytesIn: number
  bytesOut: number
  /** PUBLISHes from clients, wills too. */
  publishesIn: number
  /** PUBLISHes handed to the inbox. */
  journaled: number
  /** Of these: those that can't be decoded; they are on their way to the dead letters. */
  undecodable: number
  /** Undecodable messages that had to wait for their device's next minute (see pace.ts). */
  slowedPublishes: number
  /** QoS 1 and 2 PUBLISHes whose PUBACK or PUBREC may go, journaled or not. */
  acknowledged: number
  /** PUBLISHes that wait for their release, and their bytes, now. */
  held: number
  heldBytes: number
  /** QoS 0 PUBLISHes to a journaled topic that were not journaled, because the inbox was full or their connection ended while they were slowed. */
  droppedQos0: number
  /** Wills to a journaled topic that were neither journaled nor published, because the inbox was full and `maxHeldBytes` reached, or they were undecodable beyond their device's pace. */
  droppedWills: number
  /** Messages that the access rules kept from a subscriber. */
  withheld: number
  /** Devices whose newest reading is kept for `<device>/last`, now; and readings of devices beyond the limit. */
  lastDevices: number
  lastBeyondLimit: number
  /** What was refused, by rule; see rules.ts. */
  refused: Readonly<Record<string, number>>
}

/** All counters at 0. */
export function createStats (): BrokerStats {
  return {
    connections: 0,
    connectionsTotal: 0,
    halfOpen: 0,
    connectsDelayed: 0,
    takeovers: 0,
    halfClosed: 0,
    ratePauses: 0,
    filterPauses: 0,
    failedConnections: 0,
    acceptFailures: 0,
    bytesIn: 0,
    bytesOut: 0,
    publishesIn: 0,
    journaled: 0,
    undecodable: 0,
    slowedPublishes: 0,
    acknowledged: 0,
    held: 0,
    heldBytes: 0,
    droppedQos0: 0,
    droppedWills: 0,
    withheld: 0,
    lastDevices: 0,
    lastBeyondLimit: 0,
    refused: {}
  }
}
