import t from 'tap'
import { deviceRights, guestRights, operatorRights } from '../../../broker/access/builtin-rights.ts'
import { guarded, type Rights } from '../../../broker/access/rights.ts'
import { Topics, type DeviceId } from '../../../schemas/topics.ts'

const topics = new Topics('iot/v1')
const device = guarded(deviceRights(topics, 'pi-1' as DeviceId))
const guest = guarded(guestRights(topics))
const operator = guarded(operatorRights)

function allowed (rights: Rights, action: 'read' | 'write' | 'filter', names: readonly string[]): readonly string[] {
  return names.filter(name => (action === 'filter' ? rights.decideFilter(name) : rights.decide(action, name)).allowed)
}

t.test('a device publishes its own tele, state, birth, cfg and res, and nothing else', async t => {
  const own = ['tele', 'state', 'birth', 'cfg', 'res/1'].map(leaf => `iot/v1/pi-1/${leaf}`)
  const others = ['iot/v1/pi-1', 'iot/v1/pi-1/', 'iot/v1/pi-1/stored', 'iot/v1/pi-1/cfg/set', 'iot/v1/pi-1/res', 'iot/v1/pi-1/res/a/b', 'iot/v1/pi-1/cmd/x/1', 'iot/v1/pi-1/tele/x', 'iot/v1/pi-10/tele', 'iot/v1/pi/tele', 'iot/v1/gateway/status', 'other', '$SYS/x', '/iot/v1/pi-1/tele']
  t.same(allowed(device, 'write', [...own, ...others]), own)
})

t.test('a device reads below its own topic, and nothing else', async t => {
  const own = ['tele', 'json', 'cfg/set', 'cmd/x/1', 'error'].map(leaf => `iot/v1/pi-1/${leaf}`)
  t.same(allowed(device, 'read', [...own, 'iot/v1/pi-1', 'iot/v1/pi-10/json', 'iot/v1/pi-2/json', '$SYS/x', 'x']), own)
  const filters = ['iot/v1/pi-1/#', 'iot/v1/pi-1/+', 'iot/v1/pi-1/cmd/+/+', 'iot/v1/pi-1/error']
  t.same(allowed(device, 'filter', [...filters, '#', '+/v1/pi-1/#', 'iot/v1/+/tele', 'iot/#', 'iot/v1/pi-2/#', '$SYS/#', '$share/g/iot/v1/pi-1/#']), filters)
})

t.test('a guest has all below the root, without $', async t => {
  t.same(allowed(guest, 'write', ['iot/v1/pi-1/tele', 'iot/v1/x', 'iot/v2/x', 'iot/v1', '$SYS/x']), ['iot/v1/pi-1/tele', 'iot/v1/x'])
  t.same(allowed(guest, 'filter', ['#', 'iot/#', '+/+/+/tele', 'iot/v2/#', 'x', '$SYS/#']), ['#', 'iot/#', '+/+/+/tele'])
})

t.test('an operator has everything, $SYS to read; nobody publishes to $, and $share is served to nobody', async t => {
  t.same(allowed(operator, 'filter', ['#', '$SYS/#', '$share/g/x', '$other/x']), ['#', '$SYS/#'])
  t.same(allowed(operator, 'write', ['x', 'iot/v1/pi-1/cfg/set', '$SYS/x/new/clients']), ['x', 'iot/v1/pi-1/cfg/set'])
  t.same(allowed(operator, 'read', ['$SYS/x', 'a']), ['$SYS/x', 'a'])
})
