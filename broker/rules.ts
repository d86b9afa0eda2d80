/** The rules after which a connection is closed, each with the sentence that says so in the log. The keys are the labels of the counter. */
export const closingRules = {
  packetSize: 'a packet was longer than the limit',
  packetLength: 'a packet had a length of five bytes [MQTT-2.2.3]',
  firstPacket: 'the first packet was no CONNECT [MQTT-3.1.0-1]',
  secondConnect: 'a second CONNECT came [MQTT-3.1.0-2]',
  pingreq: 'a PINGREQ had flags or a body [MQTT-3.12]',
  connectTimeout: 'no CONNECT came in time',
  keepalive: 'nothing came for one and a half times the keep alive [MQTT-3.1.2-24]',
  dollarTopic: 'a topic with $ was published to',
  heldBytes: 'too many bytes wait for their release while the inbox is full, or a device is slowed',
  outboundBytes: 'the client does not read what it subscribed to'
} as const

export type ClosingRule = keyof typeof closingRules

/** The clause of MQTT 3.1.1 that a rule's sentence names. */
export function clauseOf (rule: ClosingRule): string | null {
  return /\[(MQTT-[^\]]+)\]/.exec(closingRules[rule])?.[1] ?? null
}
