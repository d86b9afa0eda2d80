import { chmod } from 'node:fs/promises'
import t from 'tap'
import { createLogin, readLogin } from '../../device/login.ts'
import { createTestLog } from '../helpers/log.ts'

const brokerUrl = 'mqtts://gateway.example'

t.test('the user is the device when there is a password; without one there is no login', async t => {
  t.match(readLogin({ brokerUrl, password: 'x' }, 'pi-1'), { username: 'pi-1', password: 'x' })
  t.match(readLogin({ brokerUrl, password: 'x', user: 'attic' }, 'pi-1'), { username: 'attic' })
  t.match(readLogin({ brokerUrl }, 'pi-1'), { username: undefined, password: undefined })
  const dir = t.testdir({ empty: '' })
  await chmod(`${dir}/empty`, 0o600)
  t.match(readLogin({ brokerUrl, passwordFile: `${dir}/empty` }, 'pi-1'), { username: undefined, password: undefined })
})

t.test('a secret that group or others may read is refused, and so is one that is not there', async t => {
  const dir = t.testdir({ password: 'secret\n', key: 'PEM', cert: 'PEM' })
  await chmod(`${dir}/password`, 0o644)
  t.throws(() => readLogin({ brokerUrl, passwordFile: `${dir}/password` }, 'pi-1'), { code: 'ISO_DEVICE_LOGIN', detail: /ISOBAR_DEVICE_PASSWORD_FILE, .*mode 644/ })
  await chmod(`${dir}/password`, 0o600)
  t.match(readLogin({ brokerUrl, passwordFile: `${dir}/password` }, 'pi-1'), { password: 'secret' })
  for (const mode of [0o604, 0o640]) {
    await chmod(`${dir}/key`, mode)
    t.throws(() => readLogin({ brokerUrl, certFile: `${dir}/cert`, keyFile: `${dir}/key` }, 'pi-1'), { code: 'ISO_DEVICE_LOGIN', detail: new RegExp(`ISOBAR_DEVICE_KEY_FILE, .*mode ${mode.toString(8)}`) })
  }
  await chmod(`${dir}/key`, 0o600)
  t.match(readLogin({ brokerUrl, certFile: `${dir}/cert`, keyFile: `${dir}/key` }, 'pi-1'), { cert: 'PEM', key: 'PEM' })
  t.throws(() => readLogin({ brokerUrl, caFile: `${dir}/none` }, 'pi-1'), { code: 'ISO_DEVICE_LOGIN', detail: /ISOBAR_DEVICE_CA_FILE, .*ENOENT/ })
  t.throws(() => readLogin({ brokerUrl, certFile: `${dir}/cert` }, 'pi-1'), { code: 'ISO_DEVICE_LOGIN', detail: /belong together/ })
  t.throws(() => readLogin({ brokerUrl: 'mqtt://x', certFile: `${dir}/cert`, keyFile: `${dir}/key` }, 'pi-1'), { code: 'ISO_DEVICE_LOGIN', detail: /mqtts/ })
})

t.test('a login that cannot be read any more is the last one that could', async t => {
  const dir = t.testdir({ password: 'one' })
  await chmod(`${dir}/password`, 0o600)
  const { log, lines } = createTestLog('error')
  const login = createLogin({ brokerUrl, passwordFile: `${dir}/password` }, 'pi-1', log)
  await chmod(`${dir}/password`, 0o666)
  t.match(login(), { password: 'one' })
  t.match(lines, [{ err: { code: 'ISO_DEVICE_LOGIN' } }])
})
