import { decodeStored } from '../schemas/stored.ts'
import { type DeviceId, type Topics } from '../schemas/topics.ts'
import { type Commands } from './commands.ts'
import { type Outbox } from './outbox/outbox.ts'
import { settledRanges } from './outbox/settled.ts'
import { type Inbound, type Publisher } from './publisher.ts'
import { type RemoteConfig } from './remote-config.ts'

export interface InboundParts {
  readonly deviceId: DeviceId
  readonly topics: Topics
  readonly config: RemoteConfig
  readonly outbox: Outbox
  readonly keepUntil?: 'acknowledged' | 'stored'
  readonly commands: () => Commands
  readonly tell: Publisher['tell']
}

/** What a device listens to: what it shall be set to, what it shall do, and what the database has of it. */
export function createInbound ({ deviceId, topics, config, outbox, keepUntil, commands, tell }: InboundParts): Inbound {
  const report = (): void => { void tell(topics.cfg(deviceId), JSON.stringify(config.report), { retain: true }) }
  return {
    filters: [topics.cfgSet(deviceId), topics.command(deviceId, '+', '+'), ...keepUntil === 'stored' ? [topics.stored(deviceId)] : []],
    online: () => {
      config.look(true)
      report()
    },
    take: (topic, payload, retained) => {
      const command = topics.parseCommand(topic, deviceId)
      if (topic === topics.cfgSet(deviceId)) {
        config.receive(payload)
        report()
      } else if (topic === topics.stored(deviceId)) {
        const stored = decodeStored(payload)
        if (stored !== null) outbox.stored(settledRanges(stored))
      } else if (command !== null && !retained) { // a retained one would be done again at each connection
        void commands().run(command.name, command.id, async answer => await tell(topics.answer(deviceId, command.id), JSON.stringify(answer), { retain: false }))
      }
    }
  }
}
