/** What the client sees of a refusal. `close`: nothing but the end of its connection [MQTT-4.8.0-1]. `CONNACK n`: that code, then the end. `SUBACK 128`: for this filter. `drop`: nothing. */
export type Reaction = 'close' | 'CONNACK 1' | 'CONNACK 2' | 'CONNACK 4' | 'CONNACK 5' | 'SUBACK 128' | 'drop'

export interface RuleText {
  /** The sentence that says it in the log. */
  readonly because: string
  /** The clause of MQTT 3.1.1 that it keeps; null: a limit or policy of ours. */
  readonly clause: string | null
  readonly reaction: Reaction
}

/** Every rule after which something of a client is refused. The keys are the labels of the counter; docs/CONFORMANCE.md lists the same, and a test compares. */
export const rules = {
  // Any packet.
  packetLength: { because: 'a packet had a length of five bytes', clause: 'MQTT-2.2.3', reaction: 'close' },
  packetSize: { because: 'a packet was longer than the limit', clause: null, reaction: 'close' },
  packetType: { because: 'a packet had type 0 or 15, which are reserved', clause: 'MQTT-2.2.1', reaction: 'close' },
  packetFlags: { because: 'the reserved flags of a fixed header were wrong', clause: 'MQTT-2.2.2-2', reaction: 'close' },
  packetId: { because: 'a packet identifier was 0', clause: 'MQTT-2.3.1-1', reaction: 'close' },
  packetEnd: { because: 'the fields of a packet did not end where it ends', clause: 'MQTT-4.8.0-1', reaction: 'close' },
  serverPacket: { because: 'a packet came that only a server sends', clause: 'MQTT-4.8.0-1', reaction: 'close' },
  utf8: { because: 'a string was not well-formed UTF-8', clause: 'MQTT-1.5.3-1', reaction: 'close' },
  nullCharacter: { because: 'a string had the character U+0000', clause: 'MQTT-1.5.3-2', reaction: 'close' },
  controlCharacter: { because: 'a string had a control character, or one that is no character', clause: 'MQTT-1.5.3', reaction: 'close' },
  // CONNECT.
  firstPacket: { because: 'the first packet was no CONNECT', clause: 'MQTT-3.1.0-1', reaction: 'close' },
  secondConnect: { because: 'a second CONNECT came', clause: 'MQTT-3.1.0-2', reaction: 'close' },
  connectTimeout: { because: 'no CONNECT came in time', clause: null, reaction: 'close' },
  protocolName: { because: 'the protocol name was not MQTT', clause: 'MQTT-3.1.2-1', reaction: 'close' },
  protocolLevel: { because: 'the protocol level was neither 4 nor, with the name MQIsdp, 3', clause: 'MQTT-3.1.2-2', reaction: 'CONNACK 1' },
  connectFlags: { because: 'the reserved flag of a CONNECT was set', clause: 'MQTT-3.1.2-3', reaction: 'close' },
  willFlags: { because: 'a CONNECT without a will had a will QoS or will retain', clause: 'MQTT-3.1.2-13', reaction: 'close' },
  willQos: { because: 'the QoS of a will was 3', clause: 'MQTT-3.1.2-14', reaction: 'close' },
  willTopic: { because: 'the topic of a will was empty or had a wildcard', clause: 'MQTT-4.7.1-1', reaction: 'close' },
  willDollarTopic: { because: 'the topic of a will began with $', clause: null, reaction: 'CONNACK 5' },
  passwordWithoutUser: { because: 'a CONNECT had a password and no user name', clause: 'MQTT-3.1.2-22', reaction: 'close' },
  passwordNull: { because: 'a password had a NUL byte', clause: null, reaction: 'CONNACK 4' },
  clientIdEmpty: { because: 'the client identifier was empty, and the session was to be kept', clause: 'MQTT-3.1.3-8', reaction: 'CONNACK 2' },
  clientIdCharacters: { because: 'the client identifier had one of + # / %', clause: 'MQTT-3.1.3-9', reaction: 'CONNACK 2' },
  clientIdBytes: { because: 'the client identifier was longer than the limit', clause: 'MQTT-3.1.3-9', reaction: 'CONNACK 2' },
  loginPassword: { because: 'the user name is unknown, or the password is wrong', clause: 'MQTT-3.1.4-2', reaction: 'CONNACK 5' },
  loginIdentity: { because: 'the access rules do not let the client in', clause: 'MQTT-3.1.4-2', reaction: 'CONNACK 5' },
  loginBusy: { because: 'too many passwords wait to be verified', clause: null, reaction: 'close' },
  willDenied: { because: 'the access rules refuse the topic of a will', clause: null, reaction: 'CONNACK 5' },
  willDropped: { because: 'the access rules refuse a will that was to be sent', clause: null, reaction: 'drop' },
  // PUBLISH.
  publishQos: { because: 'the QoS of a PUBLISH was 3', clause: 'MQTT-3.3.1-4', reaction: 'close' },
  publishDup: { because: 'a PUBLISH of QoS 0 had the flag DUP', clause: 'MQTT-3.3.1-2', reaction: 'close' },
  topicEmpty: { because: 'the topic of a PUBLISH was empty', clause: 'MQTT-4.7.3-1', reaction: 'close' },
  topicWildcard: { because: 'the topic of a PUBLISH had a wildcard', clause: 'MQTT-3.3.2-2', reaction: 'close' },
  topicBytes: { because: 'a topic was longer than the limit', clause: null, reaction: 'close' },
  topicLevels: { because: 'a topic had more levels than the limit', clause: null, reaction: 'close' },
  dollarTopic: { because: 'a topic with $ was published to', clause: 'MQTT-4.7.2', reaction: 'close' },
  publishDenied: { because: 'the access rules refuse a PUBLISH to a journaled topic', clause: 'MQTT-3.3.5-2', reaction: 'close' },
  publishDropped: { because: 'the access rules refuse a PUBLISH to another topic; it is acknowledged', clause: 'MQTT-3.3.5-2', reaction: 'drop' },
  // SUBSCRIBE, UNSUBSCRIBE.
  noFilter: { because: 'a SUBSCRIBE or UNSUBSCRIBE had no filter', clause: 'MQTT-3.8.3-3', reaction: 'close' },
  subscribeQos: { because: 'the QoS of a filter was not 0, 1 or 2', clause: 'MQTT-3.8.3-4', reaction: 'close' },
  filterEmpty: { because: 'a filter was empty', clause: 'MQTT-4.7.3-1', reaction: 'close' },
  filterHash: { because: 'a filter had # elsewhere than alone in its last level', clause: 'MQTT-4.7.1-2', reaction: 'close' },
  filterPlus: { because: 'a filter had + beside another character of its level', clause: 'MQTT-4.7.1-3', reaction: 'close' },
  filterBytes: { because: 'a filter was longer than the limit', clause: 'MQTT-3.9.3-2', reaction: 'SUBACK 128' },
  filterLevels: { because: 'a filter had more levels than the limit', clause: 'MQTT-3.9.3-2', reaction: 'SUBACK 128' },
  filterDollar: { because: 'a filter began with $, and only operators read $SYS', clause: 'MQTT-3.9.3-2', reaction: 'SUBACK 128' },
  subscriptions: { because: 'a client had as many subscriptions as the limit', clause: 'MQTT-3.9.3-2', reaction: 'SUBACK 128' },
  filterDenied: { because: 'the access rules refuse a filter', clause: 'MQTT-3.9.3-2', reaction: 'SUBACK 128' },
  // Accepting and logging in.
  connections: { because: 'a connection came beyond the limit of all', clause: null, reaction: 'close' },
  connectionsPerAddress: { because: 'a connection came beyond the limit of its address', clause: null, reaction: 'close' },
  halfOpen: { because: 'a connection came while as many as the limit had not logged in', clause: null, reaction: 'close' },
  halfOpenPerAddress: { because: 'a connection came while as many of its address as the limit had not logged in', clause: null, reaction: 'close' },
  connectRate: { because: 'connections of one address came faster than the limit', clause: null, reaction: 'close' },
  proxyHeader: { because: 'a trusted proxy sent no header of the PROXY protocol, or a faulty one', clause: null, reaction: 'close' },
  tlsHandshake: { because: 'a TLS handshake failed', clause: null, reaction: 'close' },
  tlsCertificate: { because: 'the certificate of a client is missing, not accepted, or names nobody', clause: null, reaction: 'close' },
  webSocketRequest: { because: 'a request for a WebSocket was for another host, from a page of another site, or not for MQTT', clause: null, reaction: 'close' },
  webSocketFrame: { because: 'a WebSocket frame was no binary one, was faulty, or longer than the limit of a packet', clause: 'MQTT-6.0.0-1', reaction: 'close' },
  takeover: { because: 'a client id was taken over twice within the interval', clause: null, reaction: 'close' },
  // Sessions, devices and retained messages.
  sessions: { because: 'as many sessions are kept as the limit', clause: null, reaction: 'close' },
  queueFull: { because: 'what waits for an absent client reached a limit, and its oldest is dropped', clause: null, reaction: 'drop' },
  devices: { because: 'a device came beyond the limit of those in the books', clause: null, reaction: 'close' },
  retainedFull: { because: 'as much is retained as the limit, and a message was not', clause: null, reaction: 'drop' },
  // While a connection is open.
  accessRevoked: { because: 'the access rules have changed, and do not let the client in any more', clause: null, reaction: 'close' },
  certificateRevoked: { because: 'the certificate of a client is not accepted any more', clause: null, reaction: 'close' },
  keepalive: { because: 'nothing came for one and a half times the keep alive', clause: 'MQTT-3.1.2-24', reaction: 'close' },
  heldBytes: { because: 'too many bytes wait for their release while the inbox is full, or a device is slowed', clause: null, reaction: 'close' },
  queued: { because: 'more waits for the client than the limit: it does not acknowledge what it subscribed to', clause: null, reaction: 'close' },
  outboundBytes: { because: 'the client does not read what it subscribed to', clause: null, reaction: 'close' }
} as const satisfies Record<string, RuleText>

export type Rule = keyof typeof rules
/** Those that end the connection without an answer. */
export type ClosingRule = { [R in Rule]: typeof rules[R]['reaction'] extends 'close' ? R : never }[Rule]
